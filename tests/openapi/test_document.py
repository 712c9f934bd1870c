"""schemathesis asks running servers whatever the OpenAPI document allows and forbids, and is shown what is wrong.

It runs as a command in an environment of its own, `openapi` in that of the tests: see docs/adr/0045.
"""

import copy
import json
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from spiral_contract import operations
from spiral_sandbox.target import start

HERE = Path(__file__).parent
COMMAND = Path(sys.prefix) / "openapi" / "bin" / "schemathesis"
DOCUMENT = json.loads(Path(operations.__file__).with_name("openapi.json").read_text(encoding="utf-8"))
EXAMPLES = 15

# What is too large ends with 413, and headers that are not named are passed over: both as documented.
CONFIG = """
base-url = "{address}"
tls-verify = "{ca}"
request-cert = "{cert}"
request-cert-key = "{key}"
hooks = "{hooks}"
continue-on-failure = true
warnings = false

[generation]
deterministic = true
max-examples = {examples}
allow-extra-parameters = false

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 413]

[phases.stateful]
enabled = false
"""
BEARER = """
[auth.openapi.bearer]
bearer = "{token}"
"""

pytestmark = pytest.mark.skipif(
    not COMMAND.exists(), reason=f"environment-limited: no {COMMAND.relative_to(sys.prefix)}; `make openapi` makes it"
)


class Server:
    """One address of the sandbox, and how schemathesis gets to it."""

    def __init__(self, component, tag, endpoint="rest", **holder):
        self.tag = tag
        self._endpoint = component.endpoints[endpoint]
        self._token = component.ask("credential", **holder)["token"] if holder else ""

    def asked(self, folder, document, *only, token=""):
        """What schemathesis reports of this server by a document; `only` are options of its own that narrow it down."""
        folder.mkdir(exist_ok=True)
        (folder / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
        config = CONFIG.format(**self._endpoint, hooks=HERE / "hooks.py", examples=EXAMPLES)
        config += BEARER.format(token=self._token or token) if self._token or token else ""
        (folder / "schemathesis.toml").write_text(config, encoding="utf-8")
        command = [
            COMMAND, "--config-file", "schemathesis.toml", "--no-color", "run", "openapi.json",
            *(only or ("--include-tag", self.tag)), "--exclude-operation-id", "events", "--report", "json", "--report-json-path", "report.json",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        path = folder / "report.json"
        assert path.exists(), done.stdout + done.stderr
        report = json.loads(path.read_text(encoding="utf-8"))
        assert (report["complete"], report["errors"]) == (True, []), done.stdout
        return report, done.stdout


@contextmanager
def served(folder, *faults):
    """All servers of a sandbox by the tag that the document gives them."""
    sandbox = start(faults, 1, folder)
    try:
        sandbox.component("memory").ask("configure", items=50)
        yield {
            "operator": Server(sandbox.component("operator"), "operator", operator="overseer"),
            "connector": Server(
                sandbox.component("connectors"), "connector", "operator_api.rest", service="operator_api"
            ),
            "vector": Server(sandbox.component("memory"), "vector"),
        }
    finally:
        sandbox.stop()


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    with served(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


def named(document):
    """Operations of each tag."""
    rows = [row for methods in document["paths"].values() for row in methods.values() if row["operationId"] != "events"]
    return Counter(row["tags"][0] for row in rows)


@pytest.mark.parametrize("tag", sorted(named(DOCUMENT)))
def test_each_server_does_what_the_document_says(servers, tmp_path, tally, tag):
    report, told = servers[tag].asked(tmp_path, DOCUMENT)
    assert report["failures"] == [], told
    assert report["operations"]["tested"] == named(DOCUMENT)[tag]
    asked = report["test_cases"]["generated"]
    assert asked >= EXAMPLES * named(DOCUMENT)[tag]
    for operation, phases in report["valid_rates"].items():
        assert sum(phase["accepted"] for phase in phases.values()), f"no good request of {operation} was accepted"
    tally(
        report["test_cases"]["with_failures"],
        asked,
        "generated requests answered otherwise than the OpenAPI document says",
    )


# Controls: another document, or another server, is found out.

SPOILT = {
    "operator": ("upload", "dispatch_command", "memory_query", "handover", "status"),
    "vector": ("vector_status",),
}
FOUND = {
    "operator": {
        "UndefinedStatusCode", "UndefinedContentType", "AcceptedNegativeData", "RejectedPositiveData", "JsonSchemaError",
    },
    "vector": {"IgnoredAuth"},
}  # fmt: skip


def spoilt():
    """A document with something wrong in each of the operations of `SPOILT`."""
    document = copy.deepcopy(DOCUMENT)
    schemas = document["components"]["schemas"]
    rows = {row["operationId"]: row for methods in document["paths"].values() for row in methods.values()}
    del rows["upload"]["responses"]["400"]
    rows["dispatch_command"]["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    schemas["MemoryQuery"]["properties"]["query"] = {"type": "string", "minLength": 1, "maxLength": 3}
    schemas["Handover"]["properties"]["component"] = {}
    schemas["Status"]["required"].append("nothing")
    rows["vector_status"]["security"] = [{"bearer": []}]
    return document


@pytest.mark.parametrize("tag", SPOILT)
def test_a_document_that_says_otherwise_than_the_server_is_found_out(servers, tmp_path, tag):
    only = [part for name in SPOILT[tag] for part in ("--include-operation-id", name)]
    report, told = servers[tag].asked(tmp_path, spoilt(), *only, "--phases", "coverage", token="any")
    assert {failure["type"] for failure in report["failures"]} >= FOUND[tag], told


def test_a_server_that_says_otherwise_than_the_document_is_found_out(tmp_path):
    with served(tmp_path / "sandbox", "operator.parity-broken-field") as broken:
        report, told = broken["operator"].asked(
            tmp_path / "asked", DOCUMENT, "--include-operation-id", "dispatch_command", "--phases", "coverage"
        )
    assert {failure["type"] for failure in report["failures"]} == {"JsonSchemaError"}, told
