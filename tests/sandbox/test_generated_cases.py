"""Equal services stay equal whatever they are asked: drawn requests, good and bad, over both transports of each service.

SPIRAL_CASES says how many are drawn; by default a few hundred.
"""

import os
import time
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Request
from pytest_spiral.rules.parity import compare_exchanges, terms_of
from pytest_spiral.transports import open_transport
from pytest_spiral.transports.base import AnsweredError
from pytest_spiral.transports.cases import draw_case, drawn_operations
from pytest_spiral.transports.shapes import shape_of
from pytest_spiral.transports.wrap import Recording
from spiral_sandbox.connectors.service import SERVICES
from spiral_sandbox.target import start

KINDS = ("rest", "grpc")
CONNECTOR = ("health", "handshake", "heartbeat")
OPERATOR = ("dispatch_command", "memory_query", "handover", "upload")
ASKED = [("operator", name) for name in OPERATOR] + [("memory", "vector_search")]
ASKED += [(service, name) for service in SERVICES for name in CONNECTOR]
EACH = -(-int(os.environ.get("SPIRAL_CASES", "420")) // len(ASKED))
CONTEXT = "stage-b-rehearsal"
# Who may upload is asked before the first of the files is read, and so before its name.
REFUSED = {Code.INVALID_ARGUMENT, Code.RESOURCE_EXHAUSTED, Code.PERMISSION_DENIED}

drawing = settings(max_examples=EACH, derandomize=True, database=None)


class Service:
    """One service over both transports, its credential, what it knows, and what calls have changed."""

    def __init__(self, component, prefix="", holder=None, known=None, counted=dict):
        self.known = known or {}
        self.counted = counted
        token = component.ask("credential", **holder)["token"] if holder else ""
        self._metadata = {"authorization": f"Bearer {token}"} if token else {}
        self._transports = {
            kind: Recording(
                open_transport(kind, component.endpoints[prefix + kind]), lambda _: None, time.monotonic_ns, str
            )
            for kind in KINDS
        }

    def exchange(self, kind, operation, payload):
        """The exchange of one call, good or bad, and what it has changed."""
        before = self.counted()
        request = Request(operation=operation, payload=payload, metadata=self._metadata, deadline_s=20.0)
        made = self._transports[kind].traced(request)
        return made, {name: count - before[name] for name, count in self.counted().items()}

    def compared(self, case):
        """What parity says of a case, and the code of each side."""
        (rest, changed), (grpc, other) = (self.exchange(kind, case.operation, case.payload) for kind in KINDS)
        terms = terms_of(case.operation, shape_of(case.operation))
        codes = tuple(one.reply.code if one.reply else one.error for one in (rest, grpc))
        return compare_exchanges(rest, grpc, terms, effects=(changed, other)), codes, (changed, other)

    def close(self):
        for transport in self._transports.values():
            transport.close()


def stored(operator):
    files = operator.ask("uploads")
    done = operator.ask("commands", limit=0)["total"]
    return {"commands": done, "files": len(files["files"]), "incoming": files["incoming"]}


def beats(connectors):
    return {"heartbeats": connectors.ask("heartbeat.log", limit=0)["total"]}


def services(sandbox):
    """Every service of a sandbox by its name."""
    operator, memory, connectors = map(sandbox.component, ("operator", "memory", "connectors"))
    memory.ask("configure", items=50)
    made = {
        "operator": Service(
            operator, holder={"operator": "overseer"}, counted=partial(stored, operator),
            known={"component": ("memory", "tea")},
        ),
        "memory": Service(memory),
    }  # fmt: skip
    for name in SERVICES:
        made[name] = Service(
            connectors, f"{name}.", {"service": name}, {"service": (name,)}, partial(beats, connectors)
        )
        rotation = {"rotation_window": "PT48H"}
        identity = {"connector_id": name, "version": "1", "instance": "1"}
        hello = {"identity": identity, "supported_contexts": [{"name": CONTEXT}], "rotation": rotation}
        granted, _ = made[name].exchange("rest", "handshake", hello)
        expiry = granted.reply.payload["session"]["credential_expiry"]
        known = {"connector_id": (name,), "context": (CONTEXT,), "name": (CONTEXT,), "credential_expiry": (expiry,)}
        made[name].known = {**made[name].known, **known}
    return made


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    sandbox = start((), 1, tmp_path_factory.mktemp("generated"))
    try:
        made = services(sandbox)
        made["memory"].exchange("rest", "vector_init", {})
        yield made
        for service in made.values():
            service.close()
    finally:
        sandbox.stop()


def test_every_operation_that_can_be_drawn_is_asked():
    assert {name for _, name in ASKED} == set(drawn_operations())


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("service", "operation"), ASKED)
def test_equal_services_give_no_false_alarm(running, tally, service, operation):
    """And a case that was spoilt is refused by both, with nothing stored; a good one is at times carried out."""
    asked = running[service]
    codes_of_good = set()

    @drawing
    @given(st.randoms(use_true_random=False))
    def check(chance):
        check.drawn += 1
        case = draw_case(chance, operation, asked.known)
        comparison, codes, changed = asked.compared(case)
        assert comparison.outcome == "equal", (case, codes, comparison.differences, comparison.refusals)
        if case.flaw:
            assert set(codes) <= REFUSED, (case, codes)
        else:
            codes_of_good.update(codes)
        if codes[0] is not Code.OK:
            assert not any(count for one in changed for count in one.values()), (case, changed)

    check.drawn = 0
    check()
    assert Code.OK in codes_of_good
    assert Code.INTERNAL not in codes_of_good
    tally(0, check.drawn, "generated cases in which equal services differ")


# Controls


def test_a_field_of_another_name_is_found_and_made_small(tmp_path):
    sandbox = start(("operator.parity-broken-field",), 1, tmp_path)
    try:
        asked = services(sandbox)["operator"]
        found = []

        @settings(drawing, max_examples=50)
        @given(st.randoms(use_true_random=False))
        def check(chance):
            case = draw_case(chance, "dispatch_command", asked.known)
            comparison, _, _ = asked.compared(case)
            if comparison.outcome == "different":
                found.append((case, [one.pointer for one in comparison.differences]))
            assert comparison.outcome == "equal"

        with pytest.raises(AssertionError):
            check()
        case, differences = found[-1]
        assert (case.flaw, len(case.payload["command"])) == ("", 1)
        assert differences[0].startswith("/payload/result")
        asked.close()
    finally:
        sandbox.stop()


def test_an_operation_that_only_one_side_has_is_no_answer(running):
    with pytest.raises(ExchangeError) as unknown:
        running["memory"]._transports["grpc"].exchange(Request(operation="vector_items"))
    assert not isinstance(unknown.value, AnsweredError)
