"""The five recorded scenarios: current, cross-agent, and made by running the system."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from spiral_sandbox.crown.scenarios import load_scenarios, parse_scenarios, recorded, run_scenario
from spiral_sandbox.tables import packaged

ROOT = Path(__file__).resolve().parents[3]
SCENARIOS = load_scenarios()
TOOL = [sys.executable, str(ROOT / "tools" / "record_sessions.py")]


def told(name, kind):
    return [one["body"] for one in map(json.loads, recorded(name).splitlines()) if one["kind"] == kind]


def test_the_scenarios_are_those_of_the_roadmap():
    assert {(one.agent, one.seed) for one in SCENARIOS.values()} == {
        ("glm", 1101),
        ("kimicho", 2102),
        ("kimi_k2", 3103),
        ("air_star", 4104),
        ("rstar", 5105),
    }


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_recording_is_current(name):
    remedy = "what crown does has changed; read the difference, then run tools/record_sessions.py"
    assert run_scenario(SCENARIOS[name]) == recorded(name), remedy


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_about_its_agent_and_goes_across_agents(name):
    routes = {one["agent"] for one in told(name, "decision") if one["by"] == "operator"}
    assert SCENARIOS[name].agent in routes
    assert told(name, "call")
    assert len({one["agent"] for one in told(name, "decision")}) >= 2


def test_the_scenarios_together_use_all_that_comes_from_outside_and_every_agent():
    for kind in ("request", "clock", "recall", "draw"):
        assert any(told(name, kind) for name in SCENARIOS), kind
    assert {one["agent"] for name in SCENARIOS for one in told(name, "answer")} == {
        one.agent for one in SCENARIOS.values()
    }


def test_the_tool_says_that_the_recordings_are_current():
    done = subprocess.run([*TOOL, "--check"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_tool_refuses_what_it_does_not_know():
    done = subprocess.run([*TOOL, "--force"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (2, "record_sessions.py takes --check, or nothing.\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed = 1101", "seed = -1"),
        ("after_ms = 0", "after = 0"),
        ('name = "kimicho-guidance"', 'name = "glm-reflection"'),
    ],
)
def test_a_file_of_scenarios_is_read_strictly(old, new):
    text = packaged("spiral_sandbox.crown", "scenarios.toml")
    assert old in text
    with pytest.raises(ValueError, match=r"scenarios\.toml"):
        parse_scenarios(text.replace(old, new, 1))
