"""Bundles signed with a key that was good once, or is not yet."""

import base64
import json

import pytest

from pytest_spiral.cli.main import main
from pytest_spiral.model.attestation import LedgerPlace

BEFORE, AFTER = ',valid-before="20200101Z"', ',valid-after="20300101Z"'


def mark(word, key, at):
    return f"# spiral: {word} {key.keyid} {'at' if word == 'superseded' else 'since'} {at}"


@pytest.mark.parametrize("word", ["superseded", "compromised"])
@pytest.mark.parametrize("at", [0, 1, 97, 2**53 - 1])
def test_without_a_ledger_nobody_knows_what_came_before(signing, signed, hold, word, at):
    """Whoever has the key can state any date, so that dates of the bundle prove nothing."""
    answer = hold(signed, trust=f"{signing.line(signing.job)}\n{mark(word, signing.job, at)}\n")
    assert answer.refused
    assert answer.codes == answer.second_codes == {f"attestation-key-{word}"}


@pytest.mark.parametrize("options", [BEFORE, AFTER])
def test_a_key_signs_only_while_it_is_valid(signing, signed, hold, options):
    answer = hold(signed, trust=signing.line(signing.job, options=options))
    assert answer.refused
    assert answer.codes == answer.second_codes == {"attestation-key-time"}


@pytest.mark.parametrize("word", ["superseded", "compromised"])
@pytest.mark.parametrize("order", ["sealed-last", "sealed-between", "not-sealed"])
def test_a_ledger_that_came_with_the_bundle_places_nothing(signing, hold, with_own_ledger, word, order):
    """Whoever has the key writes a whole ledger into the bundle, in which the run stands before the mark."""
    folder = with_own_ledger(order)
    answer = hold(folder, trust=f"{signing.line(signing.job)}\n{mark(word, signing.job, 97)}\n")
    assert answer.refused
    assert f"attestation-key-{word}" in answer.codes & answer.second_codes


@pytest.mark.parametrize("at", [0, 3])
@pytest.mark.parametrize("word", ["superseded", "compromised"])
def test_a_kept_ledger_that_shows_it_later_helps_no_more(signing, with_own_ledger, hold, kept_of, word, at):
    folder = with_own_ledger("kept")
    answer = hold(folder, trust=f"{signing.line(signing.job)}\n{mark(word, signing.job, at)}\n", kept=kept_of(folder))
    assert answer.refused
    assert answer.codes == {f"attestation-key-{word}"}


@pytest.mark.parametrize("at", [4, 60])
@pytest.mark.parametrize("word", ["superseded", "compromised"])
def test_a_branch_stands_where_it_was_adopted(signing, with_own_ledger, hold, kept_of, word, at):
    """Whoever has the key writes a branch from an early entry, and has it adopted long after the mark."""
    folder = with_own_ledger("adopted")
    answer = hold(folder, trust=f"{signing.line(signing.job)}\n{mark(word, signing.job, at)}\n", kept=kept_of(folder))
    assert answer.refused
    assert answer.codes == {f"attestation-key-{word}"}


@pytest.fixture
def countersigned(signing, with_own_ledger):
    """A bundle that a job signed and a ledger registered, to which a recorder's signature was put later."""
    folder = with_own_ledger("kept")
    path = folder / "attestation.dsse.json"
    said = json.loads(base64.b64decode(json.loads(path.read_bytes())["payload"]))["predicate"]["ledger"]
    path.unlink()
    return signing.sign(folder, signing.recorder, isolation="countersign", ledger=LedgerPlace(**said))


@pytest.mark.parametrize("word", ["superseded", "compromised"])
@pytest.mark.parametrize("at", [0, 4, 97])
def test_a_countersignature_stands_nowhere_in_a_ledger(signing, countersigned, hold, kept_of, word, at):
    """Whoever has a recorder's key raises an old bundle, which was sealed before the mark, to E2."""
    lines = (signing.line(signing.job), signing.line(signing.recorder, "spiral-recorder"))
    answer = hold(
        countersigned, trust="\n".join([*lines, mark(word, signing.recorder, at)]), kept=kept_of(countersigned)
    )
    assert answer.refused
    assert answer.codes == {f"attestation-key-{word}"}
    assert answer.level == "E0"


@pytest.mark.parametrize("word", ["superseded", "compromised"])
def test_a_marked_recorder_countersigns_no_more(signing, with_own_ledger, tmp_path, capsys, word):
    folder = with_own_ledger("kept")
    before = (folder / "attestation.dsse.json").read_bytes()
    lines = (signing.line(signing.job), signing.line(signing.recorder, "spiral-recorder"))
    (tmp_path / "trust").write_text("\n".join([*lines, mark(word, signing.recorder, 97)]) + "\n")
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_bytes(signing.recorder.pem())
    arguments = ["--key", key, "--trust", tmp_path / "trust", "--ledger", folder.parent / "ledger.jsonl"]
    assert main(["countersign", str(folder), *map(str, arguments)]) == 2
    assert f"is {word} from ledger position 97" in capsys.readouterr().err
    assert (folder / "attestation.dsse.json").read_bytes() == before


@pytest.mark.sound
def test_a_recorder_that_nobody_revoked_proves_e2(signing, countersigned, hold, kept_of):
    lines = (signing.line(signing.job), signing.line(signing.recorder, "spiral-recorder"))
    answer = hold(countersigned, trust="\n".join(lines), kept=kept_of(countersigned))
    assert (answer.codes, answer.status, answer.level) == (set(), 0, "E2")


@pytest.mark.sound
def test_a_branch_that_was_adopted_before_the_mark_stands(signing, with_own_ledger, hold, kept_of):
    folder = with_own_ledger("adopted")
    answer = hold(
        folder, trust=f"{signing.line(signing.job)}\n{mark('superseded', signing.job, 62)}\n", kept=kept_of(folder)
    )
    assert (answer.codes, answer.status, answer.level) == (set(), 0, "E1")


@pytest.mark.sound
@pytest.mark.parametrize("word", ["superseded", "compromised"])
def test_what_a_kept_ledger_shows_before_the_mark_stands(signing, with_own_ledger, hold, kept_of, word):
    folder = with_own_ledger("kept")
    trust = f"{signing.line(signing.job)}\n{mark(word, signing.job, 4)}\n"
    answer = hold(folder, trust=trust, kept=kept_of(folder))
    assert (answer.codes, answer.status, answer.level) == (set(), 0, "E1")


@pytest.mark.sound
def test_a_key_that_nobody_revoked_vouches(signing, signed, hold):
    answer = hold(signed, trust=signing.line(signing.job))
    assert answer.codes == answer.second_codes == set()
    assert answer.level == "E1"
