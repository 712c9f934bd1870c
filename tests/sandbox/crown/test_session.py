"""Sessions: rules that are read strictly, requests that are refused, agents that answer over HTTP, calls without end."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiral_sandbox import tables
from spiral_sandbox.crown import memory
from spiral_sandbox.crown.agents import AGENTS
from spiral_sandbox.crown.agents import remote as remote_agent
from spiral_sandbox.crown.agents.remote import LONGEST_REPLY, checked_address, remote
from spiral_sandbox.crown.canonical import canonical
from spiral_sandbox.crown.clock import GivenClock, RunningClock
from spiral_sandbox.crown.decider import Wish, modulate
from spiral_sandbox.crown.errors import CrownError
from spiral_sandbox.crown.log import Logger, read_log, sealed, written
from spiral_sandbox.crown.replay import replay_log
from spiral_sandbox.crown.rules import load_rules, parse_rules
from spiral_sandbox.crown.session import Opening, Session, Sources
from spiral_sandbox.sonic.demo import load_demo
from spiral_sandbox.sonic.presets import load_presets

RULES = load_rules()
TEXT = tables.packaged("spiral_sandbox.crown", "rules.toml")


def open_session(lines, rules=RULES, live=None, seed=1):
    """A session on a standing clock with an empty memory; `live` is agent → address."""
    live = live or {}
    sources = Sources(
        clock=GivenClock().read, memory=memory.Notes().recall, live={agent: remote(at) for agent, at in live.items()}
    )
    return Session(Opening(session="s", seed=seed, rules=rules, live=live), Logger(lines.append), sources)


def told(lines, kind):
    return [one["body"] for one in map(json.loads, lines) if one["kind"] == kind]


# Rules


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("format = 1", "format = 2"),
        ("most_calls = 60", "most_calls = 0"),
        ("most_calls = 60", "most_cals = 60"),
        ('otherwise = "glm"', 'otherwise = "hermes"'),
        ("votes = { kimicho = 5 }", "votes = { hermes = 5 }"),
        ("votes = { kimicho = 5 }", "votes = {}"),
        ('moods = ["curious"]', 'moods = ["gloomy"]'),
        ('name = "glm-wide"', 'name = "glm-near"'),
        ('name = "calm"', 'name = "joyful"'),
        ("weight = 3", "weight = 0"),
        ("weight = 3", "weight = 1.5"),
        ("[[mood]]", "[[mood"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(old, new):
    assert parse_rules(TEXT) == RULES
    assert old in TEXT
    with pytest.raises(ValueError, match=r"rules\.toml cannot be read"):
        parse_rules(TEXT.replace(old, new, 1))


def test_every_agent_has_models_and_is_sent_to_by_a_rule():
    assert set(RULES.agents) == set(AGENTS)
    assert {agent for rule in RULES.rule for agent in rule.votes} == set(AGENTS)


def test_a_model_of_an_agent_that_nobody_wrote_is_refused():
    rules = parse_rules(TEXT.replace('agent = "rstar"', 'agent = "hermes"').replace("rstar = ", "hermes = "))
    with pytest.raises(ValueError, match="the rules name hermes, and there is no such agent"):
        open_session([], rules=rules)


# Requests


@pytest.mark.parametrize("text", ["", "  ", None, 5, "x" * 10_001, "\ud800"])
def test_what_is_no_request_is_refused_and_leaves_no_step(text):
    lines = []
    session = open_session(lines)
    with pytest.raises(CrownError, match=r"^A request"):
        session.ask(text)
    assert len(lines) == 1
    session.ask("Sing.")
    session.close()
    assert replay_log(b"".join(lines)).divergence is None


def test_a_session_remembers_so_many_notes_and_forgets_the_oldest():
    session = open_session([])
    for number in range(RULES.remembered + 2):
        session.ask(f"Revise: word{number} sleeps.")
        session.ask(f"The harbour{number} sleeps.")
    assert len(session.state.notes) == RULES.remembered
    assert session.state.notes[-1] == "reflected on sleeps"
    assert f"reflected on harbour{RULES.remembered + 1}" in session.state.notes
    assert "reflected on harbour0" not in session.state.notes


def test_memory_recalls_notes_with_most_of_the_words_first():
    notes = memory.Notes(["one lamp", "bread", "lamp and harbour", "two lamp", "three lamp"])
    assert notes.recall(["lamp", "harbour"]) == ["lamp and harbour", "one lamp", "two lamp"]
    assert notes.recall(["moon"]) == []


def test_clocks_do_not_go_back():
    clock = GivenClock()
    clock.advance(5)
    with pytest.raises(ValueError, match="does not go back by 1 ms"):
        clock.advance(-1)
    assert clock.read() == 5
    running = RunningClock()
    assert 0 <= running.read() <= running.read()


# Modulation presets, chosen by mood and seed


def preset_of(seed, name, mood, wish=None):
    return modulate(seed, Wish(name=name, mood=mood, preset=wish), RULES)


MOODS = {one.name: one.presets for one in RULES.mood}


def test_moods_allow_presets_that_sonic_has_and_the_demo_is_in_moods_that_there_are():
    assert {preset for presets in MOODS.values() for preset in presets} == set(load_presets())
    assert {step.mood for step in load_demo()} <= set(MOODS)


@given(seed=st.integers(), step=st.text(min_size=1), mood=st.sampled_from(sorted(MOODS)))
def test_the_same_seed_step_and_mood_give_the_same_allowed_preset(seed, step, mood):
    first = preset_of(seed, step, mood)
    assert first == preset_of(seed, step, mood)
    assert first.preset in MOODS[mood]
    assert first.preset in first.reasons[-1]


def test_presets_are_drawn_in_proportion_to_their_weights():
    drawn = [preset_of(seed, "step", "calm", "crown-shimmer").preset for seed in range(4_000)]
    for name, weight in {"root-drone": 3, "tidal-pad": 2, "crown-shimmer": 1 + 2}.items():
        assert drawn.count(name) / 4_000 == pytest.approx(weight / 8, abs=0.04)


def test_step_and_mood_change_the_draw():
    assert {preset_of(3, f"step-{number}", "calm").preset for number in range(50)} == set(MOODS["calm"])


def test_a_wish_that_a_mood_does_not_allow_is_said_and_not_granted():
    decision = preset_of(1, "step", "joyful", "root-drone")
    assert decision.preset != "root-drone"
    assert "does not allow" in decision.reasons[1]


def test_a_mood_that_is_not_known_is_refused_and_leaves_no_step():
    lines = []
    session = open_session(lines)
    with pytest.raises(ValueError, match="mood 'gloomy' is not known; known are calm, curious, joyful, resolute"):
        session.modulate(Wish(name="step", mood="gloomy"))
    assert len(lines) == 1


# Calls without end


@pytest.mark.parametrize("bound", ["most_calls", "deepest"])
def test_calls_beyond_the_bound_are_refused_logged_and_replayed(bound):
    lines = []
    session = open_session(lines, rules=msgspec.structs.replace(RULES, **{bound: 1}))
    session.ask("Conclude: The lamp is lit. The lamp is not lit. The harbour is wide. 1 + 1 = 3.")
    session.close()
    refusals = told(lines, "refusal")
    assert refusals
    assert all(
        one["why"].endswith(f"of {1 if bound == 'most_calls' else 60} and {1 if bound == 'deepest' else 6}")
        for one in refusals
    )
    assert replay_log(b"".join(lines)).divergence is None


def test_bounds_are_counted_for_each_request():
    lines = []
    session = open_session(lines, rules=msgspec.structs.replace(RULES, most_calls=1))
    for _ in range(3):
        session.ask("Plan: wash 10 min; dry 20 min")
    assert told(lines, "refusal") == []


# Live agents


class Elsewhere:
    """An agent that answers over HTTP on loopback: keeps what it was asked, answers what it was told to."""

    def __init__(self):
        self.asked, self.status, self.body, self.missing = [], 200, b'{"text": "from elsewhere"}', 0
        self.encoding, outer = "", self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                outer.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(outer.status)
                self.send_header("content-length", str(len(outer.body) + outer.missing))
                if outer.encoding:
                    self.send_header("content-encoding", outer.encoding)
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_told):
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/answer"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def elsewhere():
    server = Elsewhere()
    yield server
    server.stop()


def test_a_live_agent_is_asked_and_its_answer_is_the_sessions(elsewhere):
    elsewhere.body = canonical(
        {"text": "the sum is wrong", "points": ["wrong"], "accepted": False, "corrections": [{"said": "9", "due": "8"}]}
    )
    lines = []
    session = open_session(lines, live={"air_star": elsewhere.address})
    answer = session.ask("Revise: We have 9 boats.")
    assert answer.text == "We have 8 boats."
    assert elsewhere.asked[0] == {
        "agent": "air_star",
        "model": elsewhere.asked[0]["model"],
        "figures": RULES.models_of("air_star")[elsewhere.asked[0]["model"]].figures,
        "text": "check: We have 9 boats.",
    }
    assert [one["agent"] for one in told(lines, "heard")] == ["air_star"] * len(elsewhere.asked)


def test_a_session_with_a_live_agent_replays_without_it(elsewhere):
    lines = []
    session = open_session(lines, live={"glm": elsewhere.address, "air_star": elsewhere.address})
    session.ask("Conclude: The lamp is lit. The harbour is wide.")
    session.ask("The sea is wide.")
    session.close()
    asked = len(elsewhere.asked)
    assert asked > 2
    elsewhere.body = b'{"text": "something else today"}'
    assert replay_log(b"".join(lines)).divergence is None
    assert len(elsewhere.asked) == asked


def test_an_altered_answer_of_a_live_agent_is_found_at_its_step(elsewhere):
    lines = []
    session = open_session(lines, live={"glm": elsewhere.address})
    session.ask("The sea is wide.")
    session.close()
    said = [(one.kind, one.body, one.state) for one in read_log(b"".join(lines))[0]]
    place = next(at for at, one in enumerate(said) if one[0] == "heard")
    said[place][1]["told"]["text"] = "from somewhere"
    assert replay_log(written(sealed(said))).divergence.step == place


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (503, b'{"text": "x"}', "status 503"),
        (302, b"", "status 302"),
        (200, b"no json", "DecodeError"),
        (200, b'{"txt": "x"}', "ValidationError"),
        (200, b'{"text": 5}', "ValidationError"),
        (200, b'{"text": "' + b"x" * LONGEST_REPLY + b'"}', "more than 262144 bytes"),
    ],
)
def test_a_live_agent_that_does_not_answer_is_logged_as_that_and_the_session_goes_on(elsewhere, status, body, why):
    elsewhere.status, elsewhere.body = status, body
    lines = []
    session = open_session(lines, live={"glm": elsewhere.address})
    answer = session.ask("The sea is wide.")
    assert (answer.text, answer.accepted) == ("", False)
    assert why in answer.failed
    assert why in session.ask("Conclude: all is said.").points[-1]
    session.close()
    assert replay_log(b"".join(lines)).divergence is None


@pytest.mark.parametrize(("spoilt", "why"), [({"missing": 9}, "IncompleteRead"), ({"encoding": "gzip"}, "DecodeError")])
def test_a_live_agent_whose_answer_does_not_come_whole_has_failed(elsewhere, spoilt, why):
    for name, value in spoilt.items():
        setattr(elsewhere, name, value)
    answer = open_session([], live={"glm": elsewhere.address}).ask("The sea is wide.")
    assert (answer.text, answer.accepted) == ("", False)
    assert why in answer.failed


def test_a_live_agent_that_never_comes_to_an_end_has_failed_in_time(dripping, monkeypatch):
    """Each byte comes in good time, and the last one never: the deadline is for all of it."""
    monkeypatch.setattr(remote_agent, "DEADLINE_S", 0.3)
    answer = open_session([], live={"glm": dripping.address}).ask("The sea is wide.")
    assert (answer.text, answer.failed) == ("", "TimeoutError: not done within 0.3 s")


def test_nobody_there_is_an_answer_that_failed():
    gone = Elsewhere()
    gone.stop()
    answer = open_session([], live={"glm": gone.address}).ask("The sea is wide.")
    assert "ConnectionError" in answer.failed


@pytest.mark.parametrize(
    "address",
    [
        "",
        "glm",
        "ftp://127.0.0.1/x",
        "http:///x",
        "http://user:word@127.0.0.1/x",
        "http://127.0.0.1/x?key=1",
        "http://h/#a",
    ],
)
def test_an_address_that_may_not_stand_in_a_log_is_refused(address):
    with pytest.raises(CrownError, match="address"):
        checked_address(address)
