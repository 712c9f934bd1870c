"""A lesser thing in the place of a registered one."""

import pytest

from pytest_spiral.model.record import Challenge


def real(bench, **fields):
    bench.on("rig", "sandbox").criterion("S1.it", "failures(x) <= 0", samples=2, subjects=("memory",), **fields)
    return bench.measure("S1.it", "x", bench.hits(2))


@pytest.mark.parametrize(
    ("swap", "reason"),
    [
        (lambda run: run.seen("memory", challenge=None), "fidelity-below-registered"),
        (lambda run: run.seen("memory", challenge=run.challenge(found=[])), "fidelity-below-registered"),
        (lambda run: run.seen("memory", challenge=run.challenge(audited=[])), "fidelity-below-registered"),
        (lambda run: run.seen("memory", challenge=run.challenge(nonce="")), "fidelity-below-registered"),
        (
            lambda run: run.seen("memory", challenge=Challenge(kind="trust-me", nonce="n", answers={"real": True})),
            "fidelity-below-registered",
        ),
        (lambda run: run, "subject-unseen"),
        (lambda run: run.seen("memory", "end"), "subject-unseen"),
        (lambda run: run.seen("memory", "start"), "subject-gone"),
        (lambda run: run.seen("memory", "start").seen("memory", "end", digest="sha256:" + "1" * 64), "subject-changed"),
        (lambda run: run.seen("memory", "start").seen("memory", "end", identity="memory-2"), "subject-unseen"),
    ],
)
def test_a_stub_makes_its_criterion_invalid(bench, swap, reason):
    swap(real(bench))
    assert bench.verdict("S1.it") == ("invalid", reason)
    assert bench.decision() == "NOT-EVALUABLE"


@pytest.mark.sound
def test_the_real_one_passes(bench):
    assert real(bench).seen("memory").verdict("S1.it") == ("pass", "")


def test_a_target_that_only_says_that_it_is_live_is_a_condition_at_best(bench):
    bench.on("boaster", "live").criterion("S1.it", "failures(x) <= 0", samples=2, fidelity="live")
    bench.measure("S1.it", "x", bench.hits(2))
    assert bench.verdict("S1.it") == ("environment-limited", "fidelity")
