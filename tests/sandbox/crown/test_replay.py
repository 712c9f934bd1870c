"""Replaying from the log alone: what was run replays, and whatever was changed in a log is found where it was changed."""

import copy
import json
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spiral_sandbox.crown import session as session_module
from spiral_sandbox.crown.agents.turn import Answer
from spiral_sandbox.crown.canonical import canonical, plain
from spiral_sandbox.crown.clock import GivenClock
from spiral_sandbox.crown.decider import Wish
from spiral_sandbox.crown.log import Logger, read_log, sealed, written
from spiral_sandbox.crown.memory import Notes
from spiral_sandbox.crown.replay import replay_log
from spiral_sandbox.crown.rules import load_rules
from spiral_sandbox.crown.scenarios import load_scenarios, recorded
from spiral_sandbox.crown.session import Opening, Session, Sources

RULES = load_rules()
LIVE_ADDRESS = "http://127.0.0.1:9/answer"
PIECES = [
    "plan:", "revise:", "check:", "conclude:", "why", "must", "thanks", "the", "the sea is calm", "the sea is not calm",
    "wash before dry", "dry after wash", "wash after dry", ";", ".", "?", "(", "10 min", "20 min", "2 + 2 = 5",
    "3 * 3 = 9", "and", "very", "then", "lamp", "harbour", "boats wait for the tide, and nobody sings", "ﬁn İstanbul ß",
]  # fmt: skip
texts = st.one_of(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=14).map(" ".join).filter(str.strip),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).filter(str.strip),
)
wishes = st.builds(
    Wish,
    name=st.sampled_from(["invocation", "closing"]),
    mood=st.sampled_from([one.name for one in RULES.mood]),
    preset=st.sampled_from([None, "root-drone", "no-such-preset"]),
)


@dataclass(frozen=True)
class Program:
    """A session to run: its seed, what memory holds, its requests with the pause before each, the agents that are live."""

    seed: int
    memory: list
    requests: list
    live: frozenset


programs = st.builds(
    Program,
    seed=st.integers(0, 2**63),
    memory=st.lists(texts, max_size=3),
    requests=st.lists(st.tuples(st.one_of(texts, wishes), st.integers(0, 10**6)), max_size=4),
    live=st.frozensets(st.sampled_from(["glm", "air_star", "kimi_k2"]), max_size=2),
)


def live_answer(asked):
    """A live agent whose answers crown cannot work out by itself."""
    return plain(Answer(text=f"{len(asked['text'])} letters, by hand", points=["seen"], keep=["by hand"]))


def record(program, extra=None):
    """Run a program; gives its log."""
    lines, clock = [], GivenClock()
    live = dict.fromkeys(sorted(program.live), live_answer)
    sources = Sources(clock=clock.read, memory=Notes(program.memory).recall, live=live)
    opening = Opening(session="s", seed=program.seed, rules=extra or RULES, live=dict.fromkeys(live, LIVE_ADDRESS))
    session = Session(opening, Logger(lines.append), sources)
    for asked, pause_ms in program.requests:
        clock.advance(pause_ms)
        session.modulate(asked) if isinstance(asked, Wish) else session.ask(asked)
    session.close()
    return b"".join(lines)


LOG = record(
    Program(
        seed=11,
        memory=["The lamp is lit.", "The harbour is wide."],
        requests=[
            ("Why is the harbour quiet?", 0),
            ("Check: the lamp is not lit, and 2 + 2 = 5.", 700_000),
            (Wish(name="closing", mood="calm", preset="root-drone"), 5),
            ("Conclude: The harbour is wide. The lamp is lit.", 9),
        ],
        live=frozenset({"kimi_k2", "kimicho"}),
    )
)
KINDS = [one.kind for one in read_log(LOG)[0]]


def said_of(data):
    records, broken = read_log(data)
    assert broken is None
    return [(one.kind, copy.deepcopy(one.body), one.state) for one in records]


def rewritten(said):
    return written(sealed(said))


def leaves(value, at=()):
    """The paths to all texts, numbers and truth values in a value."""
    if isinstance(value, dict):
        return [path for key in value for path in leaves(value[key], (*at, key))]
    if isinstance(value, list):
        return [path for place, one in enumerate(value) for path in leaves(one, (*at, place))]
    return [at]


def change(value, path):
    """The value with the leaf at a path changed, in place."""
    *way, last = path
    for key in way:
        value = value[key]
    old = value[last]
    value[last] = not old if isinstance(old, bool) else old + 1 if isinstance(old, int) else f"{old or ''}x"


# What was run replays


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(programs)
def test_whatever_was_run_replays_without_divergence(program):
    log = record(program)
    replay = replay_log(log)
    assert replay.divergence is None
    assert len(replay.steps) == log.count(b"\n")
    assert replay.head == replay_log(log).head


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(programs)
def test_the_same_program_gives_the_same_bytes(program):
    assert record(program) == record(program)


def test_the_log_that_is_altered_below_has_every_kind_of_step():
    listed = session_module.__doc__.split("\n\n")[2]
    assert set(KINDS) == {line.split()[0] for line in listed.splitlines()} - {"refusal"}
    assert replay_log(LOG).divergence is None


def test_another_seed_is_another_session():
    one, other = (replay_log(record(Program(seed, [], [("Plan: north; south", 0)], frozenset()))) for seed in (1, 2))
    assert one.head != other.head


# One change


def replaced(said, place, path):
    """The log with one leaf of one step changed (`kind`, `state`, or a path in its body), its chain made good."""
    kind, body, state = said[place]
    if path == "kind":
        kind = f"{kind}s"
    elif path == "state":
        state = "0" * 64
    else:
        body = copy.deepcopy(body)
        change(body, path)
    return rewritten([*said[:place], (kind, body, state), *said[place + 1 :]])


@pytest.mark.parametrize("place", range(len(KINDS)))
def test_every_single_change_to_a_step_is_found_at_exactly_that_step(place):
    said = said_of(LOG)
    for path in ("kind", "state", *leaves(said[place][1])):
        parted = replay_log(replaced(said, place, path)).divergence
        assert parted is not None, path
        assert parted.step == place, path
        assert parted.logged != parted.replayed, path


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(programs, st.data())
def test_any_one_change_to_any_log_is_found_at_exactly_its_step(program, data):
    said = said_of(record(program))
    place = data.draw(st.integers(0, len(said) - 1), label="step")
    path = data.draw(st.sampled_from(["kind", "state", *leaves(said[place][1])]), label="path")
    parted = replay_log(replaced(said, place, path)).divergence
    assert parted is not None
    assert parted.step == place


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_changed_byte_is_found_at_exactly_its_line(data):
    place = data.draw(st.integers(0, len(LOG) - 1), label="byte")
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != LOG[place]), label="as")
    altered = LOG[:place] + bytes([other]) + LOG[place + 1 :]
    parted = replay_log(altered).divergence
    assert parted is not None
    assert parted.step == LOG[:place].count(b"\n")
    assert parted.kind == "unreadable"


@pytest.mark.parametrize("place", range(len(KINDS)))
def test_a_missing_step_is_found_where_it_is_missing(place):
    said = said_of(LOG)
    parted = replay_log(rewritten(said[:place] + said[place + 1 :])).divergence
    assert parted is not None
    assert parted.step == place


@pytest.mark.parametrize("place", range(len(KINDS)))
def test_a_step_that_is_there_twice_is_found_at_the_second(place):
    said = said_of(LOG)
    parted = replay_log(rewritten([*said[: place + 1], *said[place:]])).divergence
    assert parted is not None
    assert parted.step == place + 1


@pytest.mark.parametrize("place", range(len(KINDS) - 1))
def test_two_steps_that_changed_places_are_found_at_the_first(place):
    said = said_of(LOG)
    said[place], said[place + 1] = said[place + 1], said[place]
    parted = replay_log(rewritten(said)).divergence
    assert parted is not None
    assert parted.step == place


@pytest.mark.parametrize("kept", range(len(KINDS)))
def test_a_log_that_was_cut_off_parts_at_its_end(kept):
    lines = LOG.splitlines(keepends=True)
    parted = replay_log(b"".join(lines[:kept])).divergence
    assert parted is not None
    assert (parted.step, parted.logged) == (kept, "no further step")


def test_a_line_that_was_cut_off_is_no_line():
    parted = replay_log(LOG[:-1]).divergence
    assert (parted.step, parted.field) == (len(KINDS) - 1, "line")


def test_nothing_may_follow_the_end():
    parted = replay_log(rewritten([*said_of(LOG), ("draw", {"for": "x", "of": 1, "drawn": 0}, "0" * 64)])).divergence
    assert (parted.step, parted.logged, parted.replayed) == (len(KINDS), "draw", "no further step")


def test_an_input_changed_with_the_states_of_its_whole_session_is_another_session():
    """The limit of what a log can show by itself, on record: who changes an input and runs everything again has run it."""
    program = Program(5, [], [("Plan: north; south", 0)], frozenset())
    other = Program(5, [], [("Plan: north; west", 0)], frozenset())
    assert replay_log(record(other)).divergence is None
    assert replay_log(record(other)).head != replay_log(record(program)).head


# What a divergence says


def altered(kind, edit, which=-1):
    said = said_of(LOG)
    place = [at for at, one in enumerate(said) if one[0] == kind][which]
    edit(said[place][1])
    return place, replay_log(rewritten(said)).divergence


@pytest.mark.parametrize(
    ("kind", "edit", "field", "words"),
    [
        ("decision", lambda body: body.update(model="rstar-loud"), "model", '"rstar-loud"'),
        ("decision", lambda body: body["reasons"].append("no reason"), "reasons[2]", '"no reason"'),
        ("decision", lambda body: body.pop("rules"), "rules", "not there"),
        ("answer", lambda body: body["answer"].update(text="no"), "answer.text", '"no"'),
        ("answer", lambda body: body.update(result="0" * 64), "result", "0" * 64),
        ("call", lambda body: body.update(to="rstar"), "to", '"rstar"'),
        ("draw", lambda body: body.update(drawn=9), "drawn", '"9"'),
        ("modulation", lambda body: body.update(preset="heart-pulse"), "preset", "heart-pulse"),
        ("request", lambda body: body.update(text="Sing."), "state", "the replay has"),
        ("request", lambda body: body.update(text=5), "body", "refused: Expected `str`, got `int`"),
        ("request", lambda body: body.update(text=" "), "body", "refused: A request is a text with something in it."),
        ("request", lambda body: body.update(why="x"), "why", "not there"),
        ("clock", lambda body: body.update(told="now"), "body", "refused: Expected `int`"),
        ("clock", lambda body: body.pop("told"), "told", "not there"),
        ("recall", lambda body: body.update(told=["The moon is lit."]), "state", "the replay has"),
        ("recall", lambda body: body.update(told={}), "body", "refused"),
        ("heard", lambda body: body["told"].update(text="other"), "state", "the replay has"),
        ("heard", lambda body: body["told"].update(mood="other"), "body", "refused"),
        ("opened", lambda body: body.update(seed=12), "state", "the replay has"),
        ("opened", lambda body: body["rules"].update(otherwise="nobody"), "body", "refused"),
        ("opened", lambda body: body.update(live={"hermes": "x"}), "body", "refused"),
        ("closed", lambda body: body.update(turns=0), "turns", '"0"'),
    ],
)  # fmt: skip
def test_a_divergence_names_step_field_and_both_sides(kind, edit, field, words):
    place, parted = altered(kind, edit)
    assert (parted.step, parted.kind, parted.field) == (place, kind, field)
    assert parted.sentence.startswith(f"step {place} ({kind}), {field}: the log has ")
    assert words in parted.sentence


def test_an_altered_mood_of_a_wish_is_refused_with_the_moods_there_are():
    said = said_of(LOG)
    place = next(at for at, one in enumerate(said) if "wish" in one[1])
    said[place][1]["wish"]["mood"] = "gloomy"
    parted = replay_log(rewritten(said)).divergence
    assert parted.step == place
    assert "calm, curious, joyful, resolute" in parted.replayed


def test_a_diff_shows_the_lines_that_differ_and_no_others():
    _, parted = altered("decision", lambda body: body.update(model="rstar-loud"))
    changed = [line for line in parted.diff.splitlines() if line[0] in "+-"]
    assert changed[:2] == ["--- log", "+++ replay"]
    assert [line[:12] for line in changed[2:]] == ['- "model": "', '+ "model": "']


def test_long_values_are_shortened_in_a_divergence():
    _, parted = altered("answer", lambda body: body["answer"].update(text="long " * 1000))
    assert parted.logged.endswith("and 4600 more")


# Logs that are no logs


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "kind"),
        (b"\n", "line"),
        (b"[]\n", "line"),
        (b"\xff\n", "line"),
        (b'{"step":0}\n', "line"),
        (b"[" * 100_000 + b"\n", "line"),
        (b"x" * (1 << 21), "line"),
        (LOG.replace(b'"step":0', b'"step":0.0', 1), "line"),
        (LOG.replace(b'{"before"', b'{ "before"', 1), "line"),
        (LOG.replace(b'"step":0', b'"step":1', 1), "step"),
        (LOG.replace(b'{"before":"0', b'{"before":"1', 1), "before"),
    ],
)
def test_what_is_no_log_parts_at_its_first_line(data, field):
    parted = replay_log(data).divergence
    assert (parted.step, parted.field) == (0, field)


def test_a_first_step_of_another_kind_is_no_beginning():
    parted = replay_log(rewritten([("draw", {}, "0" * 64)])).divergence
    assert (parted.step, parted.logged, parted.replayed) == (0, "draw", "opened")


@pytest.mark.parametrize("name", load_scenarios())
def test_a_line_of_a_log_is_its_canonical_bytes(name):
    for line in recorded(name).splitlines():
        assert canonical(json.loads(line)) == line
