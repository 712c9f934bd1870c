"""The operator surface as the subject of a run with evidence: challenged, called over both transports, traced."""

import json

from pytest_spiral.run.verify import verify_bundle

GATES = """\
format = 1

[[gate]]
id = "O1"
title = "Commands are acknowledged"
owner = "@ops-team"
objective = "A command is acknowledged over both transports."
subjects = ["operator"]

[[gate.criterion]]
id = "O1.acknowledged"
promise = "Each command is acknowledged, over both transports."
limit = "failures(acknowledged) <= 0"
samples = 2

[[gate.criterion]]
id = "O1.control"
promise = "A reply with another field is found out."
control = { of = "O1.acknowledged", fault = "operator.parity-broken-field" }
"""

TEST = """\
import pytest

from pytest_spiral.model.exchange import Request

def measure(spiral, operator):
    token = operator.ask("credential", operator="overseer")["token"]
    payload = {"operator": "overseer", "agent": "crown", "command": "hold the line"}
    metadata = {"authorization": f"Bearer {token}"}
    with spiral.measure("acknowledged") as m:
        for kind in ("rest", "grpc"):
            reply = operator.transport(kind).exchange(
                Request(operation="dispatch_command", payload=payload, metadata=metadata)
            )
            m.check(reply.payload["result"] == {"ack": "hold the line"}, kind)

@pytest.mark.criterion("O1.acknowledged")
def test_commands_are_acknowledged(spiral):
    measure(spiral, spiral.target.operator)

@pytest.mark.criterion("O1.control")
def test_another_field_is_found_out(spiral):
    with spiral.control() as broken:
        measure(spiral, broken.operator)
"""


def test_a_gate_on_the_operator_surface_is_go(pytester):
    pytester.path.joinpath("gates.toml").write_text(GATES)
    pytester.makepyfile(test_o1=TEST)
    reports = pytester.path / "reports"
    ran = pytester.runpytest_subprocess(
        "--spiral-evidence", "--spiral-gates=O1", "--spiral-target=sandbox", f"--spiral-reports={reports}", "-p",
        "no:cacheprovider", "-o", "spiral_gate_files=gates.toml",
    )  # fmt: skip
    assert ran.ret == 0, ran.stdout.str()
    (folder,) = (path for stage in reports.iterdir() for path in stage.iterdir() if (path / "summary.json").is_file())
    assert verify_bundle(folder).report.outcome == "sound"
    verdicts = {one["id"]: one["verdict"] for one in json.loads((folder / "summary.json").read_text())["criteria"]}
    assert verdicts == {"O1.acknowledged": "pass", "O1.control": "pass"}
    records = [json.loads(line) for line in (folder / "journal" / "main.jsonl").read_text().splitlines()]
    kinds = [one["body"]["challenge"]["kind"] for one in records if one["kind"] == "subject"]
    assert kinds == ["nonce-item"] * 3  # at the start, of the control's target, and at the end
    for kind in ("rest", "grpc"):
        trace = (folder / "traces" / "operator" / f"{kind}_trace.json").read_text()
        assert "hold the line" in trace
        assert "Bearer" not in trace
