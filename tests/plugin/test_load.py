"""A mixed load against the operator surface: no slower than REST alone, and one that is held back is found out."""

import json

import pytest

from pytest_spiral.errors import ExchangeError, MeasurementError
from pytest_spiral.model.exchange import Code, Reply, Request
from pytest_spiral.run.load import compare_load
from pytest_spiral.transports.memory import MemoryTransport

# A bar as wide as this is about the helper, and not about how busy the machine is.
WIDE = "2 s"
SUITE = """
import pytest
from pytest_spiral.model.exchange import Request

@pytest.mark.criterion("S1.load")
def test_load(spiral):
    operator = spiral.target.operator
    token = operator.ask("credential", operator="overseer")["token"]

    def request(number):
        return Request(
            operation="memory_query", payload={"query": f"light {number}"}, deadline_s=20.0,
            metadata={"authorization": f"Bearer {token}"},
        )

    load = spiral.compare_load("operator", request, "mixed", calls=300, every_ms=4, margin=WIDE, blocks=6)
    with spiral.measure("load") as m:
        m.check(load.verdict == "pass", f"{load.verdict} {load.reason}")
    with spiral.measure("mixed-failures") as m:
        m.check(None not in load.candidate.times, "a call failed")
"""


@pytest.mark.timeout(120)
def test_a_mixed_load_is_recorded_and_judged_again(lab):
    lab.gates(
        'load\nlimit = ["failures(load) <= 0", "failures(mixed-failures) <= 0"]\nsamples = 1\nsubjects = ["operator"]'
    )
    lab.test(SUITE.replace("WIDE", repr(WIDE)))
    ran = lab.run("--spiral-target=sandbox")
    (document,) = ran.bundle.glob("traces/operator/rest_grpc_diff.json")
    (load,) = json.loads(document.read_text())["load"]
    assert load["candidate"]["ways"] == {"fallback": 100, "grpc": 100, "rest": 100}
    assert (load["baseline"]["ways"], len(load["baseline"]["times"])) == ({"rest": 300}, 300)
    assert (load["verdict"], load["same"]) == ("pass", "pass"), load
    assert ran.checked.report.checked(9).state == "held"


def answering(slow_ns=0, fails=False):
    """A side in this process that is busy for so long."""
    from threading import Event

    def handle(request):
        if slow_ns:
            Event().wait(slow_ns / 1e9)
        if fails:
            raise ExchangeError(Code.UNAVAILABLE, "no")
        return Reply(code=Code.OK, payload={"n": 1})

    return MemoryTransport(handle)


def ask(_):
    return Request(operation="health")


def test_a_way_that_is_held_back_by_more_than_twice_the_margin_never_passes():
    ways = {"rest": answering(), "grpc": answering(slow_ns=60_000_000)}
    load = compare_load(ways, ask, item="held back", calls=400, every_ms=1, margin="25 ms", blocks=4, workers=64)
    assert load.verdict in ("fail", "inconclusive")  # on a busy machine the baseline is too unsteady to tell


def test_calls_that_fail_are_infinitely_slow():
    load = compare_load(
        {"rest": answering(), "grpc": answering(fails=True)}, ask, item="failing", calls=200, every_ms=0.5, margin="9 s"
    )
    assert load.verdict == "fail"
    assert load.candidate.times.count(None) == 100


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"calls": 20_000}, "is no load that is run here"),
        ({"calls": 10, "blocks": 2}, "is no load that is run here"),
        ({"calls": 10, "blocks": 4, "workers": 1000}, "is no load that is run here"),
        ({"calls": 10, "blocks": 4, "every_ms": 0}, "are no schedule"),
        ({"calls": 10, "blocks": 4, "margin": "5"}, "cannot be|give a margin"),
        ({"calls": 10, "blocks": 4, "quantile": "2"}, "cannot be"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(plan, said):
    with pytest.raises(MeasurementError, match=said):
        compare_load({"rest": answering()}, ask, item="x", **{"every_ms": 1, "margin": "5 ms", **plan})


def test_a_load_needs_rest_to_be_compared_with():
    with pytest.raises(MeasurementError, match="no way is called 'rest'"):
        compare_load({"grpc": answering()}, ask, item="x", calls=10, every_ms=1, margin="5 ms", blocks=4)
