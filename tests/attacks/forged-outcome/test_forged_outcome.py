"""A failed test becomes a passed one."""

import json

import pytest


def forgive(records):
    """Whatever raised did not."""
    for kind, body in records:
        if kind == "test":
            body.update(raised="", phase="", why="")


def test_a_record_alone_does_not_fit_its_chain(forger, verify):
    forger.edit("journal/gw0.jsonl", lambda data: data.replace(b'"raised":"assertion"', b'"raised":""'))
    forger.seal()
    answer = verify(forger.folder)
    assert answer.refused
    assert "journal-chain" in answer.codes & answer.second_codes


def test_with_good_chains_the_summary_does_not_fit(forger, verify):
    forger.change("gw0", forgive)
    answer = verify(forger.folder)
    assert answer.refused
    assert answer.codes == answer.second_codes == {"summary-mismatch"}


@pytest.mark.parametrize("change", [{"verdict": "pass"}, {"verdict": "pass", "original": "pass", "reason": ""}])
def test_a_summary_alone_does_not_fit_the_records(forger, verify, change):
    path = forger.folder / "summary.json"
    document = json.loads(path.read_bytes())
    document["criteria"][0].update(change)
    path.write_text(json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n")
    forger.seal()
    answer = verify(forger.folder)
    assert answer.refused
    assert answer.codes == answer.second_codes == {"summary-mismatch"}


def test_what_was_signed_is_not_this(announced, signer, sign, verify_signed):
    sign(announced.folder, signer)
    announced.change("gw0", forgive)
    codes, level = verify_signed(announced.folder, signer.line("spiral-job"))
    assert {"attestation-subject", "summary-mismatch"} <= codes
    assert level == "E0"
