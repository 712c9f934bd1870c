"""Evidence of something else than what is to be released."""

import json

import pytest

from pytest_spiral.rules.canonical import digest

COMMIT = "3f9c1a0000000000000000000000000000000001"
NEWER = "4a0d2b0000000000000000000000000000000002"


@pytest.mark.parametrize(
    "git",
    [{"commit": COMMIT, "dirty": False}, {"commit": NEWER, "dirty": True}, {"commit": NEWER}, {}, {"dirty": False}],
)
def test_another_commit_or_a_changed_tree_is_found(signing, hold, git):
    answer = hold(signing.run(git=git), expect=f'format = 1\ncommit = "{NEWER}"\n')
    assert answer.status == 3
    assert answer.codes == {"expected-commit"}


def test_a_newer_commit_in_the_old_bundle_does_not_fit_its_records(forger, verify):
    start = json.loads((forger.folder / "bundle.json").read_bytes())
    start["git"] = {"commit": NEWER, "dirty": False}
    (forger.folder / "bundle.json").write_text(json.dumps(start, separators=(",", ":")))
    forger.seal()
    answer = verify(forger.folder)
    assert answer.refused
    assert "journal-chain" in answer.codes & answer.second_codes


@pytest.mark.parametrize("other", [{"commit": NEWER, "dirty": False}, {"commit": COMMIT, "dirty": True}])
def test_the_test_result_of_another_commit_is_found(signing, hold, seal, other):
    """Even if the job itself signs the whole again."""
    older, newer = signing.run(signing.job), signing.run(signing.job, git=other)
    (newer / "test-result.dsse.json").write_bytes((older / "test-result.dsse.json").read_bytes())
    seal(newer)
    signing.sign(newer, signing.job)
    answer = hold(newer, trust=signing.line(signing.job))
    assert answer.status == 3
    assert answer.codes & {"test-result-mismatch", "test-result-unexpected"}


def test_the_attestation_of_another_run_is_about_another_manifest(signing, signed, hold):
    newer = signing.sign(signing.run(signing.job, git={"commit": NEWER, "dirty": False}), signing.job)
    (newer / "attestation.dsse.json").write_bytes((signed / "attestation.dsse.json").read_bytes())
    answer = hold(newer, trust=signing.line(signing.job))
    assert answer.refused
    assert "attestation-subject" in answer.codes & answer.second_codes


def works(bench):
    bench.on("rig", "sandbox").criterion("S1.it", "failures(x) <= 0", samples=2, subjects=("memory",))
    return bench.measure("S1.it", "x", bench.hits(2))


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ([("start", {}), ("end", {"digest": digest(b"newer")})], "subject-changed"),
        ([("start", {}), ("end", {"identity": "memory-2"})], "subject-unseen"),
        ([("start", {})], "subject-gone"),
        ([("end", {})], "subject-unseen"),
        ([], "subject-unseen"),
    ],
)
def test_a_component_that_was_replaced_on_the_way_is_found(bench, seen, reason):
    works(bench)
    for when, said in seen:
        bench.seen("memory", when, **said)
    assert bench.verdict("S1.it") == ("invalid", reason)


@pytest.mark.parametrize("passes", [("pass",), ("pass", "pass"), ("pass", "pass", "pass")])
def test_passes_of_an_older_version_are_no_part_of_a_row(desk, make_bench, passes):
    bench = make_bench().criterion("S1.row", "failures(work) <= 0", samples=3, consecutive=3)
    tries = desk(bench.measure("S1.row", "work", bench.hits(3)))
    found = tries.other(*passes, subjects={"git": "gitCommit:older"}).own().judged("S1.row")
    assert (str(found.verdict), found.reason) == ("inconclusive", "row-short")


def test_passes_of_an_older_component_are_no_part_of_a_row_though_the_commit_is_the_same(desk, make_bench):
    bench = make_bench().criterion("S1.row", "failures(work) <= 0", samples=3, consecutive=3, subjects=("memory",))
    bench.on("rig", "sandbox").seen("memory").measure("S1.row", "work", bench.hits(3))
    found = desk(bench).other("pass", "pass", seen={"memory": digest(b"older")}).own().judged("S1.row")
    assert found.reason == "row-short"


@pytest.mark.sound
def test_the_commit_that_was_tested_is_the_one_expected(signing, hold):
    folder = signing.run(git={"commit": NEWER, "dirty": False})
    assert hold(folder, expect=f'format = 1\ncommit = "{NEWER}"\n').codes == set()


@pytest.mark.sound
def test_a_component_that_stayed_the_same_passes(bench):
    assert works(bench).seen("memory").verdict("S1.it") == ("pass", "")
