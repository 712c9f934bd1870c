"""E1: every connector answers over REST as over gRPC, and the beta kickoff stays shut while one does not."""

import base64
import random
import uuid
from dataclasses import dataclass

import msgspec
import pytest

from pytest_spiral.errors import NotOfferedError
from pytest_spiral.model.exchange import Code, Request
from pytest_spiral.rules.kickoff import EXPECTED, judge_kickoff
from pytest_spiral.transports.cases import draw_case, drawn_operations

KINDS = ("rest", "grpc")
GENERATED = {"operator": 15, "memory": 20}
"""Cases of each operation that are drawn for a service."""
GENERATED_CONNECTOR = 4
PAIRS = 40
MARGIN = "25 ms"
"""What the two one-sided tests in the bundle are made with; the bar itself stands in gates.toml."""

SILENT = 2
"""After so many calls in a row that one side did not answer, nothing more is asked of it."""


@dataclass(frozen=True)
class Ask:
    """One question to the operator surface or the memory, and the code that both transports have to answer with."""

    name: str
    operation: str
    payload: dict
    expected: Code | None = None
    holder: str | None = "overseer"


def command(text, operator="overseer", agent="crown"):
    """A command's payload."""
    return {"operator": operator, "agent": agent, "command": text}


def upload(name, data=b"alpha", operator="overseer"):
    """An upload's payload with one file."""
    file = {"name": name, "content": base64.b64encode(data).decode()}
    return {"operator": operator, "metadata": {"run": 7}, "files": [file]}


OPERATOR = (
    Ask("command", "dispatch_command", command("light the lamps"), Code.OK),
    Ask("command in other letters", "dispatch_command", command("e\u0301clair \u00e9 \U0001f300"), Code.OK),
    Ask("no such agent", "dispatch_command", command("x", agent="nobody"), Code.PERMISSION_DENIED),
    Ask("another's name", "dispatch_command", command("x", operator="auditor"), Code.PERMISSION_DENIED),
    Ask("blank command", "dispatch_command", command(" "), Code.INVALID_ARGUMENT),
    Ask("control character", "dispatch_command", command("x\x07"), Code.INVALID_ARGUMENT),
    Ask("no command", "dispatch_command", {"operator": "overseer", "agent": "crown"}, Code.INVALID_ARGUMENT),
    Ask("no credential", "dispatch_command", command("x"), Code.UNAUTHENTICATED, None),
    Ask("wrong credential", "dispatch_command", command("x"), Code.UNAUTHENTICATED, "nobody"),
    Ask("query", "memory_query", {"query": "light the lamps"}, Code.OK),
    Ask("blank query", "memory_query", {"query": ""}, Code.INVALID_ARGUMENT),
    Ask("query without credential", "memory_query", {"query": "lamps"}, Code.UNAUTHENTICATED, None),
    Ask("handover of what failed last", "handover", {}, Code.OK),
    Ask("handover", "handover", {"component": "memory", "error": "lost"}, Code.OK),
    Ask("handover of nothing known", "handover", {"component": "tea"}, Code.OK),
    Ask("long error", "handover", {"error": "x" * 4001}, Code.INVALID_ARGUMENT),
    Ask("upload", "upload", upload("a.txt"), Code.OK),
    Ask("upload of nothing", "upload", upload("empty.bin", b""), Code.OK),
    Ask("upload to elsewhere", "upload", upload("../a.txt"), Code.INVALID_ARGUMENT),
    Ask("status", "status", {}, Code.OK),
    Ask("upload without permission", "upload", upload("a.txt", operator="auditor"), Code.PERMISSION_DENIED, "auditor"),
)
MEMORY = (
    Ask("init", "vector_init", {}, Code.OK),
    Ask("search", "vector_search", {"text": "light the lamps", "top_n": 5}, Code.OK),
    Ask("search for one", "vector_search", {"text": "lamps", "top_n": 1}, Code.OK),
    Ask("search for none", "vector_search", {"text": "lamps", "top_n": 0}, Code.INVALID_ARGUMENT),
    Ask("search for too many", "vector_search", {"text": "lamps", "top_n": 1001}, Code.INVALID_ARGUMENT),
    Ask("search for nothing", "vector_search", {"text": "", "top_n": 5}, Code.INVALID_ARGUMENT),
)


def generated(seed, service, operations, number, known):
    """Questions that nobody thought of, about half of them spoilt: the same for the same seed, whatever else is asked."""
    for operation in operations:
        chance = random.Random(f"{seed} {service} {operation}")  # noqa: S311 - not a secret
        for count in range(number):
            case = draw_case(chance, operation, known)
            yield Ask(f"generated {operation} {count}", operation, case.payload)


def drawn(service):
    """The operations of a service whose requests have fields to draw."""
    return [name for name in drawn_operations() if name in EXPECTED[service]]


class Sides:
    """A component asked over both transports, and what each call changed."""

    def __init__(self, component):
        self._component = component
        self._keyed = component.name == "operator"
        self._silent = 0

    def ask(self, question, order=KINDS):
        """Both exchanges, REST's first, and what each has changed; None where one side has stopped to answer."""
        if self._silent >= SILENT:
            return None
        made = {kind: self._one(kind, question) for kind in order}
        self._silent = 0 if all(exchange.reply for exchange, _ in made.values()) else self._silent + 1
        sides, effects = zip(*(made[kind] for kind in KINDS), strict=True)
        return sides, effects

    def _one(self, kind, question):
        metadata = self._credential(question.holder) if self._keyed else {}
        before = self._changed()
        patience = 2.0 if self._keyed else 30.0  # the memory's first answer comes after its corpus is embedded
        request = Request(
            operation=question.operation, payload=question.payload, metadata=metadata, deadline_s=patience
        )
        exchange = self._component.transport(kind).traced(request)
        return exchange, {key: count - before[key] for key, count in self._changed().items()}

    def _credential(self, holder):
        if holder is None:
            return {}
        known = holder in ("overseer", "auditor")
        token = self._component.ask("credential", operator=holder)["token"] if known else uuid.uuid4().hex
        return {"authorization": f"Bearer {token}"}

    def _changed(self):
        if not self._keyed:
            return {}
        try:
            files = self._component.ask("uploads")["files"]
            done = self._component.ask("commands", limit=0)["total"]
        except NotOfferedError:  # a live target shows no log of its own
            return {}
        return {"carried out": done, "files": len(files), "bytes": sum(file["bytes"] for file in files)}


class Said:
    """What is measured of each question: what both sides said, and whether it was the code expected."""

    def __init__(self, spiral, rest, grpc, answered):
        self._spiral = spiral
        self._rest, self._grpc, self._answered = rest, grpc, answered

    def take(self, name, exchanges, effects, expected):
        """Check both codes, compare, and say what each side said."""
        for exchange in exchanges:
            got = exchange.reply.code if exchange.reply else "no reply"
            if expected is not None:
                self._answered.check(got == expected, f"{name} {exchange.transport}: {got}")
        self._spiral.compare(*exchanges, name, effects=effects).feed(self._rest, self._grpc)


def ask_everything(spiral, target, gateway, said):
    """Every question to every service, over both transports."""
    known = {"component": ("memory", "tea")}
    for name, questions in (("operator", OPERATOR), ("memory", MEMORY)):
        sides = Sides(getattr(target, name))
        for question in (*questions, *generated(spiral.seed, name, drawn(name), GENERATED[name], known)):
            if (made := sides.ask(question)) is None:
                break
            said.take(f"{name} {question.name}", *made, question.expected)
    for service in gateway.services:
        for name, *question, expected in (*gateway.questions(service), *drawn_for(spiral.seed, gateway, service)):
            said.take(f"{service} {name}", *gateway.asked(service, question), expected)


def drawn_for(seed, gateway, service):
    """What is drawn for a connector, as its gateway takes questions."""
    for ask in generated(seed, service, drawn(service), GENERATED_CONNECTOR, gateway.known(service)):
        yield ask.name, ask.operation, ask.payload, "", ask.expected


def measure_parity(spiral, target, gateway):
    """Deliver all that the promise of parity asks for."""
    with (
        spiral.measure("rest-said") as rest,
        spiral.measure("grpc-said") as grpc,
        spiral.measure("answered") as answered,
    ):
        ask_everything(spiral, target, gateway, Said(spiral, rest, grpc, answered))
    with spiral.measure("latency-gap", unit="ms") as gap:
        measure_latency(spiral, Sides(target.operator), gap)


def measure_latency(spiral, sides, gap):
    """The farther end of the interval in which gRPC's median distance from REST lies, by pairs that take turns."""
    question = Ask("latency", "handover", {"component": "memory"})
    pairs = []
    for number in range(PAIRS):
        made = sides.ask(question, KINDS if number % 2 else KINDS[::-1])
        if made is None:
            break
        pairs.append(made[0])
    judged = spiral.compare_latency(pairs, "handover", margin=MARGIN) if pairs else None
    if judged is None or judged.reach_ms is None:
        gap.failed(f"no interval: {f'{judged.verdict} {judged.reason}' if judged else 'no pairs'}")
    else:
        gap.value(judged.reach_ms)


@pytest.mark.criterion("E1.parity")
def test_every_connector_answers_alike(spiral, gateway):
    """All services and operations, good and bad input, errors and generated cases: both transports say the same as fast."""
    measure_parity(spiral, spiral.target, gateway)


@pytest.mark.criterion("E1.control")
def test_a_field_of_another_name_is_found_out(spiral, gateway_of):
    """Where REST acknowledges a command in another field than gRPC, there is no parity."""
    with spiral.control() as broken:
        measure_parity(spiral, broken, gateway_of(broken.connectors))


# Traces


@pytest.mark.criterion("E1.traces")
def test_traces_match_by_checksum(spiral, gateway):
    """Each operation of each service is traced over both transports, and the checksums of the two sides are one."""
    with spiral.measure("rest-traced") as rest, spiral.measure("grpc-traced") as grpc, spiral.measure("own") as own:
        for service, operation, exchanges, effects in ask_once(spiral, gateway):
            one = spiral.compare(*exchanges, f"{service} {operation}", effects=effects)
            check_traced(own, rest, grpc, one, exchanges)


def ask_once(spiral, gateway):
    """One good question to each operation of each service: both names, both exchanges, and what each has changed."""
    for name, questions in (("operator", OPERATOR), ("memory", MEMORY)):
        sides = Sides(getattr(spiral.target, name))
        for operation in sorted(EXPECTED[name]):
            made = sides.ask(next(one for one in questions if one.operation == operation))
            if made is not None:
                yield name, operation, *made
    for service in gateway.services:
        for _, *question, _ in gateway.questions(service)[:3]:
            yield service, question[0], *gateway.asked(service, question)


def check_traced(own, rest, grpc, compared, exchanges):
    """Two exchanges of their own, both answered, with one checksum; `spiral verify` makes it again from the traces."""
    left, right = exchanges
    told = compared.comparison
    apart = left.id != right.id and left.sent_ns < left.done_ns and right.sent_ns < right.done_ns
    own.check(left.reply and right.reply and apart, f"{told.item}: no two exchanges that were answered")
    own.check(told.rest.checksum == told.grpc.checksum, f"{told.item}: {compared.why}")
    compared.feed(rest, grpc)


# The gate


@pytest.mark.criterion("E1.gate")
def test_the_kickoff_stays_shut_without_parity(spiral, gateway):
    """It opens exactly where all is equal; with one service's comparison missing, different, copied or one-sided it does not."""
    with spiral.measure("kickoff") as m:
        compared = compare_once(spiral, gateway)
        whole = all(len(compared[service]) == len(operations) for service, operations in EXPECTED.items())
        equal = whole and all(one.outcome == "equal" for made in compared.values() for one in made)
        kickoff = judge_kickoff(compared)
        m.check(kickoff.opens == equal, f"all equal: {equal}, and the kickoff says {kickoff.reasons or 'open'}")
        for service, made in compared.items():
            for what, spoilt in spoil(made).items():
                refused = judge_kickoff({**compared, service: spoilt})
                named = any(reason.startswith(service) for reason in refused.reasons)
                m.check(not refused.opens and named, f"{service} {what}: {refused.reasons or 'it opens'}")
        m.check(not judge_kickoff({}).opens, "nothing compared: it opens")


def compare_once(spiral, gateway):
    """One good comparison of each operation of each service."""
    compared = {service: [] for service in EXPECTED}
    for service, _, exchanges, effects in ask_once(spiral, gateway):
        compared[service].append(spiral.compare(*exchanges, effects=effects).comparison)
    return compared


def spoil(made):
    """Comparisons of a service that must not pass, each spoilt in one way."""
    first, *others = made
    return {
        "without any": [],
        "without one": others,
        "one different": [msgspec.structs.replace(first, outcome="different"), *others],
        "one invalid": [msgspec.structs.replace(first, outcome="invalid"), *others],
        "one refused": [
            msgspec.structs.replace(first, rest=msgspec.structs.replace(first.rest, status="403")),
            *others,
        ],
    }
