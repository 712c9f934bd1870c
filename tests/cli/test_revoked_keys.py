"""A key that is revoked: the trust root and the ledger are told, and the verifier honours both."""

import shutil

import pytest

from pytest_spiral.evidence.keys import load_key
from pytest_spiral.ledger.adopt import adopt
from pytest_spiral.ledger.book import Book
from pytest_spiral.model.entry import KeyRevoked
from pytest_spiral.rules.entries import read_entries

LEDGER = "reports/ledger.jsonl"
SEALED = 3
"""Where the run's `sealed` stands in its ledger."""


@pytest.fixture(scope="module")
def kept_project(tmp_path_factory, make_run, keys):
    folder = tmp_path_factory.mktemp("revoked") / "run"
    options = [f"--spiral-key={keys / 'job.key'}", f"--spiral-ledger={LEDGER}"]
    return make_run(folder, broken=False, options=options)


@pytest.fixture
def signed(kept_project, keys, tmp_path):
    """A signed and registered run, and the trust root `root`, where the command runs."""
    shutil.copytree(kept_project.parents[1], tmp_path / "reports")
    shutil.copy(keys / "trusted", tmp_path / "root")
    return tmp_path / "reports" / "run" / kept_project.name


@pytest.fixture
def keyid(keys):
    return load_key(keys / "job.key").keyid


def book(folder):
    return Book(folder / LEDGER, lambda: 1_795_339_800_000_000)


def codes(said):
    return {word for word in said.out.split() if word.startswith("attestation-key-")}


@pytest.mark.parametrize(
    ("option", "word"), [("--superseded-at", "superseded"), ("--compromised-since", "compromised")]
)
@pytest.mark.parametrize(("position", "kept"), [(SEALED + 1, True), (SEALED, False), (0, False)])
def test_a_ledger_tells_the_verifier_what_a_key_is_good_for(
    signed, spiral_command, keyid, tmp_path, option, word, position, kept
):
    shutil.copy("root", "old-root")
    said = spiral_command("key", "revoke", "--trust", "root", keyid, option, position, "--reason", "laptop lost")
    assert said.out.splitlines() == [
        f"root: {keyid} is {word} from ledger position {position}",
        f"{tmp_path / LEDGER}: entry 4 says the same",
    ]
    told = list(read_entries(book(tmp_path).lines()))[-1].record
    assert told == KeyRevoked(keyid=keyid, status=word, since=position, reason="laptop lost")
    for root in ("old-root", "root"):  # the ledger alone, then both
        verified = spiral_command("verify", signed, "--trust", root, "--ledger", LEDGER)
        assert verified.status == (0 if kept else 3)
        assert codes(verified) == (set() if kept else {f"attestation-key-{word}"})


def test_without_the_ledger_nobody_knows_and_with_a_mark_nothing_is_kept(signed, spiral_command, keyid):
    shutil.copy("root", "old-root")
    spiral_command("key", "revoke", "--trust", "root", keyid, "--superseded-at", 100)
    assert spiral_command("verify", signed, "--trust", "old-root").status == 0
    assert spiral_command("verify", signed, "--trust", "root").status == 3
    assert spiral_command("verify", signed, "--trust", "root", "--ledger", LEDGER).status == 0


def test_the_earlier_position_counts_and_another_key_is_nothing_to_it(signed, spiral_command, keyid, tmp_path):
    book(tmp_path).append(KeyRevoked(keyid="SHA256:" + "A" * 43, status="compromised", since=0))
    book(tmp_path).append(KeyRevoked(keyid=keyid, status="compromised", since=50))
    assert spiral_command("verify", signed, "--trust", "root", "--ledger", LEDGER).status == 0
    book(tmp_path).append(KeyRevoked(keyid=keyid, status="compromised", since=2))
    book(tmp_path).append(KeyRevoked(keyid=keyid, status="compromised", since=90))
    assert spiral_command("verify", signed, "--trust", "root", "--ledger", LEDGER).status == 3


def test_revoking_again_changes_nothing(signed, spiral_command, keyid, tmp_path):
    words = ("key", "revoke", "--trust", "root", keyid, "--superseded-at", 7)
    first = spiral_command(*words)
    before = ((tmp_path / "root").read_bytes(), (tmp_path / LEDGER).read_bytes())
    assert spiral_command(*words).out == first.out
    assert ((tmp_path / "root").read_bytes(), (tmp_path / LEDGER).read_bytes()) == before


def test_a_ledger_that_is_named_must_be_there_and_a_key_must_be_known(signed, spiral_command, keyid, tmp_path):
    known = (tmp_path / "root").read_bytes(), (tmp_path / LEDGER).read_bytes()
    missing = spiral_command(
        "key", "revoke", "--trust", "root", keyid, "--superseded-at", 7, "--ledger", "elsewhere.jsonl"
    )
    assert (missing.status, "so nothing was revoked" in missing.err) == (2, True)
    stranger = spiral_command("key", "revoke", "--trust", "root", "SHA256:" + "A" * 43, "--superseded-at", 7)
    assert (stranger.status, "has no line" in stranger.err) == (2, True)
    assert ((tmp_path / "root").read_bytes(), (tmp_path / LEDGER).read_bytes()) == known
    assert not (tmp_path / "elsewhere.jsonl").exists()


def test_a_run_in_an_adopted_branch_stands_where_it_was_adopted(signed, spiral_command, keyid, tmp_path):
    """Whoever has a lost key could number the entries of a branch as it likes."""
    mine = (tmp_path / LEDGER).read_bytes().splitlines(keepends=True)
    (tmp_path / "winning.jsonl").write_bytes(mine[0])
    winning = Book(tmp_path / "winning.jsonl", lambda: 1_795_339_800_000_000)
    winning.append(KeyRevoked(keyid=keyid, status="compromised", since=SEALED + 1))
    adopt(winning, iter(mine))
    shutil.copy(tmp_path / LEDGER, tmp_path / "alone.jsonl")
    assert spiral_command("verify", signed, "--trust", "root", "--ledger", "alone.jsonl").status == 0
    said = spiral_command("verify", signed, "--trust", "root", "--ledger", "winning.jsonl")
    assert codes(said) == set(), "adopted at entry 2, before the position"
    for _ in range(3):
        winning.append(KeyRevoked(keyid="SHA256:" + "A" * 43, status="compromised", since=_))
    (tmp_path / "late.jsonl").write_bytes(mine[0])
    late = Book(tmp_path / "late.jsonl", lambda: 1_795_339_800_000_000)
    for since in (SEALED + 1, 90, 91, 92):
        late.append(KeyRevoked(keyid=keyid, status="compromised", since=since))
    adopt(late, iter(mine))
    said = spiral_command("verify", signed, "--trust", "root", "--ledger", "late.jsonl")
    assert (said.status, codes(said)) == (3, {"attestation-key-compromised"})


def test_a_countersignature_of_a_revoked_recorder_has_no_place_in_the_ledger(signed, spiral_command, keys, tmp_path):
    """It replaces what was registered, so that nothing shows when it was made."""
    recorder = tmp_path / "keys" / "recorder.key"
    recorder.parent.mkdir()
    assert spiral_command("key", "new", recorder).status == 0
    trust = ("key", "trust", "--trust", "root", f"{recorder}.pub", "--principal", "rec@example.org")
    assert spiral_command(*trust, "--role", "spiral-recorder").status == 0
    signing = ("countersign", signed, "--key", recorder, "--trust", "root", "--ledger", LEDGER)
    said = spiral_command(*signing)
    assert (said.status, said.err) == (0, "")
    assert spiral_command("verify", signed, "--trust", "root", "--ledger", LEDGER).status == 0
    book(tmp_path).append(KeyRevoked(keyid=load_key(recorder).keyid, status="compromised", since=100))
    verified = spiral_command("verify", signed, "--trust", "root", "--ledger", LEDGER)
    assert (verified.status, codes(verified)) == (3, {"attestation-key-compromised"})
