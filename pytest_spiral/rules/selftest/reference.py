"""A bar that uses every rule of the judge at least once, so that each of its checks can be seen to hold.

A plan proves the checks that it uses. This one proves the judge, whatever the plan at hand leaves out.
"""

from typing import Any, Final

from pytest_spiral.model.gate import Control, Criterion, Gate, Plan
from pytest_spiral.rules.limits import parse_limit


def _criterion(word: str, *limits: str, **fields: Any) -> Criterion:
    return Criterion(id=f"J1.{word}", limits=tuple(map(parse_limit, limits)), **fields)


REFERENCE: Final = Plan(
    gates=(
        Gate(
            id="J1",
            stage="",
            criteria=(
                _criterion(
                    "response-time",
                    "p80(response) <= 120 ms",
                    samples=100,
                    warm_up=5,
                    blocks=25,
                    confidence="0.95",
                    sampling="open-loop",
                ),
                _criterion("least", "p50(throughput) >= 50 MB", samples=60, confidence="0.9", warm_up=2),
                _criterion("rate", "rate(first-attempt) >= 90 %", samples=60, confidence="0.95"),
                _criterion("doubt", control=Control(of="J1.rate", fault="made-up.fault", verdict="inconclusive")),
                _criterion("refusals", "rate(refused) <= 10 %", samples=60, confidence="0.95"),
                _criterion("row", "rate(boot) >= 90 %", samples=29, confidence="0.95", consecutive=2),
                _criterion(
                    "pooled-row",
                    "rate(start) >= 90 %",
                    samples=20,
                    confidence="0.95",
                    consecutive=2,
                    combine="pooled",
                ),
                _criterion("luck", "rate(luck) >= 50 %", samples=60, confidence="0.95", sequential="90 %"),
                _criterion("hourly", "count-rate(glitches) <= 360 per h", exposure="40 s", confidence="0.95"),
                _criterion("mean", "mean(recall) >= 80 %", samples=80, confidence="0.95"),
                _criterion("waste", "mean(waste) <= 20 %", samples=80, confidence="0.95"),
                _criterion("plain", "rate(plain) >= 90 %", samples=20, confidence="none", confidence_reason="shown"),
                _criterion("failures", "failures(query) <= 2", samples=20),
                _criterion("control", control=Control(of="J1.failures", fault="made-up.fault")),
                _criterion("count", "count(dropouts) <= 1", exposure="20 s"),
                _criterion("clean-row", "count(gaps) <= 0", exposure="10 s", consecutive=3),
                _criterion("extremes", "max(offset) <= 45 ms", "min(offset) >= -125 ms", samples=12),
                _criterion("longest", "max(pause) <= 200 ms", samples=12),
                _criterion("elapsed", "duration(window) >= 48 h"),
                _criterion("equal", "equal(left, right)", samples=6),
                _criterion("all-found", "equal(sent, stored)", samples=6, census=True),
                _criterion("alike", "equivalence(grpc, rest) <= 5 ms", samples=30, confidence="0.95", warm_up=3),
                _criterion(
                    "growth",
                    "p80-regression(mixed, alone) <= 25 ms",
                    samples=60,
                    confidence="0.95",
                    sampling="open-loop",
                ),
                _criterion("size", "p50-regression(resident, before) <= 5 MB", samples=40, confidence="0.95"),
                _criterion("tests", "all-pass", samples=3),
                _criterion("needs", "failures(call) <= 0", samples=3, requires="memory >= 64 GiB and audio.playback"),
                _criterion(
                    "staging", "failures(step) <= 0", samples=3, fidelity="staging", subjects=("store", "stream")
                ),
                _criterion("charter", method="examine", document="charter.md", signer="owner@example.org"),
                _criterion(
                    "minutes",
                    method="examine",
                    document="minutes.md",
                    signer="chair",
                    fidelity="live",
                    level="advisory",
                ),
            ),
        ),
    )
)
"""One gate. Its plans are as small as its limits allow, so that all of it is tried in a fraction of a second."""
