"""Files of a sealed bundle are changed, with and without the manifest brought in line."""

import pytest

EDITS = {
    "samples/B1.latency/gw0-1.jsonl": ("samples-digest", b"117.5", b"017.5"),
    "journal/gw0.jsonl": ("journal-chain", b"not found", b"was found"),
    "journal/main.jsonl": ("journal-chain", b"SIGSEGV", b"SIGKILL"),
    "log.txt": ("attachment-mismatch", b"hello", b"jello"),
    "summary.json": ("summary-mismatch", b'"decision":"', b'"decision": "'),
}


@pytest.mark.parametrize("path", EDITS)
def test_an_edit_alone_does_not_have_its_digest(forger, verify, path):
    _, old, new = EDITS[path]
    forger.edit(path, lambda data: data.replace(old, new))
    answer = verify(forger.folder)
    assert answer.refused
    assert "digest-mismatch" in answer.codes & answer.second_codes


@pytest.mark.parametrize("path", EDITS)
def test_an_edit_with_a_new_manifest_is_found_by_what_binds_it(forger, verify, path):
    code, old, new = EDITS[path]
    forger.edit(path, lambda data: data.replace(old, new))
    forger.seal()
    answer = verify(forger.folder)
    assert code in answer.codes
    assert answer.status == 3
    # One byte of white space in the summary is found by the first verifier, which compares bytes, not meanings.
    assert answer.refused or path == "summary.json"


def test_where_everything_is_mended_the_signature_is_left(announced, signer, sign, verify_signed):
    sign(announced.folder, signer)
    assert verify_signed(announced.folder, signer.line("spiral-job")) == (set(), "E1")
    announced.change("main", lambda records: records[-2][1].update(why="nothing"))
    assert verify_signed(announced.folder, signer.line("spiral-job")) == ({"attestation-subject"}, "E0")


@pytest.mark.sound
def test_untouched_it_is_sound(forger, verify):
    answer = verify(forger.folder)
    assert answer.codes == answer.second_codes == set()
