"""At most once: keys, replies that get lost, a gRPC server that stops, and the server's own log as the proof."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_spiral.model.exchange import Code

KINDS = ("rest", "grpc")


def dispatched(surface, kind, word, **metadata):
    return surface.call(kind, "dispatch_command", surface.command(word), **metadata)


@pytest.mark.parametrize("kind", KINDS)
def test_a_command_with_the_same_key_is_carried_out_once(surface, kind, word):
    first, second = (dispatched(surface, kind, word, idempotency_key=f"key-{word}") for _ in range(2))
    assert first.payload == second.payload
    assert "idempotent-replayed" not in first.metadata
    assert second.metadata["idempotent-replayed"] == "true"
    assert surface.executed(word) == 1


def test_a_command_without_a_key_is_carried_out_each_time(surface, word):
    for kind in KINDS:
        dispatched(surface, kind, word)
    assert surface.executed(word) == 2


def test_a_key_holds_across_transports(surface, word):
    one, other = (dispatched(surface, kind, word, idempotency_key=f"key-{word}") for kind in KINDS)
    assert one.payload == other.payload
    assert surface.executed(word) == 1


def test_an_upload_with_the_same_key_is_stored_once(surface, word):
    payload = surface.upload((f"{word}.txt", b"alpha"), metadata={"b": 1, "a": 2})
    again = surface.upload((f"{word}.txt", b"alpha"), metadata={"a": 2, "b": 1})
    one = surface.call("grpc", "upload", payload, idempotency_key=f"key-{word}")
    other = surface.call("rest", "upload", again, idempotency_key=f"key-{word}")
    assert one.payload == other.payload
    assert sum(word in file["path"] for file in surface.ask("uploads")["files"]) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_comes_with_another_request_is_refused(surface, kind, word):
    dispatched(surface, "rest", word, idempotency_key=f"key-{word}")
    reply = dispatched(surface, kind, f"other {word}", idempotency_key=f"key-{word}")
    assert reply.code is Code.INVALID_ARGUMENT
    other_file = surface.upload(("a.txt", b"beta"))
    assert surface.call(kind, "upload", other_file, idempotency_key=f"key-{word}").code is Code.OK  # another operation
    assert surface.executed(word) == 1


def test_keys_of_different_operators_are_different_keys(surface, word):
    for operator in ("overseer", "release-ops"):
        payload = surface.command(word, operator, "razar")
        token = surface.token(operator)
        assert surface.call("rest", "dispatch_command", payload, token=token, idempotency_key="k").code is Code.OK
    assert surface.executed(word) == 2


def test_callers_at_the_same_time_share_one_piece_of_work(surface, word):
    surface.ask("agent.hold", agent="crown")
    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(dispatched, surface, kind, word, idempotency_key=f"key-{word}") for kind in KINDS * 3]
        surface.ask("agent.release", agent="crown")
        replies = [call.result() for call in calls]
    assert len({reply.payload["command_id"] for reply in replies}) == 1
    assert surface.executed(word) == 1


def test_a_key_of_a_command_that_was_given_up_can_be_used_again(surface, word):
    surface.ask("agent.hold", agent="crown")
    reply = dispatched(surface, "rest", word, idempotency_key=f"key-{word}", x_deadline_ms="40")
    surface.ask("agent.release", agent="crown")
    assert reply.code is Code.DEADLINE_EXCEEDED
    assert dispatched(surface, "rest", word, idempotency_key=f"key-{word}").code is Code.OK
    assert surface.executed(word) == 1


WAYS = {
    "unavailable": (Code.UNAVAILABLE, 0),
    "internal": (Code.INTERNAL, 1),
    "deadline": (Code.DEADLINE_EXCEEDED, 1),
    "reset-mid-stream": (Code.UNAVAILABLE, 1),
}


@pytest.fixture
def failing(surface):
    """Have gRPC fail in a way until the test ends."""
    yield lambda way: surface.ask("grpc.fail", way=way)
    surface.ask("grpc.heal")


@pytest.mark.parametrize("way", WAYS)
def test_a_call_that_grpc_fails_is_done_once_when_rest_repeats_it(surface, failing, word, way):
    failing(way)
    code, before = WAYS[way]
    assert dispatched(surface, "grpc", word, idempotency_key=f"key-{word}", seconds=1).code is code
    assert surface.executed(word) == before
    reply = dispatched(surface, "rest", word, idempotency_key=f"key-{word}", abzu_fallback="rest")
    assert reply.payload["result"] == {"ack": word}
    assert surface.executed(word) == 1


@pytest.mark.parametrize("way", WAYS)
def test_grpc_answers_again_when_it_is_healed(surface, failing, word, way):
    failing(way)
    dispatched(surface, "grpc", word, seconds=1)
    surface.ask("grpc.heal")
    assert dispatched(surface, "grpc", f"healed {word[::-1]}").code is Code.OK


def test_a_stream_that_is_cut_stores_nothing(surface, failing, word):
    failing("reset-mid-stream")
    payload = surface.upload((f"{word}.bin", bytes(300_000)))
    assert surface.call("grpc", "upload", payload).code is Code.UNAVAILABLE
    surface.ask("grpc.heal")
    assert surface.call("grpc", "upload", surface.upload(("other.bin", b"1"))).code is Code.OK
    assert word not in str(surface.ask("uploads"))
    assert surface.executed(word) == 0


def test_the_servers_own_detour_is_a_real_rest_call_and_says_so(surface, failing, word):
    failing("detour")
    reply = dispatched(surface, "grpc", word, x_request_id=f"id-{word}")
    assert reply.payload["result"] == {"ack": word}
    assert (reply.metadata["abzu-fallback"], reply.metadata["x-request-id"]) == ("rest", f"id-{word}")
    (logged,) = [entry for entry in surface.ask("commands")["commands"] if entry.get("command") == word]
    assert logged["transport"] == "rest"
    served = [one for one in surface.ask("served")["requests"] if one["request_id"] == f"id-{word}"]
    assert [one["transport"] for one in served] == ["rest"]


def test_what_rest_refuses_on_the_detour_is_refused_over_grpc(surface, failing, word):
    failing("detour")
    reply = surface.call("grpc", "dispatch_command", surface.command(word, agent="nobody"))
    assert (reply.code, reply.metadata["spiral-reason"]) == (Code.PERMISSION_DENIED, "agent")


def test_a_call_that_takes_no_detour_says_nothing_of_one(surface, word):
    assert "abzu-fallback" not in dispatched(surface, "grpc", word).metadata


@pytest.mark.timeout(30)
def test_the_grpc_server_stops_in_mid_run_and_every_command_is_done_once(surface, word):
    codes = []

    def send():
        key = f"{word}-{len(codes)};"
        reply = dispatched(surface, "grpc", key, idempotency_key=key)
        codes.append(reply.code)
        if reply.code is not Code.OK:
            assert dispatched(surface, "rest", key, idempotency_key=key, abzu_fallback="rest").code is Code.OK

    def send_ten():
        for _ in range(10):
            send()

    send_ten()
    surface.ask("grpc.stop")
    send_ten()
    surface.ask("grpc.start")
    # The channel tries again after at most a second; meanwhile every command takes the way over REST.
    while codes[-1] is not Code.OK:
        send()
    send_ten()
    assert (set(codes[:10]), set(codes[10:20]), set(codes[-10:])) == ({Code.OK}, {Code.UNAVAILABLE}, {Code.OK})
    assert [surface.executed(f"{word}-{number};") for number in range(len(codes))] == [1] * len(codes)


def test_a_grpc_server_that_runs_cannot_be_started_twice(surface):
    with pytest.raises(RuntimeError, match="running already"):
        surface.ask("grpc.start")


# The control: a server that does things twice is found out by its own log


def test_a_server_that_forgets_keys_is_found_out_by_its_log(faulty):
    surface = faulty("operator.double-execution")
    for kind in KINDS:
        assert dispatched(surface, kind, "twice", idempotency_key="k").code is Code.OK
    assert surface.executed("twice") == 2
