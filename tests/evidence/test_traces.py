"""Whatever is said of two exchanges is made again from the two traces, and what was forged is found."""

import copy
import json
import re
from fractions import Fraction
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_spiral.errors import MeasurementError
from pytest_spiral.evidence.traces import check_traces, unbacked
from pytest_spiral.model.exchange import Code, Engaged, Exchange, Reply, Request
from pytest_spiral.model.measurement import Measurement, Sample
from pytest_spiral.rules.integrity import REASONS, Limits
from pytest_spiral.rules.parity.pointer import found, leaves, replaced
from pytest_spiral.run.compare import compare, compare_latency
from pytest_spiral.run.traces import MOST_COMPARED, MOST_EXCHANGES, Traces

FOLDER = "traces/operator_api"
BOTH = ("rest", "grpc")


def exchange(transport, number=0, **payload):
    own = f"{transport}-{number}"
    at = 1000 * number + (500 if transport == "grpc" else 0)
    if number % 2:
        at = 1000 * number + (0 if transport == "grpc" else 500)
    said = {
        "authenticated": True,
        "session": {"id": f"session-{own}", "issued_at": "2026-01-01T00:00:00Z", "credential_expiry": "2026-01-03T00:00:00Z"},
        "accepted_contexts": [{"name": "stage-c-prep", "status": "accepted", "promoted_at": "2026-01-01T00:00:00Z"}],
        "rotation": {"rotation_window": "PT48H"},
    }  # fmt: skip
    return Exchange(
        id=own,
        transport=transport,
        address="here",
        request=Request(operation="handshake", payload={"n": 1}, metadata={"x-request-id": own}),
        reply=Reply(code=Code.OK, payload={**said, **payload}, wire_status="200" if transport == "rest" else "OK"),
        sent_ns=at,
        done_ns=at + 400,
    )


def taken(*exchanges):
    traces = Traces()
    for one in exchanges:
        traces.keep("operator_api", one.transport, one)
    return traces


def drill(pairs=3, **grpc):
    """Traces of some handshakes, compared; the last one with another payload over gRPC."""
    sides = [(exchange("rest", n), exchange("grpc", n, **(grpc if n == pairs - 1 else {}))) for n in range(pairs)]
    traces = taken(*(one for pair in sides for one in pair))
    for number, pair in enumerate(sides):
        compare(traces, pair, f"handshake {number}", ({"sessions": 1}, {"sessions": 1}))
    compare_latency(traces, sides, item="latency", margin="1 ms", confidence="0.5")
    return traces


def files(traces):
    return {name: json.loads(json.dumps(document)) for _, name, document in traces.documents()}


def check(tmp_path, documents):
    for old in (tmp_path / FOLDER).glob("*"):
        old.unlink()
    (tmp_path / FOLDER).mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        data = document if isinstance(document, bytes) else json.dumps(document, indent=1, sort_keys=True).encode()
        (tmp_path / FOLDER / name).write_bytes(data)
    return check_traces(tmp_path, Limits())


SOUND = files(drill(rotation={"rotation_window": "PT24H"}))
REST, GRPC, DIFF = "rest_trace.json", "grpc_trace.json", "rest_grpc_diff.json"
ONE_DIFF = "rest_grpc_handshake_diff.json"
HANDSHAKE = "rest_handshake_with_expiry.json"


def test_sound_traces_give_no_finding(tmp_path):
    traced = check(tmp_path, SOUND)
    assert traced.findings == []
    assert traced.note == "4 comparisons made again from their traces, 1 of them not equal"
    assert check(tmp_path, {}).note == ""


def changed(name, pointer, value):
    document = copy.deepcopy(SOUND[name])
    assert found(document, pointer) is not found({}, "/x"), "the test changes something that is there"
    return {**SOUND, name: replaced(document, pointer, value)}


def copied_side():
    """The old mistake: gRPC's trace is REST's, relabelled, with an id and times of its own."""
    made = copy.deepcopy(SOUND)
    for rest, grpc in zip(made[REST]["exchanges"], made[GRPC]["exchanges"], strict=True):
        grpc["reply"]["payload"] = rest["reply"]["payload"]
    return made


FORGERIES = {
    "an answer": (changed(REST, "/exchanges/0/reply/payload/rotation/rotation_window", "PT1H"), "parity-checksum"),
    "an answer and its checksum": (changed(DIFF, "/comparisons/0/rest/checksum", "sha256:" + "0" * 64), "parity-checksum"),
    "the other side's checksum": (
        changed(DIFF, "/comparisons/2/grpc/checksum", SOUND[DIFF]["comparisons"][2]["rest"]["checksum"]),
        "parity-checksum",
    ),
    "one side copied to the other": (copied_side(), "parity-one-side"),
    "an outcome": (changed(DIFF, "/comparisons/2/outcome", "equal"), "parity-mismatch"),
    "a difference left out": (changed(DIFF, "/comparisons/2/differences", []), "parity-mismatch"),
    "a normalisation left out": (changed(DIFF, "/comparisons/0/normalised", []), "parity-mismatch"),
    "a side effect": (changed(DIFF, "/comparisons/0/rest/effects/sessions", 2), "parity-checksum"),
    "terms that forgive": (
        changed(DIFF, "/terms/handshake/instants", ["/payload/rotation/rotation_window"]),
        "parity-mismatch",
    ),
    "terms that are missing": (changed(DIFF, "/terms", {}), "parity-mismatch"),
    "one start": (changed(GRPC, "/exchanges/0/sent_ns", SOUND[REST]["exchanges"][0]["sent_ns"]), "parity-one-side"),
    "a transport": (changed(GRPC, "/exchanges/0/transport", "rest"), "parity-one-side"),
    "an exchange twice": (
        {**SOUND, GRPC: {**SOUND[GRPC], "exchanges": [SOUND[GRPC]["exchanges"][0]] * 2 + SOUND[GRPC]["exchanges"][1:]}},
        "parity-one-side",
    ),
    "no trace": ({name: one for name, one in SOUND.items() if name != GRPC}, "parity-trace-missing"),
    "a handshake's checksum": (changed(HANDSHAKE, "/checksum", SOUND["grpc_trial_handshake.json"]["checksum"]), "parity-checksum"),
    "a handshake's form": (changed(HANDSHAKE, "/normalised/authenticated", False), "parity-checksum"),
    "a handshake of the other side": (
        {**SOUND, HANDSHAKE: SOUND["grpc_trial_handshake.json"]},
        "parity-one-side",
    ),
    "a handshake's time": (changed(HANDSHAKE, "/exchange/done_ns", 5), "parity-trace-missing"),
    "a latency's verdict": (changed(DIFF, "/latency/0/verdict", "fail"), "parity-mismatch"),
    "a latency's margin": (changed(DIFF, "/latency/0/margin_ns", "wide"), "parity-mismatch"),
    "a latency's times": (changed(DIFF, "/latency/0/pairs/0/1", 450), "parity-mismatch"),
    "a key twice": ({**SOUND, DIFF: b'{"format":"spiral-parity/1","format":"spiral-parity/1"}'}, "json-duplicate-key"),
    "another format": (changed(DIFF, "/format", "spiral-parity/9"), "format-unknown"),
    "an unknown field": ({**SOUND, REST: {**SOUND[REST], "more": 1}}, "field-wrong"),
}  # fmt: skip


@pytest.mark.parametrize(("forged", "code"), FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forgery_is_found(tmp_path, forged, code):
    assert code in [one.code for one in check(tmp_path, forged).findings]


LEAVES = [(name, at) for name in (DIFF, ONE_DIFF, HANDSHAKE) for at in leaves(SOUND[name])]
UNBOUND = (
    "/service",
    "/left_out",
    "/comparisons/0/item",
    "/comparisons/1/item",
    "/comparisons/2/item",
    "/latency/0/item",
)


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from(
        [
            (name, at)
            for name, at in LEAVES
            if not at.startswith((*UNBOUND, "/terms")) and not re.search("/pairs/./[45]", at)
        ]
    )
)
def test_any_change_of_what_is_derived_is_found(tmp_path_factory, where):
    name, pointer = where
    before = found(SOUND[name], pointer)
    after = before + 1 if isinstance(before, int | float) and not isinstance(before, bool) else f"{before}!"
    folder = tmp_path_factory.getbasetemp() / "leaves"
    assert check(folder, changed(name, pointer, after)).findings != []


def test_numbers_of_the_system_under_test_stand_in_a_trace_as_it_wrote_them(tmp_path):
    odd = {"big": 2**53 + 1, "zero": -0.0, "half": "\udc80", "huge": 10**300}
    traces = taken(exchange("rest", **odd), exchange("grpc", **{**odd, "zero": 0.0, "big": 2**53}))
    compared = compare(traces, (exchange("rest"), exchange("grpc")), "", ({}, {}))
    assert [one.pointer for one in compared.comparison.differences] == ["/payload/big", "/payload/zero"]
    assert check(tmp_path, files(traces)).findings == []


SCHEMAS = Path(__file__).parents[2] / "pytest_spiral" / "schemas"


def test_what_is_written_keeps_to_its_schema():
    traces = drill()
    traces.fell_back(
        "operator_api",
        Engaged(
            at_ns=1, operation="dispatch_command", request="r", code=Code.UNAVAILABLE, reason="gone", answered=False
        ),
    )
    made = files(traces)
    kinds = {DIFF: "parity", ONE_DIFF: "parity", REST: "trace", HANDSHAKE: "handshake", "fallbacks.json": "fallbacks"}
    for name, kind in kinds.items():
        schema = json.loads((SCHEMAS / f"spiral-{kind}-1.schema.json").read_text())
        jsonschema.Draft202012Validator(schema).validate(made[name])
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema).validate({**made[name], "more": 1})
    assert made["fallbacks.json"]["counter"]["by_operation"] == {"dispatch_command": 1}


# What is kept, and what is counted


def test_an_exchange_that_nobody_recorded_cannot_be_compared():
    with pytest.raises(MeasurementError, match="have recorded lately"):
        compare(taken(exchange("rest")), (exchange("rest"), exchange("grpc")), "", ({}, {}))


def test_sides_that_are_swapped_are_refused():
    with pytest.raises(MeasurementError, match="swap them"):
        compare(taken(exchange("rest"), exchange("grpc")), (exchange("grpc"), exchange("rest")), "", ({}, {}))


def test_what_is_compared_is_what_was_recorded_and_not_what_is_handed_in():
    traces = taken(exchange("rest"), exchange("grpc", authenticated=False))
    compared = compare(traces, (exchange("rest"), exchange("grpc")), "", ({}, {}))
    assert [one.pointer for one in compared.comparison.differences] == ["/payload/authenticated"]
    assert (
        compared.why
        == "operator_api handshake: /payload/authenticated is true over REST and absent or at its default over gRPC"
    )


def test_compared_exchanges_are_kept_beyond_the_first():
    sides = [(exchange("rest", n), exchange("grpc", n)) for n in range(MOST_EXCHANGES + 5)]
    traces = Traces()
    for pair in sides:
        for one in pair:
            traces.keep("operator_api", one.transport, one)
    compare(traces, sides[-1], "", ({}, {}))
    made = files(traces)
    assert [len(made[name]["exchanges"]) for name in (REST, GRPC)] == [MOST_EXCHANGES + 1] * 2
    assert [made[name]["left_out"] for name in (REST, GRPC)] == [4, 4]


def test_beyond_the_limit_only_what_does_not_agree_is_kept():
    traces = Traces()
    for number in range(MOST_COMPARED + 3):
        pair = (
            exchange("rest", number),
            exchange("grpc", number, **({"authenticated": False} if number > MOST_COMPARED else {})),
        )
        for one in pair:
            traces.keep("operator_api", one.transport, one)
        compare(traces, pair, "", ({}, {}))
    document = files(traces)[DIFF]
    assert (len(document["comparisons"]), document["left_out"]) == (MOST_COMPARED + 2, 1)
    assert [one["outcome"] for one in document["comparisons"][-2:]] == ["different"] * 2


def test_an_exchange_that_is_nested_too_deep_for_a_trace_is_counted():
    deep: object = 1
    for _ in range(40):
        deep = [deep]
    traces = taken(exchange("rest", deep=deep))
    assert (files(traces)[REST]["exchanges"], files(traces)[REST]["left_out"]) == ([], 1)


@pytest.mark.parametrize(
    ("given_pairs", "margin", "said"),
    [
        ([("rest", "grpc")], "2 apples", "give a margin such as"),
        ([("grpc", "rest")], "2 ms", "is a call over REST and then one over gRPC"),
        ([], "2 ms", "0 pairs of 0 services"),
    ],
)
def test_latencies_that_are_no_pairs_are_refused(given_pairs, margin, said):
    traces = taken(exchange("rest"), exchange("grpc"))
    with pytest.raises(MeasurementError, match=said):
        compare_latency(
            traces, [tuple(map(exchange, pair)) for pair in given_pairs], item="l", margin=margin, confidence="0.95"
        )


def test_a_pair_of_which_a_call_failed_is_lost_and_counts():
    sides = [(exchange("rest", n), exchange("grpc", n)) for n in range(20)]
    broken = msgspec.structs.replace(sides[3][1], reply=None, error="unavailable: gone")
    sides[3] = (sides[3][0], broken)
    judged = compare_latency(
        taken(*(one for pair in sides for one in pair)), sides, item="l", margin="1 ms", confidence="0.95"
    )
    assert (judged.lost, judged.planned, len(judged.pairs)) == (1, 20, 19)
    assert Fraction(judged.margin_ns) == 10**6


def measured(item, seen):
    sample = Sample(n=0, item=item, seen=seen)
    return Measurement(
        file="C5.handshake-parity/main-1.jsonl", name="rest", unit="", test="t", criteria=(), samples=(sample,)
    )


def test_a_sample_that_says_what_a_side_said_needs_a_comparison(tmp_path):
    traced = check(tmp_path, SOUND)
    own = SOUND[DIFF]["comparisons"][0]["rest"]["checksum"]
    assert list(unbacked([measured("handshake 0", {"parity": own})], traced)) == []
    assert list(unbacked([measured("anything", "sha256:of something else")], traced)) == []
    for item, said in (("handshake 0", "sha256:" + "0" * 64), ("handshake 9", own), ("handshake 0", [1])):
        (one,) = unbacked([measured(item, {"parity": said})], traced)
        assert (one.code, one.path) == ("parity-unbacked", "samples/C5.handshake-parity/main-1.jsonl")
    counted = check(tmp_path, changed(DIFF, "/left_out", 3))
    assert list(unbacked([measured("handshake 9", {"parity": own})], counted)) == []
    assert "3 more were only counted" in counted.note


def test_what_a_quarantined_trace_bore_out_is_counted_and_no_forgery(tmp_path):
    hidden = {**{name: one for name, one in SOUND.items() if name != GRPC}, f"{GRPC}.quarantined": b"a stub"}
    traced = check(tmp_path, hidden)
    assert traced.findings == []
    assert "5 not made again, since their traces are quarantined" in traced.note
    assert list(unbacked([measured("anything", {"parity": "sha256:x"})], traced)) == []


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted((name, at) for name in SOUND for at in leaves(SOUND[name]))), ANY)
def test_nothing_in_a_hostile_trace_breaks_the_verifier(tmp_path_factory, where, value):
    name, pointer = where
    folder = tmp_path_factory.getbasetemp() / "hostile"
    traced = check(folder, {**SOUND, name: replaced(SOUND[name], pointer, value)})
    assert all(one.code in REASONS for one in traced.findings)
