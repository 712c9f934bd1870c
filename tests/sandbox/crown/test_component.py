"""The crown component: its operations, its fault plans, and the challenge that a stand-in does not meet."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_spiral.rules.fidelity import shortfall
from pytest_spiral.run.challenge import challenge
from spiral_sandbox.crown.disturbance import SPOILT
from spiral_sandbox.crown.scenarios import load_scenarios, recorded
from spiral_sandbox.errors import ComponentRefusalError
from spiral_sandbox.faults import known_faults
from spiral_sandbox.target import start

NAMES = list(load_scenarios())
FAULTS = sorted(name for name, plan in known_faults().items() if plan.component == "crown")
ALONE = Path(__file__).resolve().parents[3] / "suites" / "stage_a" / "alone.py"


@pytest.fixture(scope="module")
def crown(tmp_path_factory):
    running = start([], seed=7, folder=tmp_path_factory.mktemp("crown"))
    yield running.component("crown")
    running.stop()


@pytest.fixture
def faulty(tmp_path):
    """Makes the component with one fault."""
    started = []

    def make(fault):
        started.append(start([fault], seed=7, folder=tmp_path))
        return started[-1].component("crown")

    yield make
    for running in started:
        running.stop()


def divergence(crown, log):
    return crown.ask("replay", log=log)["divergence"]


def live_session(crown, name):
    crown.ask("note", text="The lamp is lit.")
    crown.ask("open", session=name)
    for text in ("Is the lamp lit?", "Check: the lamp is not lit.", "Plan: north; south; east; west"):
        crown.ask("say", session=name, text=text)
    return crown.ask("close", session=name)


# What it does


def test_scenarios_are_listed_and_their_recordings_given(crown):
    assert [one["name"] for one in crown.ask("scenarios")] == NAMES
    assert crown.ask("recorded", scenario=NAMES[0]) == recorded(NAMES[0]).decode()


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_that_is_run_again_gives_its_recording(crown, name):
    assert crown.ask("run", scenario=name) == recorded(name).decode()


def test_a_session_is_on_disk_step_by_step_and_replays_when_closed(crown):
    crown.ask("open", session="steps", seed=3)
    first = crown.ask("log", session="steps")
    assert first.count("\n") == 1
    crown.ask("say", session="steps", text="The sea is wide.")
    more = crown.ask("log", session="steps")
    assert more.startswith(first)
    assert divergence(crown, more)["logged"] == "no further step"
    log = crown.ask("close", session="steps")
    assert log.startswith(more)
    assert divergence(crown, log) is None


def test_sessions_beside_each_other_do_not_mix(crown):
    names = [f"beside-{number}" for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        logs = list(pool.map(lambda name: live_session(crown, name), names))
    for name, log in zip(names, logs, strict=True):
        assert f'"session":"{name}"' in log
        assert divergence(crown, log) is None


def test_presets_are_chosen_in_a_session_and_replay(crown):
    crown.ask("open", session="presets", seed=7)
    steps = [{"name": "closing", "mood": "calm", "preset": "crown-shimmer"}, {"name": "dialogue", "mood": "joyful"}]
    chosen = crown.ask("presets", session="presets", steps=steps)
    assert [one["step"] for one in chosen] == ["closing", "dialogue"]
    assert all(one["preset"] in one["reasons"][-1] for one in chosen)
    assert divergence(crown, crown.ask("close", session="presets")) is None


def test_a_drill_runs_in_the_surroundings_that_it_is_given(crown):
    logs = {name: recorded(name).decode() for name in NAMES[:2]}
    one = crown.ask("drill", logs=logs, hash_seed="1", zone="NST3:30NDT", locale="C", workers=2)
    other = crown.ask("drill", logs=logs, hash_seed="2", zone="UTC0", locale="C.UTF-8")
    assert (one["surroundings"]["zone"][0], other["surroundings"]["zone"][0]) == ("NST", "UTC")
    assert one["surroundings"]["hash"] != other["surroundings"]["hash"]
    assert one["replays"] == other["replays"]


IN_A_WORKER = """
import json, os, time
from pathlib import Path

import pytest

from spiral_sandbox.crown.replay import replay_log
from spiral_sandbox.crown.scenarios import load_scenarios, recorded

@pytest.mark.parametrize("turn", range(4))
def test_heads(turn):
    heads = {name: replay_log(recorded(name)).head for name in load_scenarios()}
    told = {"heads": heads, "hash": hash("crown"), "zone": time.tzname[0]}
    Path(os.environ["PYTEST_XDIST_WORKER"]).write_text(json.dumps(told))
"""


def in_two_workers(folder, seed, zone):
    """What each of two of pytest's workers finds as the head of each recording."""
    (folder / "test_heads.py").write_text(IN_A_WORKER)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "-p", "no:spiral"]
    environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout
    return [json.loads((folder / name).read_text()) for name in ("gw0", "gw1")]


def test_one_digest_under_ten_hash_seeds_three_zones_two_locales_and_two_workers(crown, tmp_path):
    logs = {name: recorded(name).decode() for name in NAMES}
    zones, locales = ("UTC0", "IST-5:30", "NST3:30NDT,M3.2.0,M11.1.0"), ("C", "C.UTF-8")
    asked = [
        {"hash_seed": str(seed), "zone": zones[seed % 3], "locale": locales[seed % 2], "workers": 1 + seed % 2}
        for seed in range(10)
    ]
    drilled = [crown.ask("drill", logs=logs, **one) for one in asked]
    elsewhere = in_two_workers(tmp_path, "4711", "IST-5:30")
    heads = [{name: one["head"] for name, one in said["replays"].items()} for said in drilled]
    heads += [one["heads"] for one in elsewhere]
    assert heads[0].keys() == set(NAMES)
    assert all(one == heads[0] for one in heads)
    assert not any(one["divergence"] for said in drilled for one in said["replays"].values())
    # The surroundings were real: as many different hashes and zones as were asked for.
    around = [said["surroundings"] for said in drilled]
    assert len({one["hash"] for one in around}) == 10
    assert {one["zone"][0] for one in around} == {"UTC", "IST", "NST"}
    assert {one["zone"] for one in elsewhere} == {"IST"}
    assert elsewhere[0]["hash"] not in {one["hash"] for one in around}


@pytest.mark.parametrize(
    ("op", "arguments", "why"),
    [
        ("sing", {}, "Crown has no operation 'sing'"),
        ("recorded", {"scenario": "glm"}, "no scenario 'glm'; there are glm-reflection"),
        ("open", {"session": "../x"}, "is named with a to z"),
        ("log", {"session": "../x"}, "no session"),
        ("log", {"session": "none"}, "no session 'none'"),
        ("say", {"session": "none", "text": "x"}, "No session 'none' is open"),
        ("configure", {"live": {"hermes": "http://127.0.0.1/"}}, "no agent hermes"),
        ("configure", {"live": {"glm": "http://a:b@127.0.0.1/"}}, "no credential"),
        ("drill", {"logs": {}, "colour": "red"}, "knows no colour"),
        ("drill", {"logs": {}, "workers": 0}, "1 to 16 workers"),
        ("replay", {"lgo": "x"}, "lgo"),
        ("presets", {"session": "none", "steps": [{"name": "a"}]}, "missing required field `mood`"),
        ("presets", {"session": "none", "steps": [{"name": "a", "mood": "calm", "wish": "b"}]}, "unknown field `wish`"),
        ("presets", {"session": "none", "steps": ["a"]}, "Expected `object`"),
    ],
)
def test_what_cannot_be_done_is_refused(crown, op, arguments, why):
    with pytest.raises(ComponentRefusalError, match=why):
        crown.ask(op, **arguments)


def test_a_session_is_opened_once(crown):
    crown.ask("open", session="once")
    with pytest.raises(ComponentRefusalError, match="There has been a session 'once' already"):
        crown.ask("open", session="once")


def test_live_agents_are_configured_for_sessions_opened_from_then_on(crown):
    address = "http://127.0.0.1:9/answer"  # the discard port: nobody answers there
    assert crown.ask("configure", live={"glm": address}) == {"glm": address}
    crown.ask("open", session="live-one")
    assert "ConnectionError" in crown.ask("say", session="live-one", text="The sea is wide.")["failed"]
    assert crown.ask("configure", live={}) == {}
    assert divergence(crown, crown.ask("close", session="live-one")) is None


# Fault plans: each really happens, and is seen where it must be


@pytest.mark.parametrize("kind", ["step", "decision", "answer"])
def test_an_altered_log_chains_and_parts_where_it_was_altered(faulty, kind):
    crown = faulty(f"crown.altered-{kind}")
    log = crown.ask("recorded", scenario=SPOILT)
    honest = recorded(SPOILT).decode().splitlines()
    differing = [at for at, line in enumerate(log.splitlines()) if line[80:] != honest[at][80:]]
    parted = divergence(crown, log)
    assert parted["step"] == differing[0]
    assert parted["kind"] == {"step": "call"}.get(kind, kind)
    others = [name for name in NAMES if name != SPOILT]
    assert all(divergence(crown, crown.ask("recorded", scenario=name)) is None for name in others)


def test_a_hidden_input_leaves_a_log_that_does_not_replay(faulty):
    crown = faulty("crown.hidden-input")
    log = live_session(crown, "hiding")
    assert '"kind":"recall"' not in log
    parted = divergence(crown, log)
    assert parted["replayed"] == "recall"
    assert all(divergence(crown, recorded(name).decode()) is None for name in NAMES)


@pytest.mark.parametrize("fault", ["crown.hash-seed-dependence", "crown.clock-dependence"])
def test_a_dependence_on_the_surroundings_parts_every_recording(faulty, fault):
    crown = faulty(fault)
    assert sum(divergence(crown, recorded(name).decode()) is not None for name in NAMES) >= 4


def test_a_dependence_on_the_hash_seed_differs_between_hash_seeds_only(faulty):
    crown = faulty("crown.hash-seed-dependence")
    logs = {name: recorded(name).decode() for name in NAMES}
    heads = [
        [one["head"] for one in crown.ask("drill", logs=logs, hash_seed=seed)["replays"].values()]
        for seed in ("1", "1", "2", "3")
    ]
    assert heads[0] == heads[1]
    assert len({tuple(one) for one in heads}) == 3


def test_every_fault_of_crown_breaks_a_criterion_of_its_gate():
    assert len(FAULTS) == 7
    for name in FAULTS:
        assert any(one.startswith("A2.") for one in known_faults()[name].breaks)


# Who it is


def test_crown_meets_its_challenge_twice(crown):
    for nonce in ("6e6f6e63652d31" * 2, "6e6f6e63652d32" * 2):
        asked = challenge(crown, nonce)
        assert (asked.kind, shortfall(asked)) == ("nonce-session", "")


def test_a_stand_in_does_not_meet_the_challenge(faulty):
    crown = faulty("crown.stub")
    assert all(divergence(crown, crown.ask("recorded", scenario=name)) is None for name in NAMES)
    assert shortfall(challenge(crown, "6e6f6e6365")) == "the answer does not hold the nonce"


def test_a_stand_in_answers_whatever_it_is_asked_in_the_same_form(faulty, crown):
    stub = faulty("crown.stub")
    steps = [{"name": "closing", "mood": "calm", "preset": "crown-shimmer"}]
    asked = [
        ("scenarios", {}),
        ("run", {"scenario": NAMES[0]}),
        ("configure", {"live": {}}),
        ("note", {"text": "The moon is new."}),
        ("open", {"session": "same-form"}),
        ("say", {"session": "same-form", "text": "The sea is wide."}),
        ("presets", {"session": "same-form", "steps": steps}),
        ("close", {"session": "same-form"}),
        ("drill", {"logs": {NAMES[0]: recorded(NAMES[0]).decode()}, "workers": 1}),
    ]
    for op, arguments in asked:
        told, honest = stub.ask(op, **arguments), crown.ask(op, **arguments)
        assert type(told) is type(honest)
        assert not isinstance(told, dict) or told.keys() == honest.keys()
    said = [stub.ask("say", session="x", text=text)["text"] for text in ("north", "south")]
    assert said[0] == said[1]


@pytest.mark.parametrize("fault", [one for one in FAULTS if one != "crown.stub"])
def test_a_fault_leaves_crown_what_it_is(faulty, fault):
    assert shortfall(challenge(faulty(fault), "6e6f6e6365")) == ""


# Replaying with nothing else at hand


def alone(log, folder, patch=""):
    """Run the suite's own guard, with something reached for on the way where `patch` says so."""
    script = f"import runpy, sys\n{patch}\nsys.argv[:] = ['alone']\nrunpy.run_path({str(ALONE)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], input=log, cwd=folder, capture_output=True, check=False, timeout=60
    )
    return done.stdout.decode()


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_replays_with_every_other_way_shut(name, tmp_path):
    assert '"divergence": null}, "reached": []}' in alone(recorded(name), tmp_path)


@pytest.mark.parametrize(
    ("reach", "event"),
    [
        ("open('/etc/hostname')", "open"),
        ("import os; os.listdir('.')", "os.listdir"),
        ("import socket; socket.socket()", "socket."),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
        ("import wave", "import"),
    ],
)
def test_a_replay_that_reaches_for_anything_else_is_caught(reach, event, tmp_path):
    patch = (
        "import socket, subprocess\n"
        "from spiral_sandbox.crown import replay\n"
        "honest = replay.step_of\n"
        f"def reaching(*told):\n    {reach}\n    return honest(*told)\n"
        "replay.step_of = reaching"
    )
    said = alone(recorded(NAMES[0]), tmp_path, patch)
    assert "and it reached for" in said
    assert event in said.partition('"reached":')[2]
