"""The suites run unchanged against a system that somebody else has started, found by configuration alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_spiral.run.verify import verify_bundle

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("operator_api", "operator_upload", "crown_handshake")
OPERATORS = ("overseer", "auditor")
OPERATED = """
import json, sys
from pathlib import Path
from spiral_sandbox.target import start

running = start((), 1, Path(sys.argv[1]))
parts = {name: running.component(name) for name in ("memory", "connectors", "operator")}
parts["memory"].ask("configure", items=50, shards=1)
asked = {name: parts["connectors"].ask("credential", service=name) for name in sys.argv[2].split(",")}
asked |= {name: parts["operator"].ask("credential", operator=name) for name in sys.argv[3].split(",")}
endpoints = {name: {at: dict(where) for at, where in part.endpoints.items()} for name, part in parts.items()}
print(json.dumps({"endpoints": endpoints, "tokens": {name: one["token"] for name, one in asked.items()}}), flush=True)
sys.stdin.read()
running.stop()
"""
SETTINGS = """
[tool.pytest.ini_options]
addopts = ["--strict-markers", "--import-mode=importlib"]
testpaths = ["suites"]
filterwarnings = ["error"]
"""
pytestmark = pytest.mark.timeout(180)


def ways(endpoints, service=""):
    """The lines that say where both transports lead."""
    prefix = f"{service}." if service else ""
    return [f'{kind} = "{endpoints[f"{prefix}{kind}"]["address"]}"' for kind in ("rest", "grpc")]


def configured(endpoints):
    """pyproject.toml with this system as `staging`."""
    files = [f'{key} = "{endpoints["memory"]["rest"][key]}"' for key in ("ca", "cert", "key")]
    target = "tool.spiral.targets.staging"
    credentials = ", ".join(f'{name} = "STAGING_{name.upper()}"' for name in OPERATORS)
    lines = [f"[{target}]", 'fidelity = "staging"', 'controls = "sandbox"', *files]
    lines += [f"[{target}.components.memory]", 'challenge = "nonce-item"', *ways(endpoints["memory"])]
    lines += [f"[{target}.components.operator]", 'challenge = "run-certificate"', *ways(endpoints["operator"])]
    lines += [f"credentials = {{ {credentials} }}"]
    lines += [f"[{target}.components.connectors]", 'challenge = "run-certificate"']
    for service in SERVICES:
        lines += [f"[{target}.components.connectors.services.{service}]", *ways(endpoints["connectors"], service)]
        lines += [f'credential = "STAGING_{service.upper()}"']
    return SETTINGS + "\n".join(lines) + "\n"


@pytest.fixture
def staging(tmp_path):
    """A running system: where it answers, and its credentials by the names of variables."""
    process = subprocess.Popen(
        [sys.executable, "-c", OPERATED, str(tmp_path / "run"), ",".join(SERVICES), ",".join(OPERATORS)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    told = json.loads(process.stdout.readline())
    yield told["endpoints"], {f"STAGING_{name.upper()}": token for name, token in told["tokens"].items()}
    process.stdin.close()
    process.wait(30)
    process.stdout.close()


def test_parity_is_tested_on_a_live_target_by_configuration_alone(staging, tmp_path):
    endpoints, tokens = staging
    project = tmp_path / "project"
    project.mkdir()
    (project / "suites").symlink_to(ROOT / "suites")
    (project / "pyproject.toml").write_text(configured(endpoints))
    reports = tmp_path / "reports"
    command = [
        sys.executable, "-m", "pytest", "-m", "stage_c or stage_e", "--spiral-evidence", "--spiral-gates", "C5,E1",
        "--spiral-target=staging", f"--spiral-reports={reports}", "-p", "no:cacheprovider",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=project, env={**os.environ, **tokens}, capture_output=True, text=True, timeout=160, check=False
    )
    (bundle,) = (path.parent for path in reports.glob("*/*/summary.json"))
    assert verify_bundle(bundle).report.outcome == "sound"
    verdicts = {one["id"]: one["verdict"] for one in json.loads((bundle / "summary.json").read_text())["criteria"]}
    assert verdicts == dict.fromkeys(verdicts, "pass"), done.stdout
    assert {"C5.handshake-parity", "C5.control", "E1.parity", "E1.traces", "E1.gate", "E1.control"} == set(verdicts)
    written = "".join(path.read_text(errors="replace") for path in bundle.rglob("*") if path.is_file())
    assert [name for name, token in tokens.items() if token in written] == []
