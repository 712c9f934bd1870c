"""The operator's tools through the eyes of a client that is made with the `mcp` SDK alone."""

import asyncio
import json
import logging
import ssl
import subprocess
import sys

import httpx2
import pytest
import requests
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from spiral_sandbox.target import start

logging.getLogger("httpx2").setLevel(logging.WARNING)
MODES = {"auto": "2026", "legacy": "2025"}


@pytest.fixture(scope="module")
def operator(tmp_path_factory):
    running = start((), 2, tmp_path_factory.mktemp("sandbox"))
    component = running.component("operator")
    # The first client waits while the SDK is imported; one that asks which era it is gives up after 10 s.
    using(component, lambda client: client.list_tools(), "legacy")
    yield component
    running.stop()


def using(operator, work, mode="auto", name="overseer"):
    """What `work(client)` gives, in a session with that operator's credential."""
    endpoint = operator.endpoints["rest"]
    context = ssl.create_default_context(cafile=endpoint["ca"])
    context.load_cert_chain(endpoint["cert"], endpoint["key"])
    headers = {"authorization": f"Bearer {operator.ask('credential', operator=name)['token']}"}

    async def session():
        async with httpx2.AsyncClient(verify=context, headers=headers, trust_env=False, timeout=30) as http:
            way = streamable_http_client(f"{endpoint['address']}/mcp", http_client=http)
            async with Client(way, mode=mode) as client:
                return await work(client)

    return asyncio.run(session())


def command(text, operator="overseer", agent="crown"):
    return {"operator": operator, "agent": agent, "command": text}


@pytest.mark.parametrize("mode", MODES)
def test_a_client_lists_and_calls_the_tools_in_either_era(operator, mode):
    async def work(client):
        listed = (await client.list_tools()).tools
        done = await client.call_tool("dispatch_command", command(f"by {mode}"))
        recalled = await client.call_tool("memory_query", {"query": f"by {mode}"})
        return client.protocol_version, listed, done, recalled

    before = operator.ask("commands")["total"]
    era, listed, done, recalled = using(operator, work, mode)
    assert era.startswith(MODES[mode])
    assert {tool.name: sorted(tool.input_schema["required"]) for tool in listed} == {
        "dispatch_command": ["agent", "command", "operator"],
        "memory_query": ["query"],
    }
    assert all(tool.output_schema and tool.description for tool in listed)
    (entry,) = operator.ask("commands", after=before)["commands"]
    assert (entry["transport"], entry["command"]) == ("mcp", f"by {mode}")
    assert done.structured_content == {"command_id": entry["command_id"], "result": {"ack": f"by {mode}"}}
    assert json.loads(done.content[0].text) == done.structured_content
    assert f"crown by {mode}" in [one["text"] for one in recalled.structured_content["results"]]


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("dispatch_command", command("x", agent="nobody"), "PERMISSION_DENIED"),
        ("dispatch_command", command("x", operator="auditor"), "PERMISSION_DENIED"),
        ("dispatch_command", command(" "), "INVALID_ARGUMENT"),
        ("dispatch_command", command("x\u0007"), "INVALID_ARGUMENT"),
        ("dispatch_command", {"operator": "overseer"}, "Field required"),
        ("dispatch_command", {**command("x"), "command": 7}, "valid string"),
        ("memory_query", {"query": ""}, "INVALID_ARGUMENT"),
        ("rotate", {}, "Unknown tool"),
    ],
    ids=str,
)
def test_a_call_that_is_refused_is_an_error_and_does_nothing(operator, tool, arguments, said):
    before = operator.ask("commands")["total"]
    answer = using(operator, lambda client: client.call_tool(tool, arguments))
    assert answer.is_error
    assert said in answer.content[0].text
    assert operator.ask("commands")["total"] == before


def test_an_operator_commands_whom_it_may(operator):
    answer = using(
        operator, lambda c: c.call_tool("dispatch_command", command("x", "auditor", "archivist")), name="auditor"
    )
    assert not answer.is_error


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer never-issued"}, {"authorization": "Basic eA=="}])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_who_shows_no_credential_is_refused(operator, method, headers):
    reply = http(operator, method, headers, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert (reply.status_code, reply.json()["code"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff", b"{" + b" " * (5 << 20)])
def test_what_is_no_message_is_refused_and_the_server_goes_on(operator, body):
    headers = {
        "authorization": f"Bearer {operator.ask('credential', operator='overseer')['token']}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
    }
    assert 400 <= http(operator, "POST", headers, data=body).status_code < 500
    assert not using(operator, lambda client: client.call_tool("memory_query", {"query": "still here"})).is_error


def test_another_site_cannot_make_a_browser_call_the_tools(operator):
    token = operator.ask("credential", operator="overseer")["token"]
    said = {
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "origin": "https://elsewhere.example",
    }
    reply = http(operator, "POST", said, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert reply.status_code == 403


def http(operator, method, headers, **content):
    endpoint = operator.endpoints["rest"]
    with requests.Session() as session:
        session.trust_env = False
        session.verify, session.cert = endpoint["ca"], (endpoint["cert"], endpoint["key"])
        return session.request(method, f"{endpoint['address']}/mcp", headers=headers, timeout=30, **content)


def test_nothing_imports_the_sdk_before_the_first_client_comes():
    """Neither a component nor the plugin: it takes a second."""
    code = (
        "import sys, importlib\n"
        "from spiral_sandbox.faults import COMPONENTS\n"
        "for name in COMPONENTS:\n"
        "    importlib.import_module(f'spiral_sandbox.{name}.service')\n"
        "import pytest_spiral.plugin, pytest_spiral.adapters.operator_mcp\n"
        "print([name for name in ('mcp', 'pydantic', 'httpx2') if name in sys.modules])\n"
        "import spiral_sandbox.operator.tool_server\n"
        "print('mcp' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "True"]
