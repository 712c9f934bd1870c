"""Judging where it ran: requirements, observed fidelity, and subjects that are what they were registered as."""

import pytest

from pytest_spiral.model.record import Challenge
from pytest_spiral.rules.fidelity import CHALLENGES, observed_fidelity, shortfall
from pytest_spiral.rules.judge import judge

NOT_RUN, INVALID, FAIL, PASS, LIMITED = "not-run", "invalid", "fail", "pass", "environment-limited"


def works(bench, **fields):
    """A criterion that wants two clean pieces of work."""
    return bench.criterion("S1.works", "failures(work) <= 0", samples=2, **fields)


def kept_back(bench, *needs, test="test_it"):
    """The test was kept from running, for those needs."""
    return bench.ran(test, "S1.works", raised="limited", needs=needs)


# requirements


@pytest.mark.parametrize(
    ("requires", "cause"),
    [("audio.playback", "hardware"), ("memory >= 64 GiB", "hardware"), ("tool.sox", "environment")],
)
def test_what_a_criterion_declared_and_lacks_here_is_a_condition(bench, requires, cause):
    works(bench, requires=requires).fact("audio.playback", state="absent").fact("memory", 2**30, "B")
    bench.facts.append(
        type(bench.facts[0])(name="tool.sox", state="absent", kind="environment", evidence="no", command="which sox")
    )
    kept_back(bench, requires)
    found = bench.judged("S1.works")
    assert (found.verdict, found.original, found.reason) == (LIMITED, LIMITED, "requirement")
    assert (found.requirement, found.cause, found.ran) == (requires, cause, True)


def test_a_marker_on_the_test_declares_a_need_too(bench):
    works(bench).fact("audio.playback", state="absent")
    assert kept_back(bench, "audio.playback").verdict("S1.works") == (LIMITED, "requirement")


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("unknown", (NOT_RUN, "requirement-unknown")),
        (None, (NOT_RUN, "requirement-unknown")),
        ("present", (INVALID, "limited-without-need")),
        ("absent", (LIMITED, "requirement")),
    ],
)
def test_a_requirement_that_cannot_be_evaluated_fails_closed(bench, state, found):
    works(bench, requires="audio.playback")
    if state is not None:
        bench.fact("audio.playback", True if state == "present" else None, state=state)
    assert kept_back(bench, "audio.playback").verdict("S1.works") == found


def test_an_unmet_need_decides_before_an_unknown_one(bench):
    works(bench, requires="audio.playback").fact("audio.playback", state="absent")
    assert kept_back(bench, "tool.sox", "audio.playback").verdict("S1.works") == (LIMITED, "requirement")


def test_a_requirement_that_cannot_be_read_is_invalid(bench):
    works(bench, requires="audio.playback >=")
    assert kept_back(bench, "audio.playback >=").verdict("S1.works") == (INVALID, "requirement-unreadable")


def test_anothers_requirement_is_no_condition_of_this_criterion(bench):
    works(bench).criterion("S1.other", "failures(other) <= 0", samples=2, requires="audio.playback")
    bench.fact("audio.playback", state="absent")
    bench.ran("test_it", "S1.works", "S1.other", raised="limited", needs=("audio.playback",))
    assert bench.verdict("S1.other") == (LIMITED, "requirement")
    assert bench.verdict("S1.works") == (NOT_RUN, "kept-back")


def test_a_test_that_was_kept_back_without_any_need_is_invalid(bench):
    assert kept_back(works(bench)).verdict("S1.works") == (INVALID, "limited-without-need")


def test_a_fail_is_not_softened_by_a_test_that_was_kept_back(bench):
    works(bench, requires="audio.playback").fact("audio.playback", state="absent")
    bench.measure("S1.works", "work", bench.hits(1, 1))
    assert kept_back(bench, "audio.playback", test="test_b").verdict("S1.works")[0] == FAIL


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("present", (PASS, "")),
        ("absent", (LIMITED, "requirement")),
        ("unknown", (NOT_RUN, "requirement-unknown")),
    ],
)
def test_a_pass_where_the_requirement_does_not_hold_proves_nothing(bench, state, found):
    works(bench, requires="audio.playback").fact("audio.playback", True if state == "present" else None, state=state)
    bench.measure("S1.works", "work", bench.hits(2))
    assert bench.verdict("S1.works") == found
    assert bench.judged("S1.works").original == found[0]


def test_a_fail_where_the_requirement_does_not_hold_stays_a_fail(bench):
    works(bench, requires="audio.playback").fact("audio.playback", state="absent")
    bench.measure("S1.works", "work", bench.hits(1, 1))
    assert bench.verdict("S1.works") == (FAIL, "fail")


def test_the_target_can_state_what_is_required(bench):
    works(bench, requires="clock.trusted").on("live", "live", **{"clock.trusted": True})
    bench.measure("S1.works", "work", bench.hits(2))
    assert bench.verdict("S1.works") == (PASS, "")


@pytest.mark.parametrize(
    ("ends", "state", "found"),
    [
        (("", "limited"), "absent", (LIMITED, "requirement")),
        (("limited", "limited"), "absent", (LIMITED, "requirement")),
        (("", "limited"), "unknown", (NOT_RUN, "requirement-unknown")),
        (("", "limited"), "present", (INVALID, "limited-without-need")),
        (("limited",), "absent", (NOT_RUN, "missing-part")),
        (("assertion", "limited"), "absent", (FAIL, "test-failed")),
        (("skip", "limited"), "absent", (NOT_RUN, "skipped")),
        (("", "", "limited"), "absent", (INVALID, "more-than-planned")),
    ],
)
def test_a_bound_test_that_was_kept_back_is_a_condition_of_the_whole(bench, ends, state, found):
    bench.criterion("S1.works", "all-pass", samples=2)
    bench.fact("audio.playback", True if state == "present" else None, state=state)
    for number, raised in enumerate(ends):
        needs = ("audio.playback",) if raised == "limited" else ()
        bench.ran(f"test_{number}", "S1.works", raised=raised, needs=needs)
    assert bench.verdict("S1.works") == found
    if found[0] == LIMITED:
        assert bench.judged("S1.works").requirement == "audio.playback"


@pytest.mark.parametrize("other", [None, "skip", "unreached"])
def test_a_test_that_was_kept_back_is_no_excuse_for_another(bench, other):
    works(bench, requires="audio.playback").fact("audio.playback", state="absent")
    kept_back(bench, "audio.playback")
    if other == "unreached":
        bench.collect("test_b", "S1.works")
    else:
        bench.ran("test_b", "S1.works", raised=other or "")
    reason = {None: "not-delivered", "skip": "skipped", "unreached": "not-reached"}[other]
    assert bench.verdict("S1.works") == (NOT_RUN, reason)


# fidelity


@pytest.mark.parametrize(
    ("target", "wanted", "found"),
    [
        ("sandbox", "sandbox", (PASS, "")),
        ("live", "staging", (PASS, "")),
        ("sandbox", "staging", (LIMITED, "fidelity")),
        ("staging", "live", (LIMITED, "fidelity")),
        ("sandbox", None, (PASS, "")),
    ],
)
def test_a_pass_below_the_fidelity_asked_for_is_a_condition(bench, target, wanted, found):
    works(bench, fidelity=wanted, subjects=("memory",)).on("target", target).seen("memory")
    bench.measure("S1.works", "work", bench.hits(2))
    assert bench.verdict("S1.works") == found
    shown = bench.judged("S1.works")
    assert (shown.original, shown.fidelity) == (PASS, wanted or "")
    if found[0] == LIMITED:
        assert (shown.cause, shown.sentence) == ("environment", f"pass on target, needs {wanted}")


def test_a_fail_below_the_fidelity_asked_for_stays_a_fail(bench):
    works(bench, fidelity="live", subjects=("memory",)).on("sandbox", "sandbox").seen("memory")
    bench.measure("S1.works", "work", bench.hits(1, 1))
    assert bench.verdict("S1.works") == (FAIL, "fail")


@pytest.mark.parametrize(("wanted", "found"), [("simulated", PASS), ("sandbox", LIMITED), ("live", LIMITED)])
def test_what_is_only_declared_counts_as_simulated_at_most(bench, wanted, found):
    works(bench, fidelity=wanted).on("rack", "live").measure("S1.works", "work", bench.hits(2))
    assert bench.judged("S1.works").verdict == found
    if found == LIMITED:
        assert bench.judged("S1.works").sentence == f"pass on rack, needs {wanted}, which nothing shows rack to be"


def test_no_target_has_no_fidelity(bench):
    works(bench, fidelity="stub").measure("S1.works", "work", bench.hits(2))
    assert bench.verdict("S1.works") == (LIMITED, "fidelity")
    assert bench.judged("S1.works").sentence == "pass on no target, needs stub"


# subjects


def subject(bench):
    """A criterion about the memory of a sandbox, that passes where the subject is sound."""
    works(bench, subjects=("memory",)).on("sandbox", "sandbox")
    return bench.measure("S1.works", "work", bench.hits(2))


def test_a_subject_that_was_seen_and_met_its_challenge_is_sound(bench):
    assert subject(bench).seen("memory").verdict("S1.works") == (PASS, "")


def test_a_subject_that_was_never_seen_is_invalid(bench):
    assert subject(bench).verdict("S1.works") == (INVALID, "subject-unseen")
    bench.seen("sonic")
    assert bench.verdict("S1.works") == (INVALID, "subject-unseen")


def test_a_subject_that_only_a_control_saw_was_never_seen(bench):
    assert subject(bench).seen("memory", control="S1.control").verdict("S1.works") == (INVALID, "subject-unseen")


def test_a_subject_that_was_seen_at_the_end_only_is_invalid(bench):
    assert subject(bench).seen("memory", "end").verdict("S1.works") == (INVALID, "subject-unseen")
    bench.seen("memory", "start", identity="memory-2")
    assert bench.verdict("S1.works") == (INVALID, "subject-unseen")


def test_a_subject_that_is_no_more_is_invalid(bench):
    assert subject(bench).seen("memory", "start").verdict("S1.works") == (INVALID, "subject-gone")


@pytest.mark.parametrize(
    ("why", "reason"), [("lost", "target-lost"), ("crash", "crashed"), ("interrupted", "interrupted")]
)
def test_a_subject_that_is_no_more_for_a_known_cause_leaves_it_not_run(bench, why, reason):
    subject(bench).seen("memory", "start")
    if why == "lost":
        bench.lost("memory")
    elif why == "crash":
        bench.crash()
    else:
        bench.status = "interrupted"
    assert bench.verdict("S1.works") == (NOT_RUN, reason)


def test_a_subject_that_was_lost_is_lost_though_it_came_back(bench):
    assert subject(bench).seen("memory").lost("memory").verdict("S1.works") == (NOT_RUN, "target-lost")


def test_anothers_loss_is_not_this_subjects(bench):
    assert subject(bench).seen("memory").lost("sonic").verdict("S1.works") == (PASS, "")


def test_a_subject_that_changed_is_invalid(bench):
    subject(bench).seen("memory", "start").seen("memory", "end", digest="sha256:" + "0" * 64)
    assert bench.verdict("S1.works") == (INVALID, "subject-changed")


def test_tests_bound_by_outcome_want_their_subject_too(bench):
    bench.criterion("S1.works", "all-pass", samples=1, subjects=("memory",)).on("sandbox", "sandbox")
    bench.ran("test_it", "S1.works")
    assert bench.verdict("S1.works") == (INVALID, "subject-unseen")
    assert bench.seen("memory").verdict("S1.works") == (PASS, "")


def test_two_processes_may_each_have_their_own_subject(bench):
    subject(bench).seen("memory").seen("memory", identity="memory-2")
    assert bench.verdict("S1.works") == (PASS, "")


@pytest.mark.parametrize(
    ("challenge", "words"),
    [
        (None, "memory is undeclared, not sandbox: it was not challenged"),
        ({"found": []}, "memory is stub, not sandbox: the item with the nonce was not found by search"),
        ({"audited": []}, "memory is stub, not sandbox: the item with the nonce is not in the audit log"),
    ],
)
def test_a_subject_below_its_registered_fidelity_is_invalid(bench, challenge, words):
    answer = challenge if challenge is None else bench.challenge(**challenge)
    subject(bench).seen("memory", challenge=answer)
    assert bench.verdict("S1.works") == (INVALID, "fidelity-below-registered")
    assert bench.judged("S1.works").sentence == words


def test_a_false_subject_does_not_soften_a_fail(bench):
    works(bench, subjects=("memory",)).on("sandbox", "sandbox").measure("S1.works", "work", bench.hits(1, 1))
    assert bench.verdict("S1.works") == (FAIL, "fail")


def test_a_test_that_was_skipped_says_nothing_of_its_subject(bench):
    works(bench, subjects=("memory",)).ran("test_it", "S1.works", raised="skip")
    assert bench.verdict("S1.works") == (NOT_RUN, "skipped")


# challenges


@pytest.mark.parametrize(
    ("kind", "nonce", "answers", "words"),
    [
        ("nonce-item", "n0", {"item": "it-n0", "found": ["text n0"], "audited": ["it-n0"]}, ""),
        ("nonce-item", "", {"item": "it", "found": ["text"], "audited": ["it"]}, "nothing was asked"),
        ("nonce-item", "n0", {"item": "it-n0", "found": ["text n1"], "audited": ["it-n0"]}, "not found by search"),
        ("nonce-item", "n0", {"item": "it-n1", "found": ["n0"], "audited": ["it-n1"]}, "not in the audit log"),
        ("nonce-item", "n0", {"item": 5, "found": ["n0"], "audited": [5]}, "not in the audit log"),
        ("nonce-item", "n0", {"found": 5}, "cannot be read"),
        ("nonce-item", "n0", {}, "not found by search"),
        ("frame-pace", "", {"readings": [[0, 0], [24000, 5 * 10**8]], "rate": 48000, "period": 480}, ""),
        ("frame-pace", "", {"readings": [[0, 0], [12000, 5 * 10**8]], "rate": 48000, "period": 480}, "keep the pace"),
        ("frame-pace", "", {"readings": [[0, 0], [0, 5 * 10**8]], "rate": 48000, "period": 480}, "stands still"),
        ("frame-pace", "", {"readings": [[0, 0], [480, 10**7]], "rate": 48000, "period": 480}, "too close"),
        ("frame-pace", "", {"readings": [[0, 0], [24000, 5 * 10**8]], "rate": 48000, "period": 48000}, "too long"),
        ("frame-pace", "", {"readings": [[0, 0]], "rate": 48000, "period": 480}, "no two readings"),
        ("frame-pace", "", {"readings": [[0], [1]], "rate": 48000, "period": 480}, "cannot be read"),
        ("run-certificate", "", {"services": {"api": "ca"}, "authority": "ca"}, ""),
        ("run-certificate", "", {"services": {"api": "other"}, "authority": "ca"}, "not a certificate"),
        ("run-certificate", "", {"services": {}, "authority": "ca"}, "no service"),
        ("run-certificate", "", {"services": ["api"], "authority": "ca"}, "cannot be read"),
        ("boot-nonce", "ab12", {"started": {"crown": 7}, "written": {"crown": '{"nonce":"ab12","pid":7}'}}, ""),
        ("boot-nonce", "", {"started": {"crown": 7}, "written": {"crown": '{"nonce":"","pid":7}'}}, "foreseen"),
        ("boot-nonce", "ab12", {"started": {"crown": 7}, "written": {"crown": '{"nonce":"cd34","pid":7}'}}, "of crown"),
        ("boot-nonce", "ab12", {"started": {"crown": 7}, "written": {"crown": '{"nonce":"ab12","pid":8}'}}, "of crown"),
        (
            "boot-nonce",
            "ab12",
            {"started": {"crown": 7}, "written": {"crown": '{"nonce":"ab12","pid":77}'}},
            "of crown",
        ),
        ("boot-nonce", "ab12", {"started": {"crown": 7}, "written": {"crown": "7\nno JSON\n[7]"}}, "of crown"),
        ("boot-nonce", "ab12", {"started": {"crown": 7}, "written": {}}, "not in the log of crown"),
        ("boot-nonce", "ab12", {"started": {"a": 7, "b": 7}, "written": {}}, "are one process"),
        ("boot-nonce", "ab12", {"started": {}, "written": {}}, "started no component"),
        ("boot-nonce", "ab12", {"started": 3}, "cannot be read"),
        ("nonce-session", "n0", {"said": "n0!", "logged": {"request": ["n0"], "answer": ["n0"]}}, ""),
        ("nonce-session", "", {"said": "n0!", "logged": {"request": ["n0"], "answer": ["n0"]}}, "nothing was asked"),
        ("nonce-session", "n0", {"said": "hm", "logged": {"request": ["n0"], "answer": ["n0"]}}, "does not hold"),
        ("nonce-session", "n0", {"said": "n0", "logged": {"request": [], "answer": ["n0"]}}, "no request with"),
        ("nonce-session", "n0", {"said": "n0", "logged": {"request": ["n0"], "answer": ["n1"]}}, "no answer with"),
        ("nonce-session", "n0", {"said": "n0", "logged": {}}, "no request and no answer"),
        ("nonce-session", "n0", {"said": "n0", "logged": ["n0"]}, "cannot be read"),
        ("say-yes", "n0", {"yes": True}, "no rule reads"),
    ],
)
def test_a_challenge_is_met_by_what_a_lesser_thing_cannot_answer(bench, kind, nonce, answers, words):
    challenge = Challenge(kind=kind, nonce=nonce, answers=answers)
    found = shortfall(challenge)
    assert found == "" if words == "" else words in found
    seen = bench.on("sandbox", "sandbox").seen("it", challenge=challenge).records["subjects"][0]
    assert observed_fidelity(seen) == ("sandbox" if words == "" else "stub")


@pytest.mark.parametrize(
    ("answers", "level"),
    [({"traces": {"rest": "sha256:0"}}, "recorded"), ({}, "undeclared"), ({"traces": {}}, "undeclared")],
)
@pytest.mark.parametrize("registered", ["live", "recorded"])
def test_a_recording_is_recorded_whatever_it_is_registered_as(bench, answers, level, registered):
    challenge = Challenge(kind="recorded", nonce="n", answers=answers)
    seen = bench.on("sandbox", registered).seen("it", challenge=challenge).records["subjects"][0]
    assert observed_fidelity(seen) == level


def test_every_challenge_has_an_answer_that_does_not_meet_it():
    assert all(shortfall(Challenge(kind=kind, nonce="n", answers={})) for kind in CHALLENGES)


# assurance


@pytest.mark.parametrize("level", ["E0", "E1", "E2", "E3"])
@pytest.mark.parametrize("wanted", [None, "E1", "E2"])
def test_a_pass_below_the_level_asked_for_is_a_condition_and_owed(bench, level, wanted):
    works(bench, assurance=wanted).measure("S1.works", "work", bench.hits(2))
    judged = judge(bench.evidence(), level=level)
    (shown,) = judged.criteria
    if wanted is None or level >= wanted:
        assert (shown.verdict, shown.reason, str(judged.decision), judged.debts) == (PASS, "", "GO", ())
        return
    assert (shown.verdict, shown.original, shown.reason) == (LIMITED, PASS, "assurance")
    assert (shown.cause, shown.sentence) == ("environment", f"pass at {level}, needs assurance {wanted}")
    assert str(judged.decision) == "CONDITIONAL GO"
    assert [(one.criterion, one.requirement) for one in judged.debts] == [("S1.works", f"assurance {wanted}")]


def test_without_a_level_nobody_vouches(bench):
    works(bench, assurance="E1").measure("S1.works", "work", bench.hits(2))
    assert bench.verdict("S1.works") == (LIMITED, "assurance")


@pytest.mark.parametrize("level", ["E0", "E2"])
def test_no_level_makes_a_fail_better(bench, level):
    works(bench, assurance="E2").measure("S1.works", "work", bench.hits(1, 1))
    judged = judge(bench.evidence(), level=level)
    assert (judged.criteria[0].verdict, str(judged.decision)) == (FAIL, "NO-GO")


def test_a_pass_on_a_lesser_target_lacks_that_first(bench):
    works(bench, assurance="E2", fidelity="live", subjects=("memory",)).on("sandbox", "sandbox").seen("memory")
    bench.measure("S1.works", "work", bench.hits(2))
    assert judge(bench.evidence(), level="E2").criteria[0].reason == "fidelity"
