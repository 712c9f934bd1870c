"""Verifying: steps 7, 9 and 10 of the checklist, and that taking anything away never raises what a bundle permits."""

import shutil

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_spiral.errors import UntrustedError, UseError
from pytest_spiral.model.evidence import Scope
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.rules.canonical import canonical_bytes
from pytest_spiral.run.gate_run import end_of, summary_bytes
from pytest_spiral.run.verify import judge_bundle, verify_bundle, what_if


@pytest.fixture
def sealed(session):
    """A sealed run that is a GO."""
    return session().run().seal()


def note(checked, step):
    """How a step came out, and what it notes."""
    found = checked.report.checked(step)
    return found.state, found.note


def finding(checked):
    """The one finding: its step, code and sentence."""
    (found,) = checked.report.findings
    return found.step, found.code, found.sentence


def test_a_sound_bundle_has_no_finding_and_every_step_says_what_it_did(sealed):
    checked = verify_bundle(sealed.folder)
    assert (checked.report.outcome, checked.report.findings) == ("sound", ())
    assert checked.judgement == sealed.judgement
    assert note(checked, 7) == ("held", "1 subjects challenged")
    assert note(checked, 9) == ("held", "")
    state, said = note(checked, 10)
    assert state == "held"
    assert said.startswith("1 of 1 controls failed as they must; selftest: ")
    assert (checked.status("go"), checked.status("conditional")) == (0, 0)


# 7 provenance


def test_a_false_subject_is_named_with_what_it_makes_invalid(session):
    checked = verify_bundle(session().run(found=()).seal().folder)
    assert note(checked, 7) == ("held", "1 subjects challenged, invalid for it: S1.works, S1.row")
    assert checked.status("conditional") == 1


def test_a_run_without_subjects_says_that_none_was_challenged(session):
    gates = 'format = 1\n[[gate]]\nid = "S1"\ntitle = "T"\nowner = "@o"\nno_control = "none"\n[[gate.criterion]]\n'
    begun = session(gates + 'id = "S1.works"\nlimit = "failures(work) <= 0"\nsamples = 1\n')
    begun.collect(test_work="works")
    with begun.test("test_work", "works") as recorder, recorder.measure("work") as m:
        m.hit()
    checked = verify_bundle(begun.seal().folder)
    assert note(checked, 7) == ("held", "no subject was challenged")
    state, said = note(checked, 10)
    assert state == "held"
    assert said.startswith("0 of 0 controls failed as they must; selftest: ")
    assert checked.status("go") == 0


# 9 verdicts


def with_criteria(judgement, change):
    return msgspec.structs.replace(judgement, criteria=change(judgement.criteria))


def better(criteria):
    return tuple(msgspec.structs.replace(one, verdict="pass", original="pass", reason="") for one in criteria)


def prettier(criteria):
    first, *rest = criteria
    return msgspec.structs.replace(first, sentence="all is well"), *rest


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (better, "found pass for S1.works, expected fail: that is what its samples give."),
        (prettier, "the figures of S1.works are not those that its samples give."),
        (lambda criteria: criteria[:-1], "it does not judge S1.control."),
        (lambda criteria: criteria[1:], "it does not judge S1.works."),
        (lambda criteria: (*criteria, criteria[0]), "it judges S1.works, which is not in scope, or judges it twice."),
        (lambda criteria: criteria[::-1], "its criteria are not in the plan's order."),
        (
            lambda criteria: (msgspec.structs.replace(criteria[0], id="S1.x\x1b[0m"), *criteria[1:]),
            "which is not in scope",
        ),
    ],
)
def test_a_summary_that_says_other_than_the_samples_is_found(session, resummarise, change, words):
    made = session().run(misses=1).seal()
    resummarise(made.folder, summary_bytes(with_criteria(made.judgement, change)))
    checked = verify_bundle(made.folder)
    step, code, sentence = finding(checked)
    assert (step, code) == (9, "summary-mismatch")
    assert words in sentence
    assert "\x1b" not in sentence
    assert note(checked, 9)[0] == "found"
    assert checked.status("conditional") == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.replace(b'"decision":"NO-GO"', b'"decision":"GO"'), "found GO, expected NO-GO"),
        (lambda data: data.replace(b'"permission":0', b'"permission":2'), "its bytes are not those"),
        (lambda data: data.replace(b'"signed":"none"', b'"signed":"recorder"'), "its bytes are not those"),
        (lambda data: b" " + data, "its bytes are not those"),
        (lambda data: data.replace(b'"watermark"', b'"watermarks"'), "unknown field `watermarks`"),
    ],
)
def test_a_summary_of_other_bytes_is_found(session, resummarise, change, words):
    made = session().run(misses=1).seal()
    before = summary_bytes(made.judgement)
    assert change(before) != before
    resummarise(made.folder, change(before))
    checked = verify_bundle(made.folder)
    assert checked.status("conditional") == 3
    assert any(words in one.sentence for one in checked.report.findings), checked.report.findings


def test_a_summary_that_cannot_be_read_is_missing(sealed, monkeypatch):
    from pytest_spiral.run import verify

    monkeypatch.setattr(verify, "SUMMARY", "no-such-file.json")
    checked = verify_bundle(sealed.folder)
    assert finding(checked) == (9, "summary-missing", "it cannot be read (No such file or directory).")


def test_a_plan_that_no_reader_takes_is_no_bar(session):
    begun = session()
    limit = begun.plan.gates[0].criteria[0].limits[0]
    softer = msgspec.structs.replace(limit, bound="3")
    criteria = (
        msgspec.structs.replace(begun.plan.gates[0].criteria[0], limits=(softer,)),
        *begun.plan.gates[0].criteria[1:],
    )
    plan = msgspec.structs.replace(begun.plan, gates=(msgspec.structs.replace(begun.plan.gates[0], criteria=criteria),))
    folder = session(plan=plan).run(misses=1).seal().folder
    checked = verify_bundle(folder)
    assert finding(checked)[:2] == (9, "plan-unjudgeable")
    assert "does not mean what its text says" in finding(checked)[2]
    assert (checked.judgement, checked.status("conditional")) == (None, 3)
    assert checked.as_json("go")["decision"] is None
    with pytest.raises(UntrustedError, match=r"plan\.json: S1\.works: the limit"):
        judge_bundle(folder)


# 10 controls


def test_a_control_that_did_not_fail_is_counted(session):
    checked = verify_bundle(session().run(finds_out=False).seal().folder)
    state, said = note(checked, 10)
    assert state == "held"
    assert said.startswith("0 of 1 controls failed as they must; selftest: ")
    assert checked.status("conditional") == 1


ANOTHER = """\
[[gate.criterion]]
id = "S1.another"
control = { of = "S1.works", fault = "s.other" }
"""


@pytest.mark.parametrize(
    ("more", "finds_out", "told"),
    [
        ("", True, "1 of 1 controls failed as they must; "),
        (ANOTHER, True, "1 of 1 controls failed as they must, 1 did not run; "),
        (ANOTHER, False, "0 of 1 controls failed as they must, 1 did not run; "),
        (
            ANOTHER.replace("control =", 'requires = "audio.playback"\ncontrol ='),
            True,
            "1 of 1 controls failed as they must, 1 did not run; ",
        ),
    ],
)
def test_a_control_that_did_not_run_is_told_apart(session, gates_text, more, finds_out, told):
    checked = verify_bundle(session(gates_text + more).run(finds_out=finds_out).seal().folder)
    state, said = note(checked, 10)
    assert (state, said.partition("selftest")[0]) == ("held", told)


# what is made of it


def test_a_partial_run_is_authentic_and_never_enough(session):
    made = session(scope=Scope(stages=("stage_x",), narrowed=("-k work",))).run().seal()
    checked = verify_bundle(made.folder)
    assert (checked.report.outcome, checked.status("conditional")) == ("sound", 1)
    told = checked.as_json("conditional")
    assert (told["partial"], told["decision"], told["status"]) == (True, None, 1)


def test_an_unsealed_run_is_judged_and_never_enough(session):
    begun = session().run()
    begun.writer.close(end_of("finished", 0, {}))
    checked = verify_bundle(begun.folder)
    assert (checked.report.outcome, checked.status("conditional")) == ("unsealed", 1)
    assert note(checked, 9)[0] == "not-checked"
    assert str(checked.judgement.decision) == "GO"


def test_judging_again_gives_the_same_bytes(sealed):
    evidence, judgement = judge_bundle(sealed.folder)
    assert evidence == sealed.evidence
    assert summary_bytes(judgement) == (sealed.folder / "summary.json").read_bytes()


def test_what_if_is_judged_by_other_limits_and_watermarked(session, tmp_path):
    made = session().run(misses=1).seal()
    limits = tmp_path / "softer.toml"
    text = GATES_SOFTER
    limits.write_text(text)
    judged = what_if(made.folder, limits)
    assert judged.watermark == "WHAT-IF: judged by softer.toml, not by the registered bar"
    assert {one.id: str(one.verdict) for one in judged.criteria}["S1.works"] == "pass"
    limits.write_text(text.replace("S1", "S9"))
    with pytest.raises(UseError, match="has none of the gates of this bundle: S1"):
        what_if(made.folder, limits)


GATES_SOFTER = """\
format = 1
[[gate]]
id = "S1"
title = "Work is done"
owner = "@s1"
no_control = "what if"
[[gate.criterion]]
id = "S1.works"
limit = "failures(work) <= 1"
samples = 3
"""


# Taking away: the chains, the sample files' digests and the manifest find every line and every file that is gone.


def permission(folder):
    """2 where a bundle is enough for a GO, 1 for a condition, 0 else."""
    checked = verify_bundle(folder)
    return 2 if checked.status("go") == 0 else 1 if checked.status("conditional") == 0 else 0


def pieces(folder):
    """Everything that can be taken away: (path, line), or (path, None) for a whole file."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        yield name, None
        if name.startswith(("journal/", "samples/")) or name == "inventory.json":
            yield from ((name, line) for line in range(path.read_bytes().count(b"\n")))


def take(folder, taken):
    """Take lines and files out of a bundle."""
    for name in {path for path, _ in taken}:
        gone = {line for path, line in taken if path == name}
        lines = (folder / name).read_bytes().splitlines(keepends=True)
        if None in gone:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(b"".join(line for at, line in enumerate(lines) if at not in gone))


def test_every_line_and_every_file_that_is_taken_away_is_found(sealed, tmp_path):
    assert permission(sealed.folder) == 2
    everything = list(pieces(sealed.folder))
    assert len(everything) > 50
    for number, piece in enumerate(everything):
        copy = shutil.copytree(sealed.folder, tmp_path / f"copy{number}" / sealed.folder.name)
        take(copy, [piece])
        assert permission(copy) == 0, piece
        shutil.rmtree(copy.parent)


@pytest.mark.parametrize(
    "flaw", [{"misses": 1}, {"runs": ("good", "good", "bad")}, {"found": ()}, {"finds_out": False}], ids=str
)
@given(data=st.data())
@settings(deadline=None, max_examples=8, suppress_health_check=list(HealthCheck))
def test_no_subset_of_a_bundle_permits_more_than_the_whole(session, tmp_path_factory, flaw, data):
    made = session().run(**flaw).seal()
    assert permission(made.folder) == 0
    everything = list(pieces(made.folder))
    copy = shutil.copytree(made.folder, tmp_path_factory.mktemp("subset") / made.folder.name)
    take(copy, data.draw(st.sets(st.sampled_from(everything), min_size=1, max_size=12)))
    assert permission(copy) == 0


def test_a_run_block_whose_every_trace_is_taken_out_is_found(session):
    """What the judge cannot see: without the third run the row would pass."""
    made = session().run(runs=("good", "good", "bad")).seal()
    journal = made.folder / "journal" / "main.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    file = max((made.folder / "samples" / "S1.row").iterdir(), key=lambda path: int(path.stem.partition("-")[2]))
    bad = [line for line in lines if file.name.encode() in line]
    run = msgspec.json.decode(bad[0])["body"]["run"].encode()
    journal.write_bytes(b"".join(line for line in lines if line not in bad and b'"' + run + b'"' not in line))
    file.unlink()
    assert permission(made.folder) == 0
    assert verify_bundle(made.folder).report.outcome == "untrusted"


def test_the_summary_of_a_better_run_does_not_fit(session, resummarise):
    good, bad = session().run().seal(), session().run(misses=1).seal()
    said = msgspec.json.decode((good.folder / "summary.json").read_bytes(), type=Judgement)
    resummarise(bad.folder, canonical_bytes(msgspec.structs.replace(said, run=bad.folder.name)) + b"\n")
    assert finding(verify_bundle(bad.folder))[:2] == (9, "summary-mismatch")
