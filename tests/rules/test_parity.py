"""Two separate exchanges are compared; one exchange is never taken for two."""

import base64
import itertools
import struct
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_spiral.model.exchange import Code, Exchange, Reply, Request
from pytest_spiral.model.parity import Field, Pair, Terms
from pytest_spiral.rules.parity import (
    compare_exchanges,
    handshake_checksum,
    judge_again,
    judge_latency,
    normalised_handshake,
    terms_of,
)
from pytest_spiral.rules.parity.differences import same, text_of
from pytest_spiral.rules.parity.normalise import _message, checksum, instant, view_of
from pytest_spiral.rules.parity.pointer import found, leaves, replaced

SHAPE = {
    "id": Field(kind="text"),
    "cycle": Field(kind="long"),
    "count": Field(kind="integer"),
    "share": Field(kind="float"),
    "exact": Field(kind="double"),
    "data": Field(kind="bytes"),
    "state": Field(kind="enum", names={"0": "UNKNOWN", "1": "SERVING"}),
    "at": Field(kind="timestamp", present=True),
    "takes": Field(kind="duration", present=True),
    "maybe": Field(kind="long", present=True),
    "inner": Field(kind="message", present=True, fields={"name": Field(kind="text"), "n": Field(kind="long")}),
    "many": Field(kind="float", repeated=True),
    "named": Field(kind="long", map=True),
    "free": Field(kind="struct", present=True),
}
TERMS = Terms(shape=SHAPE, ids=("/payload/id",))


def side(transport, payload=None, *, code=Code.OK, wire="", number=0, metadata=None, asked=None, **changed):
    """An exchange as a transport records it, with an id and times of its own."""
    own = f"{transport}-{number}"
    usual = {"rest": "200", "grpc": "OK"}[transport]
    made = Exchange(
        id=own,
        transport=transport,
        address=f"{transport}://here",
        request=Request(operation="ask", payload=asked or {"q": 1}, metadata={"x-request-id": own}),
        reply=Reply(
            code=code,
            payload={"id": own, **(payload or {})} if code is Code.OK else payload or {},
            metadata=metadata or {},
            wire_status=wire or usual,
        ),
        sent_ns=1_000 + number + (500 if transport == "grpc" else 0),
        done_ns=1_400 + number + (500 if transport == "grpc" else 0),
    )
    return msgspec.structs.replace(made, **changed)


def compared(rest=None, grpc=None, terms=TERMS, **given_too):
    return compare_exchanges(side("rest", rest), side("grpc", grpc), terms, **given_too)


# What protobuf's JSON mapping makes alike


@pytest.mark.parametrize(
    ("rest", "grpc", "rule"),
    [
        ({"cycle": "9007199254740993"}, {"cycle": 9007199254740993}, "int64-text"),
        ({"cycle": "-1"}, {"cycle": -1}, "int64-text"),
        ({"count": 5.0}, {"count": 5}, "whole-number"),
        ({"exact": 1}, {"exact": 1.0}, "whole-number"),
        ({"share": 0.1}, {"share": struct.unpack("<f", struct.pack("<f", 0.1))[0]}, "float32"),
        ({"many": [0.1, 1]}, {"many": [0.10000000149011612, 1.0]}, "float32"),
        ({"data": "_-8"}, {"data": "/+8="}, "bytes-base64"),
        ({"state": 1}, {"state": "SERVING"}, "enum-name"),
        ({"at": "2026-01-02T04:04:05.500+01:00"}, {"at": "2026-01-02T03:04:05.5Z"}, "timestamp"),
        ({"takes": "1.500s"}, {"takes": "1.5s"}, "duration"),
        ({}, {"cycle": 0, "data": "", "state": "UNKNOWN", "many": [], "named": {}}, "default"),
        ({"cycle": None}, {}, "default"),
        ({"inner": {}}, {"inner": {"name": "", "n": "0"}}, "default"),
        ({"named": {"a": "1"}}, {"named": {"a": 1}}, "int64-text"),
        ({"free": {"a": [1, {"b": 2}]}}, {"free": {"a": [1.0, {"b": 2.0}]}}, "whole-number"),
    ],
)
def test_what_json_and_protobuf_write_differently_is_equal_and_listed(rest, grpc, rule):
    found_alike = compared(rest, grpc)
    assert (found_alike.outcome, found_alike.differences) == ("equal", ())
    assert found_alike.rest.checksum == found_alike.grpc.checksum
    assert rule in {one.rule for one in found_alike.normalised}


def test_an_own_id_inside_of_another_text_is_no_difference_and_anothers_is():
    own = {"id": "rest-0-long", "stored": ["rest-0-long/a.txt"]}
    assert compared(own, {"id": "grpc-0-long", "stored": ["grpc-0-long/a.txt"]}).outcome == "equal"
    strange = compared(own, {"id": "grpc-0-long", "stored": ["rest-0-long/a.txt"]})
    assert [one.pointer for one in strange.differences] == ["/payload/stored/0"]
    short = compared({"id": "r", "stored": ["r/a"]}, {"id": "g", "stored": ["g/a"]})
    assert short.outcome == "different"  # too short to be told from any other text


# The seeded list: each difference is found and named


@pytest.mark.parametrize(
    ("rest", "grpc", "pointer", "shown"),
    [
        ({"cycle": 7}, {}, "/payload/cycle", ("7", None)),  # dropped field
        ({"Cycle": 7}, {"cycle": 7}, "/payload/Cycle", ("7", None)),  # casing of a name
        ({"state": "serving"}, {"state": "SERVING"}, "/payload/state", ('"serving"', '"SERVING"')),
        ({"cycle": 2**53}, {"cycle": 2**53 + 1}, "/payload/cycle", ("9007199254740992", "9007199254740993")),
        ({"exact": -0.0}, {"exact": 0.0}, "/payload/exact", ("-0.0", None)),
        ({"other": -0.0}, {"other": 0.0}, "/payload/other", ("-0.0", "0.0")),
        ({"many": [1.0, 2.0]}, {"many": [2.0, 1.0]}, "/payload/many/0", ("1.0", "2.0")),  # unsorted list
        ({"many": [1.0]}, {"many": [1.0, 2.0]}, "/payload/many/1", (None, "2.0")),
        ({"note": "caf\u00e9"}, {"note": "cafe\u0301"}, "/payload/note", ('"caf\\u00e9"', '"cafe\\u0301"')),
        ({"maybe": 0}, {}, "/payload/maybe", ("0", None)),  # presence is kept where the message keeps it
        ({"a/b": {"~": 1}}, {"a/b": {"~": 2}}, "/payload/a~1b/~0", ("1", "2")),
        ({"other": True}, {"other": 1}, "/payload/other", ("true", "1")),
        ({"other": None}, {}, "/payload/other", ("null", None)),
        ({"cycle": "007"}, {"cycle": 7}, "/payload/cycle", ('"007"', "7")),
        ({"share": 0.1}, {"share": 0.2}, "/payload/share", None),
        (
            {"free": {"n": 2**53 + 1}},
            {"free": {"n": 2.0**53}},
            "/payload/free/n",
            ("9007199254740993", "9007199254740992.0"),
        ),
        ({"exact": 2**53 + 1}, {"exact": 2.0**53}, "/payload/exact", None),
    ],
)
def test_a_difference_is_found_and_named(rest, grpc, pointer, shown):
    seen = compared(rest, grpc)
    assert seen.outcome == "different"
    assert seen.rest.checksum != seen.grpc.checksum
    named = {one.pointer: (one.rest, one.grpc) for one in seen.differences}
    assert pointer in named
    assert shown is None or named[pointer] == shown


def test_an_extra_side_effect_is_a_difference():
    seen = compared(effects=({"commands": 1}, {"commands": 2}))
    assert [(one.pointer, one.rest, one.grpc) for one in seen.differences] == [("/effects/commands", "1", "2")]
    assert compared(effects=({"commands": 1}, {"commands": 1})).outcome == "equal"


def test_an_error_in_the_trailing_metadata_of_a_good_reply_is_a_difference():
    grpc = side("grpc", metadata={"spiral-reason": "expired"})
    seen = compare_exchanges(side("rest"), grpc, TERMS)
    assert [(one.pointer, one.grpc) for one in seen.differences] == [("/metadata/spiral-reason", '"expired"')]


def test_metadata_of_http_and_grpc_themselves_is_left_out_and_listed():
    rest = side("rest", metadata={"date": "today", "x-request-id": "rest-0", "abzu-fallback": "rest"})
    grpc = side("grpc", metadata={"x-request-id": "grpc-0", "abzu-fallback": "rest"})
    seen = compare_exchanges(rest, grpc, TERMS)
    assert seen.outcome == "equal"
    rules = {(one.rule, one.pointer): (one.rest_count, one.grpc_count, one.rest) for one in seen.normalised}
    assert rules["transport-metadata", "/metadata/date"] == (1, 0, '"today"')
    assert rules["own-request-id", "/metadata/x-request-id"] == (1, 1, '"rest-0"')
    other = compare_exchanges(rest, side("grpc", metadata={"x-request-id": "rest-7", "abzu-fallback": "rest"}), TERMS)
    assert [one.pointer for one in other.differences] == ["/metadata/x-request-id"]  # an echo of somebody else's call


# Statuses, both ways


@pytest.mark.parametrize(
    ("http", "grpc", "same"),
    [
        ("400", "INVALID_ARGUMENT", True),
        ("401", "UNAUTHENTICATED", True),
        ("403", "PERMISSION_DENIED", True),
        ("413", "RESOURCE_EXHAUSTED", True),
        ("500", "INTERNAL", True),
        ("503", "UNAVAILABLE", True),
        ("504", "DEADLINE_EXCEEDED", True),
        ("403", "UNAUTHENTICATED", False),
        ("401", "PERMISSION_DENIED", False),
        ("422", "INVALID_ARGUMENT", False),  # read as the same, and not what the table writes
        ("400", "FAILED_PRECONDITION", False),
        ("500", "UNKNOWN", False),
    ],
)
def test_statuses_map_to_each_other(http, grpc, same):
    from pytest_spiral.rules.statuses import code_of_grpc, code_of_http

    sides = (
        side("rest", {"detail": "no", "reason": "because"}, code=code_of_http(int(http)), wire=http),
        side("grpc", {"detail": "No!"}, code=code_of_grpc(grpc), wire=grpc, metadata={"spiral-reason": "because"}),
    )
    seen = compare_exchanges(*sides, TERMS)
    assert (seen.outcome == "equal") is same
    assert [one.pointer for one in seen.differences] == ([] if same else ["/status"])


def test_reasons_of_an_error_are_compared_and_sentences_are_not():
    rest = side("rest", {"detail": "a", "reason": "expired"}, code=Code.UNAUTHENTICATED, wire="401")
    grpc = side("grpc", {"detail": "b"}, code=Code.UNAUTHENTICATED, wire="UNAUTHENTICATED")
    reasoned = msgspec.structs.replace(grpc.reply, metadata={"spiral-reason": "missing"})
    seen = compare_exchanges(rest, msgspec.structs.replace(grpc, reply=reasoned), TERMS)
    assert [(one.pointer, one.rest, one.grpc) for one in seen.differences] == [("/reason", '"expired"', '"missing"')]
    silent = msgspec.structs.replace(grpc, reply=msgspec.structs.replace(reasoned, payload={}))
    assert "/payload/detail" in [one.pointer for one in compare_exchanges(rest, silent, TERMS).differences]


def test_a_code_that_is_not_what_its_status_says_is_a_difference():
    seen = compare_exchanges(side("rest", code=Code.OK, wire="500"), side("grpc"), TERMS)
    assert seen.differences[0].rest == '"500 read as ok"'


# One exchange is never two sides


LOST = {"reply": None, "error": "deadline-exceeded: no reply"}


@pytest.mark.parametrize(
    ("rest", "grpc", "code"),
    [
        ({}, {"id": "rest-0"}, "one-exchange"),
        ({}, {"sent_ns": 1_000}, "one-start"),
        ({}, {"transport": "rest"}, "one-transport"),
        ({}, {"done_ns": 0}, "time-order"),
        ({}, {"request": Request(operation="ask", payload={"q": 2}, metadata={"x-request-id": "g"})}, "other-question"),
        (LOST, LOST, "unanswered"),
    ],
)
def test_a_side_that_is_no_side_is_refused(rest, grpc, code):
    sides = (msgspec.structs.replace(side(name), **changed) for name, changed in (("rest", rest), ("grpc", grpc)))
    seen = compare_exchanges(*sides, TERMS)
    assert seen.outcome == "invalid"
    assert code in [one.code for one in seen.refusals]


def test_a_reply_with_the_other_sides_own_id_is_refused():
    seen = compared({"id": "same"}, {"id": "same"})
    assert [one.code for one in seen.refusals] == ["one-reply"]
    assert compared({"id": ""}, {"id": ""}).outcome == "equal"  # no id at all: nothing is normalised, nothing proven


def test_two_empty_answers_are_no_comparison():
    def nothing(transport):
        made = side(transport)
        return msgspec.structs.replace(made, reply=msgspec.structs.replace(made.reply, payload={}))

    seen = compare_exchanges(nothing("rest"), nothing("grpc"), Terms())
    assert (seen.outcome, [one.code for one in seen.refusals]) == ("invalid", ["empty"])


def test_one_side_without_an_answer_differs():
    seen = compare_exchanges(side("rest"), side("grpc", **LOST), TERMS)
    assert seen.outcome == "different"
    assert ("/status", '"200 OK"', '"no reply (deadline-exceeded)"') in [
        (one.pointer, one.rest, one.grpc) for one in seen.differences
    ]


def test_a_checksum_of_the_other_side_is_refused_and_its_own_is_not():
    seen = compared({"count": 1}, {"count": 2})
    own, other = seen.rest.checksum, seen.grpc.checksum
    assert compared({"count": 1}, {"count": 2}, claimed=(own, other)).outcome == "different"
    copied = compared({"count": 1}, {"count": 2}, claimed=(own, own))
    assert copied.outcome == "invalid"
    assert copied.refusals[0].code == "foreign-checksum"
    assert "is the other side's" in copied.refusals[0].sentence
    stranger = compared(claimed=("sha256:" + "0" * 64, ""))
    assert "was not computed from its own exchange" in stranger.refusals[0].sentence


# By property


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
TYPED = st.fixed_dictionaries(
    {"count": st.integers(1, 2**31 - 1)},
    optional={
        "cycle": st.integers(-(2**63), 2**63 - 1),
        "share": st.floats(width=32, allow_nan=False, allow_infinity=False),
        "exact": st.floats(allow_nan=False, allow_infinity=False),
        "data": st.binary(max_size=9),
        "state": st.sampled_from(["UNKNOWN", "SERVING", "NEW"]),
        "maybe": st.integers(-5, 5),
        "inner": st.fixed_dictionaries({}, optional={"name": st.text(max_size=3), "n": st.integers(-3, 3)}),
        "many": st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=3),
        "named": st.dictionaries(st.text(max_size=2), st.integers(-3, 3), max_size=2),
        "other": JSON,
    },
)


def as_json(message):
    """The message as protobuf's JSON mapping writes it: 64-bit numbers as texts, bytes in base64, defaults left out."""
    made = dict(message)
    for name in ("cycle", "maybe"):
        if name in made:
            made[name] = str(made[name])
    if "data" in made:
        made["data"] = base64.b64encode(made["data"]).decode().rstrip("=")
    if made.get("state") == "SERVING":
        made["state"] = 1
    if "named" in made:
        made["named"] = {key: str(one) for key, one in made["named"].items()}
    return {key: one for key, one in made.items() if key == "other" or one not in ("", [], {}) or key == "inner"}


def as_values(message):
    """The same as our own reader writes it: numbers as numbers."""
    made = dict(message)
    if "data" in made:
        made["data"] = base64.urlsafe_b64encode(made["data"]).decode()
    return made


@settings(deadline=None, max_examples=100)
@given(TYPED)
def test_equal_services_give_no_false_alarm(message):
    seen = compared(as_json(message), as_values(message))
    assert (seen.outcome, seen.differences) == ("equal", ())


@settings(deadline=None, max_examples=100)
@given(TYPED, st.data())
def test_any_change_to_one_side_is_found_and_named(message, data):
    whole = {"id": "x", **as_values(message)}
    pointer = data.draw(st.sampled_from(sorted(set(leaves(whole)) - {"/id"})))
    before = found(whole, pointer)
    after = data.draw(st.integers(10**6, 10**7).filter(lambda number: number != before))
    rest, grpc = side("rest", whole), side("grpc", {**replaced(whole, pointer, after), "id": "y"})
    seen = compare_exchanges(rest, grpc, TERMS)
    assert seen.outcome == "different"
    assert any(f"/payload{pointer}".startswith(one.pointer) for one in seen.differences)


@settings(deadline=None, max_examples=100)
@given(TYPED)
def test_normalising_twice_is_normalising_once(message):
    once = _message(as_json(message), SHAPE, "", lambda *_: None)
    assert checksum(_message(once, SHAPE, "", lambda *_: None)) == checksum(once)


@settings(deadline=None, max_examples=100)
@given(TYPED, st.sampled_from(["rest", "grpc"]))
def test_a_side_compared_to_itself_is_refused(message, transport):
    one = side(transport, as_json(message))
    assert compare_exchanges(one, one, TERMS).outcome == "invalid"
    dressed = msgspec.structs.replace(one, transport="grpc" if transport == "rest" else "rest")
    assert compare_exchanges(one, dressed, TERMS).outcome == "invalid"


@settings(deadline=None, max_examples=100)
@given(JSON)
def test_the_view_of_a_side_does_not_look_at_the_other(value):
    own = side("rest", {"other": value})
    view = view_of("rest", own, TERMS, {}, lambda *_: None)
    assert compare_exchanges(own, side("grpc", {"other": 5}), TERMS).rest.checksum == checksum(view)


# The contract's handshake


def handshake(transport, number=0, **session):
    reply = {
        "authenticated": True,
        "session": {
            "id": f"s-{transport}",
            "issued_at": "2026-01-01T00:00:00Z",
            "credential_expiry": "2026-01-03T00:00:00Z",
        }
        | session,
        "accepted_contexts": [
            {"name": name, "status": "accepted", "promoted_at": "2026-01-01T00:00:00Z", "evidence_path": ""}
            for name in (("b", "a") if transport == "rest" else ("a", "b"))
        ],
        "rotation": {"connector_id": "operator_api", "last_rotated": "", "rotation_window": "PT48H", "window_id": ""},
    }
    made = side(transport, number=number)
    return msgspec.structs.replace(made, reply=msgspec.structs.replace(made.reply, payload=reply))


def test_handshakes_agree_and_their_own_checksums_do_not():
    terms = terms_of("handshake", {})
    rest, grpc = handshake("rest"), handshake("grpc", issued_at="2026-01-01T00:00:09Z")
    seen = compare_exchanges(rest, grpc, terms)
    assert (seen.outcome, seen.rest.checksum) == ("equal", seen.grpc.checksum)
    assert {one.rule for one in seen.normalised} >= {"per-call-id", "per-call-instant", "order"}
    assert handshake_checksum(rest) != handshake_checksum(grpc)
    form = normalised_handshake(rest)
    assert [one["name"] for one in form["accepted_contexts"]] == ["a", "b"]
    assert form["rotation"] == {"connector_id": "operator_api", "rotation_window": "PT48H"}
    late = handshake("grpc", credential_expiry="2026-01-04T00:00:00Z")
    assert [one.pointer for one in compare_exchanges(rest, late, terms).differences] == [
        "/payload/session/credential_expiry"
    ]


def test_the_handshakes_checksum_is_the_contracts():
    form = b'{"authenticated":true,"session":{"id":"\\u00e9"}}'
    made = side("rest")
    said = {"session": {"id": "é", "issued_at": ""}, "authenticated": True, "accepted_contexts": []}
    own = msgspec.structs.replace(made, reply=msgspec.structs.replace(made.reply, payload=said))
    assert handshake_checksum(own) == "sha256:" + __import__("hashlib").sha256(form).hexdigest()


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05.120+02:00", "2026-01-02T01:04:05.12Z"),
        ("2026-01-02t03:04:05.000000001z", "2026-01-02T03:04:05.000000001Z"),
        ("2026-13-02T03:04:05Z", None),
        ("yesterday", None),
        (5, None),
        ("0001-01-01T00:00:00+23:59", None),
    ],
)
def test_instants_have_one_spelling(text, one):
    assert instant(text) == one


# Latency


MS = 1_000_000


def paired(count, rest_ns, grpc_ns, *, turns=True, gap=100):
    pairs, now = [], 0
    for number in range(count):
        rest, grpc = rest_ns(number), grpc_ns(number)
        if number % 2 and turns:
            pairs.append(
                Pair(grpc_sent=now, grpc_done=now + grpc, rest_sent=now + grpc + gap, rest_done=now + grpc + gap + rest)
            )
        else:
            pairs.append(
                Pair(rest_sent=now, rest_done=now + rest, grpc_sent=now + rest + gap, grpc_done=now + rest + gap + grpc)
            )
        now += rest + grpc + 2 * gap
    return pairs


def five(_):
    return 5 * MS


def latency(pairs, **given_too):
    asked = {"item": "search", "margin_ns": Fraction(MS), "confidence": Fraction(95, 100), "planned": len(pairs)}
    return judge_latency(pairs, **{**asked, **given_too})


def test_latencies_alike_pass_and_shifted_by_twice_the_margin_fail():
    jitter = [(number * 7919) % 97 * 1000 for number in range(60)]
    alike = latency(paired(60, lambda n: 5 * MS + jitter[n], lambda n: 5 * MS + jitter[59 - n]))
    assert (alike.verdict, alike.reason) == ("pass", "")
    assert latency(paired(60, lambda n: 5 * MS + jitter[n], lambda n: 7 * MS + jitter[59 - n])).verdict == "fail"
    assert 0 <= alike.reach_ms <= 1
    assert latency(paired(4, five, five)).reach_ms is None
    assert latency(paired(60, five, five, turns=False)).reach_ms is None
    assert latency(paired(60, five, five), planned=61).verdict == "inconclusive"
    assert latency(paired(4, five, five)).verdict == "inconclusive"


def test_pairs_that_are_not_interleaved_are_invalid():
    alone = paired(60, five, five, turns=False)
    assert (latency(alone).verdict, latency(alone).reason) == ("invalid", "not-interleaved")
    apart = [
        msgspec.structs.replace(one, grpc_sent=one.grpc_sent + 10**12, grpc_done=one.grpc_done + 10**12)
        for one in alone
    ]
    assert "do not stand side by side" in latency(apart).sentence
    same = [Pair(rest_sent=0, rest_done=9, grpc_sent=0, grpc_done=9)] * 60
    assert latency(same).verdict == "invalid"


def test_a_latency_is_judged_again_from_its_own_pairs():
    said = latency(paired(60, five, lambda n: 5 * MS + n))
    assert judge_again(said) == said
    assert judge_again(msgspec.structs.replace(said, verdict="fail")) == said
    with pytest.raises(ValueError, match="no decimal"):
        judge_again(msgspec.structs.replace(said, margin_ns="wide"))


# Values that Python calls equal where JSON does not, and their neighbours.
NUMBERS = [0, 1, 0.0, -0.0, 1.0, -1.0, 5e-324, True, False]
ALIKE = [*NUMBERS, None, "", "0", "1", "true", [], {}, [0], [0.0], [-0.0], [False]]


@pytest.mark.parametrize(("one", "other"), [*itertools.product(ALIKE, repeat=2)])
def test_two_values_are_the_same_where_their_texts_are(one, other):
    assert same(one, other) is (text_of(one) == text_of(other))
