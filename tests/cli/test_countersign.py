"""`spiral countersign`: a recorder signs what it verified, and nothing else."""

import json
import shutil
import stat

import pytest

from pytest_spiral.cli.main import main
from pytest_spiral.evidence.keys import load_key, make_key, write_key
from pytest_spiral.ledger.book import Book

from .conftest import ONE_GATE, make_bundle

ATTESTATION = "attestation.dsse.json"
ASKING = ONE_GATE.replace("format = 1\n", 'format = 1\nassurance = "E2"\n')


@pytest.fixture(scope="module")
def recorders(tmp_path_factory, keys):
    """A folder with keys `recorder`, `other`, `both` (a job's too), `stranger`, and the `root` that knows them."""
    folder = tmp_path_factory.mktemp("recorders")
    lines = [(keys / "trusted").read_text()]
    roles = {"recorder": "spiral-recorder", "other": "spiral-recorder", "both": "spiral-job,spiral-recorder"}
    for name in ("recorder", "other", "both", "stranger"):
        key = make_key()
        write_key(folder / name, key)
        if name in roles:
            lines.append(f'ci@example.org namespaces="{roles[name]}" {key.public}\n')
    (folder / "root").write_text("".join(lines))
    return folder


@pytest.fixture
def mine(signed_bundle, tmp_path):
    return shutil.copytree(signed_bundle, tmp_path / "bundle")


@pytest.fixture
def countersign(spiral_command, recorders):
    def run(folder, key="recorder", *options, root="root"):
        return spiral_command("countersign", folder, "--key", recorders / key, "--trust", recorders / root, *options)

    return run


def files_of(folder):
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns, stat.S_IMODE(path.stat().st_mode))
        for path in folder.rglob("*")
        if path.is_file()
    }


def proven(spiral_command, folder, recorders, *options):
    said = spiral_command("verify", folder, "--trust", recorders / "root", "--json", *options)
    found = json.loads(said.out)
    return said.status, found["level"], [one["code"] for one in found["report"]["findings"]]


def test_what_a_job_signed_is_proven_at_e2_after_a_recorder_verified_it(spiral_command, countersign, recorders, mine):
    assert proven(spiral_command, mine, recorders) == (0, "E1", [])
    before = files_of(mine)
    said = countersign(mine)
    assert (said.status, said.out.splitlines()[-1].strip()) == (
        0,
        f"countersigned by {load_key(recorders / 'recorder').keyid}",
    )
    assert proven(spiral_command, mine, recorders) == (0, "E2", [])
    after = files_of(mine)
    assert {name for name in after if after[name] != before.get(name)} == {ATTESTATION}
    assert after.keys() == before.keys()
    assert [path.name for path in mine.parent.iterdir()] == [mine.name], "what was made beside it is gone"


def test_once_more_with_the_same_key_writes_nothing(countersign, mine):
    countersign(mine)
    before = files_of(mine)
    said = countersign(mine)
    assert (said.status, files_of(mine)) == (0, before)
    assert "before: nothing was written" in said.out


@pytest.mark.parametrize(
    ("key", "why"),
    [("stranger", "is not in the trust root"), ("both", "is no recorder's"), ("none", "No such file")],
)
def test_a_key_that_is_no_recorders_signs_nothing(countersign, mine, key, why):
    before = files_of(mine)
    said = countersign(mine, key)
    assert (said.status, files_of(mine)) == (2, before)
    assert why in said.err


def test_the_jobs_own_key_does_not_countersign(spiral_command, recorders, keys, mine):
    before = files_of(mine)
    said = spiral_command("countersign", mine, "--key", keys / "job.key", "--trust", recorders / "root")
    assert (said.status, files_of(mine)) == (2, before)
    assert "is no recorder's" in said.err


def test_a_second_recorder_does_not_take_the_firsts_place(countersign, mine):
    countersign(mine)
    before = files_of(mine)
    said = countersign(mine, "other")
    assert (said.status, files_of(mine)) == (2, before)
    assert "there is nothing to add" in said.err


def test_a_recorder_that_is_not_valid_any_more_signs_nothing(countersign, recorders, mine):
    lines = (recorders / "root").read_text().replace('"spiral-recorder"', '"spiral-recorder",valid-before="20200101Z"')
    (recorders / "ended").write_text(lines)
    before = files_of(mine)
    said = countersign(mine, root="ended")
    assert (said.status, files_of(mine)) == (2, before)
    assert "was not valid any more when what it signs ended" in said.err


def edited(folder):
    path = folder / "summary.json"
    path.write_bytes(path.read_bytes().replace(b"CONDITIONAL GO", b"GO"))


def left_over(folder):
    (folder / "left.txt").write_text("x")


def forged(folder):
    path = folder / ATTESTATION
    said = json.loads(path.read_bytes())
    said["signatures"][0]["sig"] = "A" * 86 + "=="
    path.write_bytes(json.dumps(said, separators=(",", ":"), sort_keys=True).encode())


@pytest.mark.parametrize(
    ("tamper", "code"),
    [(edited, "digest-mismatch"), (left_over, "file-extra"), (forged, "attestation-signature")],
)
def test_what_does_not_verify_is_not_signed(countersign, mine, tamper, code):
    tamper(mine)
    before = files_of(mine)
    said = countersign(mine)
    assert (said.status, files_of(mine)) == (3, before)
    assert code in said.out
    assert "not countersigned: nothing was written" in said.out


def test_what_nobody_known_signed_is_not_signed(spiral_command, countersign, recorders, kept_bundles, mine, tmp_path):
    unsigned = shutil.copytree(kept_bundles["conditional"], tmp_path / "unsigned")
    said = countersign(unsigned)
    assert (said.status, "attestation-missing" in said.out) == (3, True)
    assert not (unsigned / ATTESTATION).exists()
    (recorders / "alone").write_text(
        f'ci@example.org namespaces="spiral-recorder" {load_key(recorders / "recorder").public}\n'
    )
    said = countersign(mine, root="alone")
    assert (said.status, "attestation-key-unknown" in said.out) == (3, True)


def test_what_was_not_sealed_is_not_signed(countersign, mine):
    (mine / ATTESTATION).unlink()
    said = countersign(mine)
    assert (said.status, "NOT SEALED" in said.out) == (1, True)
    assert not (mine / ATTESTATION).exists()


def test_a_no_go_is_signed_as_one_and_exits_as_signed(tmp_path, spiral_command, countersign, recorders, keys):
    folder = make_bundle(tmp_path / "broken", broken=True, options=[f"--spiral-key={keys / 'job.key'}"])
    said = countersign(folder)
    assert (said.status, "NO-GO" in said.out) == (0, True)
    assert proven(spiral_command, folder, recorders) == (1, "E2", [])


def test_a_partial_run_is_signed_as_one(tmp_path, spiral_command, countersign, recorders, keys):
    options = [f"--spiral-key={keys / 'job.key'}", "-k", "search"]
    folder = make_bundle(tmp_path / "part", broken=False, options=options)
    said = countersign(folder)
    assert (said.status, "PARTIAL" in said.out) == (0, True)
    assert proven(spiral_command, folder, recorders) == (1, "E2", [])


@pytest.mark.parametrize(("text", "status"), [('level = "E2"', 0), ('level = "E3"', 3), ('run = "another"', 3)])
def test_an_expected_level_is_held_against_what_comes_out(countersign, mine, tmp_path, text, status):
    (tmp_path / "expect.toml").write_text(f"format = 1\n{text}\n")
    before = files_of(mine)
    assert countersign(mine, "recorder", "--expect", "expect.toml").status == status
    assert (files_of(mine) == before) is (status == 3)


def test_a_key_in_the_bundle_is_refused(spiral_command, recorders, mine):
    shutil.copy(recorders / "recorder", mine.parent / "inside")
    (mine / "journal" / "key").symlink_to(mine.parent / "inside")
    assert main(["verify", str(mine)]) == 3, "a link in the bundle is found before any key is read"
    (mine / "journal" / "key").unlink()
    shutil.copy(recorders / "root", mine / "root")
    said = spiral_command("countersign", mine, "--key", recorders / "recorder", "--trust", mine / "root")
    assert (said.status, "lies in the bundle" in said.err) == (2, True)


def test_a_registered_run_verifies_against_its_ledger_after_it(tmp_path, spiral_command, countersign, recorders, keys):
    options = [f"--spiral-key={keys / 'job.key'}", "--spiral-ledger=ledger.jsonl"]
    folder = make_bundle(tmp_path / "logged", broken=False, options=options)
    ledger = tmp_path / "logged" / "ledger.jsonl"
    assert any(b'"kind":"sealed"' in line for line in Book(ledger, lambda: 0).lines())
    assert countersign(folder, "recorder", "--ledger", ledger).status == 0
    assert proven(spiral_command, folder, recorders, "--ledger", ledger)[1:] == ("E2", [])


def decisions(spiral_command, folder, *options):
    said = spiral_command("verify", folder, "--json", *options)
    found = json.loads(said.out)
    return said.status, found["decision"], found["proven"], [one["code"] for one in found["report"]["findings"]]


def test_what_asks_for_a_recorder_is_a_go_when_one_has_signed(tmp_path, spiral_command, countersign, recorders, keys):
    """Below the level a pass is a condition, which is what was sealed; at it, the condition is met."""
    folder = make_bundle(
        tmp_path / "asks", broken=False, gates=ASKING, options=[f"--spiral-key={keys / 'job.key'}"]
    )  # fmt: skip
    trust, conditional = ("--require", "go", "--trust", recorders / "root"), "CONDITIONAL GO"
    assert decisions(spiral_command, folder, "--require", "go") == (1, conditional, None, [])
    assert decisions(spiral_command, folder, *trust) == (1, conditional, conditional, []), "a job does not do"
    said = countersign(folder)
    assert "GO  at E2; what was sealed is judged at E0" in " ".join(said.out.split("\n")).replace("   ", "  ")
    assert decisions(spiral_command, folder, "--require", "go") == (1, conditional, None, []), (
        "nobody proves who signed"
    )
    assert decisions(spiral_command, folder, *trust) == (0, conditional, "GO", [])
