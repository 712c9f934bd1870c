"""Health checks: believed only from the right process, and only where they could have said otherwise."""

import asyncio

import pytest

from spiral_sandbox.boot.checks import Asked, look
from spiral_sandbox.boot.manifest import Check

PORTLESS = """
format = 1
name = "m"
boot_within_s = {within}
[[component]]
name = "one"
run = ["{{python}}", "-I", "-S", "{{program}}", "exit"]
check = {{ kind = "exit", run = {run} }}
ready_within_s = {ready}
"""
NONCE = "ab" * 16


def asked(address, kind="http", within_s=0.3, path=""):
    return Asked(Check(kind=kind, path=path, within_s=within_s), address, "one", NONCE, {}, path)


def answers_with(reply, *, hold=False):
    """What an HTTP check says of a server that gives these bytes, asked for process 7."""

    async def serve(reader, writer):
        if await reader.read(1000):  # nothing where the asker only looks whether anybody listens
            writer.write(reply)
            await writer.drain()
        if hold:
            await reader.read()
        writer.close()
        await writer.wait_closed()

    async def run():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            return await look(asked(address), 7, None), await look(asked(address), None, None)
        finally:
            server.close()
            await asyncio.wait(
                asyncio.all_tasks() - {asyncio.current_task()} or {asyncio.ensure_future(asyncio.sleep(0))}
            )

    return asyncio.run(run())


def ok(body):
    return b"HTTP/1.1 200 OK\r\n\r\n" + body


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (ok(b'{"nonce":"%s","pid":7}' % NONCE.encode()), ""),
        (ok(b'{"nonce":"%s","pid":8}' % NONCE.encode()), "answered by somebody else: process 8"),
        (ok(b'{"nonce":"cd","pid":7}'), "answered by somebody else"),
        (ok(b'{"status":"ok"}'), "does not say whose it is"),
        (ok(b'{"nonce":null,"pid":null}'), "answered by somebody else: process None"),
        (ok(b"[]"), "does not say whose it is"),
        (ok(b"ok"), "does not say whose it is"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "unhealthy: HTTP/1.1 503"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "unhealthy: HTTP/1.1 204"),
        (b"200\r\n\r\n", "unhealthy: 200"),
        (b"", "unhealthy: an empty reply"),
    ],
)
def test_an_http_check_takes_only_its_own_components_word(reply, says):
    after, before = answers_with(reply)
    assert says in after
    assert bool(says) == bool(after)
    assert before == "", "whatever listens before the component is started takes its port"


def test_an_answer_that_does_not_end_is_no_answer():
    assert answers_with(ok(b'{"nonce"'), hold=True)[0] == "no answer within 0.3 s"


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_where_nothing_listens_nothing_is_healthy(kind):
    assert "nothing listens" in asyncio.run(look(asked("127.0.0.1:1", kind), None, None))


def test_a_grpc_check_is_not_fooled_by_another_protocol():
    async def run():
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            return await look(asked(address, "grpc", 5.0), 7, None)
        finally:
            server.close()

    assert asyncio.run(run()) == "unhealthy: UNAVAILABLE"


@pytest.mark.parametrize(
    ("text", "says"),
    [(f"{NONCE} 7\n", ""), (f"{NONCE} 8\n", "the file says"), ("cd 7", "the file says"), (None, "no file")],
)
def test_a_file_check_takes_only_its_own_components_file(tmp_path, text, says):
    path = tmp_path / "ready"
    if text is not None:
        path.write_text(text)
    assert says in asyncio.run(look(asked("", "file", path=str(path)), 7, None))
    assert bool(asyncio.run(look(asked("", "file", path=str(path)), None, None))) == (text is None)


def test_a_living_component_whose_check_cannot_fail_is_not_ready(drive):
    reply = drive.boot(PORTLESS.format(run='["/bin/sh", "-c", "exit 0"]', ready=5, within=20))
    assert (reply["outcome"], reply["reason"]) == ("failed", "one: check-cannot-fail")
    assert "started" not in {one["event"] for one in drive.events(reply)}


def test_a_dead_component_whose_check_still_says_healthy_is_not_ready(drive):
    leaves = '["/bin/sh", "-c", "touch {folder}/pulse; exec sleep 0.001"]'
    text = PORTLESS.format(run='["/bin/sh", "-c", "test -e {folder}/pulse && sleep 0.2"]', ready=5, within=20)
    reply = drive.boot(text.replace('["{python}", "-I", "-S", "{program}", "exit"]', leaves))
    assert (reply["outcome"], reply["reason"]) == ("failed", "one: exited-0")


def test_a_check_that_cannot_be_run_is_no_healthy_one(drive):
    reply = drive.boot(PORTLESS.format(run='["/no/such/check"]', ready=0.2, within=20))
    assert (reply["outcome"], reply["reason"]) == ("failed", "one: not-ready")
    assert "/no/such/check: No such file" in drive.events(reply)[2]["why"]


def test_a_command_that_cannot_be_run_is_tried_once(drive):
    text = PORTLESS.format(run='["/bin/sh", "-c", "exit 1"]', ready=5, within=20) + "attempts = 3\n"
    reply = drive.boot(text.replace("{python}", "/no/such/program"))
    assert (reply["outcome"], reply["reason"]) == ("failed", "one: cannot-start")
    assert reply["components"]["one"]["attempts"] == 1


def test_a_boot_that_takes_too_long_is_ended(drive):
    reply = drive.boot(PORTLESS.format(run='["/bin/sh", "-c", "exit 1"]', ready=60, within=0.5))
    assert (reply["outcome"], reply["reason"]) == ("failed", "boot-time-limit")
    assert drive.left == []
