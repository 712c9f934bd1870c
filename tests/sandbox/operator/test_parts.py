"""Parts of the operator surface by themselves: keys, listeners, severed connections, forms cut into any pieces."""

import asyncio
import json
import socket
import threading
from itertools import pairwise
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.json.file import FileSpanExporter

from spiral_sandbox.connectors.clock import VirtualClock, seeded_start
from spiral_sandbox.connectors.refusal import Code, Refusal
from spiral_sandbox.operator import gateway, idempotency
from spiral_sandbox.operator.call import FileStart, Header
from spiral_sandbox.operator.events import GOING_AWAY, TOO_SLOW, Hub
from spiral_sandbox.operator.gateway import Address, Gateway
from spiral_sandbox.operator.idempotency import Keys
from spiral_sandbox.operator.messages import check_file_name, parse_metadata
from spiral_sandbox.operator.multipart import form_parts
from spiral_sandbox.operator.recollection import Recollection
from spiral_sandbox.operator.severing import sever
from spiral_sandbox.operator.telemetry import Telemetry

# Keys


def done(value):
    async def do(work):
        work.begin()
        return {"value": value}

    return do


async def failing(work):
    raise Refusal(Code.UNAVAILABLE, "handshake", "not now")


def test_the_oldest_keys_are_forgotten(monkeypatch):
    monkeypatch.setattr(idempotency, "KEPT", 3)

    async def run():
        keys = Keys()
        for number in range(6):
            await keys.once((str(number),), b"", done(number))
        return [await keys.once((str(number),), b"", done("again")) for number in (5, 4, 0)]

    assert asyncio.run(run()) == [({"value": 5}, True), ({"value": 4}, True), ({"value": "again"}, False)]


def test_replies_that_are_kept_have_their_bounds_together(monkeypatch):
    """Callers choose what is said back of an upload, and 10,000 large replies are gigabytes."""
    monkeypatch.setattr(idempotency, "MOST_BYTES", 3000)

    async def run():
        keys = Keys()
        for number in range(6):
            await keys.once((str(number),), b"", done("x" * 980))
        return [(await keys.once((str(number),), b"", done("again")))[1] for number in (5, 4, 3, 2)]

    assert asyncio.run(run()) == [True, True, True, False]


def test_work_under_way_is_kept_whatever_comes_after_it(monkeypatch):
    monkeypatch.setattr(idempotency, "MOST_BYTES", 0)

    async def run():
        keys, go_on = Keys(), asyncio.Event()

        async def slow(work):
            work.begin()
            await go_on.wait()
            return {"value": 1}

        first = asyncio.create_task(keys.once(("k",), b"", slow))
        await asyncio.sleep(0)
        for number in range(3):
            await keys.once((str(number),), b"", done(number))
        again = asyncio.create_task(keys.once(("k",), b"", done(2)))
        await asyncio.sleep(0)
        go_on.set()
        return await first, await again

    assert asyncio.run(run()) == (({"value": 1}, False), ({"value": 1}, True))


def test_each_caller_has_a_reply_of_its_own():
    async def run():
        keys = Keys()
        first, _ = await keys.once(("k",), b"", done({"numbers": [1, 2.5, "ü", None]}))
        first["value"]["numbers"].clear()
        return await keys.once(("k",), b"", done(2))

    assert asyncio.run(run()) == ({"value": {"numbers": [1, 2.5, "ü", None]}}, True)


def test_work_that_failed_may_be_tried_again():
    async def run():
        keys = Keys()
        with pytest.raises(Refusal, match="not now"):
            await keys.once(("k",), b"", failing)
        return await keys.once(("k",), b"", done(1))

    assert asyncio.run(run()) == ({"value": 1}, False)


def test_work_that_has_begun_goes_on_without_its_caller():
    async def run():
        keys, begun, go_on = Keys(), asyncio.Event(), asyncio.Event()

        async def slow(work):
            work.begin()
            begun.set()
            await go_on.wait()
            return {"value": 1}

        caller = asyncio.create_task(keys.once(("k",), b"", slow))
        await begun.wait()
        caller.cancel()
        await asyncio.wait([caller])
        go_on.set()
        return await keys.once(("k",), b"", done(2))

    assert asyncio.run(run()) == ({"value": 1}, True)


@pytest.mark.parametrize("others", [0, 1])
def test_work_that_has_not_begun_is_given_up_with_its_last_caller(others):
    async def run():
        keys, go_on, given_up = Keys(), asyncio.Event(), []

        async def waiting(work):
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                given_up.append(1)
                raise
            return {"value": 1}

        callers = [asyncio.create_task(keys.once(("k",), b"", waiting)) for _ in range(1 + others)]
        await asyncio.sleep(0)
        callers[0].cancel()
        await asyncio.wait(callers[:1])
        go_on.set()
        await asyncio.wait(callers)
        return given_up

    assert asyncio.run(run()) == [1] * (1 - others)


@pytest.mark.parametrize("key", ["k", None])
def test_whoever_comes_when_work_has_just_been_given_up_has_it_done_anew(key):
    """The caller's deadline passes and the same call comes again: between the two nothing else happens."""

    async def run():
        keys, never = Keys(), asyncio.Event()
        name = None if key is None else (key,)

        async def waiting(work):
            await never.wait()

        async def in_time():
            try:
                return await keys.once(name, b"", waiting)
            except asyncio.CancelledError:
                again.append(asyncio.ensure_future(keys.once(name, b"", done(2))))
                raise

        again = []
        caller = asyncio.create_task(in_time())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait([caller])
        return await again[0], await keys.once(name, b"", done(3))

    assert asyncio.run(run()) == (({"value": 2}, False), ({"value": 2}, True) if key else ({"value": 3}, False))


# The memory


def test_what_has_no_words_is_not_remembered_and_takes_nothing_with_it(tmp_path, caplog):
    async def run():
        recollection = Recollection(tmp_path, 1)
        before = await recollection.status()
        for item, text in (("a", "crown alpha"), ("b", " "), ("c", "crown gamma"), ("a", "the id is taken")):
            recollection.remember(item, text)
        found = await recollection.query("crown gamma")
        after = await recollection.status()
        await recollection.close()
        return found[0]["text"], after["items"] - before["items"]

    assert asyncio.run(run()) == ("crown gamma", 2)
    assert "not remembered: b" in caplog.text


# Telemetry


def test_no_span_is_lost_while_writing_is_held_up(tmp_path, monkeypatch):
    go_on, export = threading.Event(), FileSpanExporter.export

    def held_up(self, spans):
        go_on.wait(60)
        return export(self, spans)

    monkeypatch.setattr(FileSpanExporter, "export", held_up)
    telemetry = Telemetry(tmp_path, "1")
    for _ in range(5000):
        with telemetry.observed("handover", "rest"):
            pass
    go_on.set()
    telemetry.close()
    lines = [json.loads(line) for line in (tmp_path / "spans.jsonl").read_text().splitlines()]
    scopes = [scope for line in lines for resource in line["resourceSpans"] for scope in resource["scopeSpans"]]
    assert sum(len(scope["spans"]) for scope in scopes) == 5000


# Listeners


def test_a_listener_that_falls_behind_is_let_go_and_others_stay():
    async def run():
        hub = Hub()
        with hub.listening() as slow, hub.listening() as quick:
            for number in range(1001):
                hub.tell("command-ack", str(number), "c", 0)
                quick.get_nowait()
            hub.tell("command-ack", "last", "c", 0)
            hub.close()
            return slow.get_nowait(), slow.empty(), quick.get_nowait()

    assert asyncio.run(run()) == (TOO_SLOW, True, GOING_AWAY)


# Connections


def test_a_connection_is_severed_and_no_other():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pairs = [(socket.create_connection(listener.getsockname()), listener.accept()[0]) for _ in range(2)]
        (one, served), (other, served_other) = pairs
        assert sever(f"ipv4:127.0.0.1:{one.getsockname()[1]}")
        assert one.recv(1) == b""
        served_other.sendall(b"x")
        assert other.recv(1) == b"x"
        for each in (one, other, served, served_other):
            each.close()
    assert not sever("ipv4:127.0.0.1:1")


# The gateway


def test_a_gateway_that_never_comes_to_an_end_gave_no_session(dripping, monkeypatch):
    """Each byte comes in good time, and the last one never: the time for a try is for all of it."""
    monkeypatch.setattr(gateway, "_TIMEOUT_S", 0.3)
    monkeypatch.setattr(gateway, "_BACK_OFF_S", 0.01)
    dripped = Gateway(VirtualClock(seeded_start(1)), "1")
    dripped.connect(Address(address=dripping.address, ca="", cert="", key="", token="t"))
    with pytest.raises(Refusal, match=r"gave no session in 3 tries \(TimeoutError\)") as refused:
        asyncio.run(dripped.ensure())
    assert (refused.value.code, refused.value.reason) == (Code.UNAVAILABLE, "handshake")


# Forms

BODY = (
    b'--edge\r\nContent-Disposition: form-data; name="operator"\r\n\r\noverseer\r\n'
    b'--edge\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{"a": 1}\r\n'
    b'--edge\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\nX-More: y\r\n\r\none\r\n--edg two\r\n'
    b'--edge\r\nContent-Disposition: form-data; name="files[]"; filename="b"\r\n\r\n\r\n'
    b"--edge--\r\n"
)


def read(pieces):
    async def chunks():
        for piece in pieces:
            yield piece

    async def run():
        return [part async for part in form_parts(chunks(), "multipart/form-data; boundary=edge")]

    return asyncio.run(run())


@given(st.lists(st.integers(0, len(BODY)), max_size=12))
def test_a_form_is_the_same_in_whatever_pieces_it_comes(cuts):
    edges = [0, *sorted(cuts), len(BODY)]
    parts = read([BODY[start:end] for start, end in pairwise(edges)])
    content = [part for part in parts if not isinstance(part, bytes)]
    assert content == [Header("overseer", '{"a": 1}'), FileStart("a.txt"), FileStart("b")]
    assert b"".join(part for part in parts if isinstance(part, bytes)) == b"one\r\n--edg two"


@given(st.integers(0, len(BODY) - 5))
def test_a_form_that_is_cut_short_is_refused(at):
    with pytest.raises(Refusal) as refused:
        read([BODY[:at]])
    assert refused.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "piece",
    [b"y" * 10_000, b"y\r\nX-More: ", b"".join(b"y\r\nX-%d: " % number for number in range(1000))],
    ids=["one header", "the same header", "other headers"],
)
def test_a_part_whose_head_has_no_end_is_refused_soon(piece):
    taken = []

    async def chunks():
        yield BODY[: BODY.index(b": y") + 2]
        for _ in range(10_000):
            taken.append(len(piece))
            yield piece

    async def run():
        return [part async for part in form_parts(chunks(), "multipart/form-data; boundary=edge")]

    with pytest.raises(Refusal) as refused:
        asyncio.run(run())
    assert refused.value.code is Code.INVALID_ARGUMENT
    assert sum(taken) <= 20_000


# Words

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.floats(-(2**53), 2**53, width=32),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abü", max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text("xyz", max_size=3), plain, max_size=3))
def test_metadata_means_the_same_to_protobuf(value):
    read_back = parse_metadata(json.dumps(value))
    assert MessageToDict(ParseDict(read_back, Struct())) == read_back


@given(st.text(max_size=20))
def test_a_file_name_that_is_taken_stays_in_its_folder(name):
    try:
        check_file_name(name)
    except Refusal:
        return
    assert PurePosixPath(name).name == PureWindowsPath(name).name == name
    assert name not in {".", ".."}
