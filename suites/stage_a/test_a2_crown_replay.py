"""A2: recorded cross-agent scenarios replay without divergence, anywhere, from their logs alone."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

SURROUNDINGS = [
    {"hash_seed": str(seed), "locale": locale, "zone": zone, "workers": workers}
    for seed, locale, zone, workers in zip(
        range(10),
        ["C", "C.UTF-8"] * 5,
        ["UTC0", "IST-5:30", "NST3:30NDT,M3.2.0,M11.1.0", "LINT-14", "UTC0"] * 2,
        [1, 2, 4, 1, 5] * 2,
        strict=True,
    )
]
ASKED = [
    ("Why is the harbour quiet? Is the lamp lit?", "Check: the lamp is not lit and 3 + 4 = 8.", "Thanks for the lamp."),
    ("Plan: fill the lamp 10 min; light the lamp 5 min after fill the lamp; sail after light the lamp",),
    ("Revise: The the lamp is very very bright, and the harbour is full of boats that wait for the tide to turn.",),
    ("Validate: The harbour is frozen. The lamp is lit. 2 * 3 + 4 = 11.", "Is the harbour frozen?"),
    (
        "Finalise: The harbour is open. The lamp is lit. The tide is late. Boats wait. 1 + 1 = 3.",
        "Conclude: all is said.",
    ),
]
SCENARIOS = {
    "glm-reflection": ("glm", 1101),
    "kimicho-guidance": ("kimicho", 2102),
    "kimi-k2-revision": ("kimi_k2", 3103),
    "air-star-validation": ("air_star", 4104),
    "rstar-finalization": ("rstar", 5105),
}
NOTES = ["The lamp is lit.", "The harbour is not frozen.", "Boats leave with the tide."]


def recordings(crown):
    """The recorded log of each scenario."""
    return {one["name"]: crown.ask("recorded", scenario=one["name"]) for one in crown.ask("scenarios")}


def drills(crown, recorded):
    """Five drills: in order, backwards, side by side, among other work, in a fresh process."""

    def replay(name):
        return crown.ask("replay", log=recorded[name])

    def replay_among_others(name):
        crown.ask("run", scenario=name)
        return replay(name)

    yield "in-order", {name: replay(name) for name in recorded}
    yield "backwards", {name: replay(name) for name in reversed(recorded)}
    with ThreadPoolExecutor(len(recorded)) as pool:
        yield "side-by-side", dict(zip(recorded, pool.map(replay, recorded), strict=True))
    yield "among-others", {name: replay_among_others(name) for name in recorded}
    yield "fresh", crown.ask("drill", logs=recorded)["replays"]


def measure_drills(spiral, crown, logs):
    """Every step of five scenarios in five drills: as the log tells it, and as the replay does it."""
    recorded = recordings(crown)
    with spiral.measure("scenarios") as scenarios:
        for name, (agent, seed) in SCENARIOS.items():
            lines = logs.read(recorded.get(name, ""))
            seeds = [line["body"]["seed"] for line in lines if line["kind"] == "opened"]
            asked = {line["body"]["agent"] for line in lines if line["body"].get("by") == "operator"}
            calls = [line for line in lines if line["kind"] == "call"]
            crosses = seeds == [seed] and agent in asked and calls
            scenarios.check(crosses, f"{name} is no recording of {agent} with seed {seed}, working with other agents")
    with (
        spiral.measure("recorded") as told,
        spiral.measure("replayed") as done,
        spiral.measure("replays") as replays,
    ):
        for drill, replayed in drills(crown, recorded):
            for name, log in recorded.items():
                for step, said, did in logs.side_by_side(log, replayed[name]):
                    told.item(f"{drill}/{name}/{step}", said)
                    done.item(f"{drill}/{name}/{step}", did)
                parted = replayed[name]["divergence"]
                replays.check(parted is None, f"{name}, {drill}: {parted and parted['sentence']}")
    return recorded


@pytest.mark.criterion("A2.replay-fidelity")
def test_recorded_scenarios_replay(spiral, logs):
    """Route, state and result digest of every step are those of the recording, in each of five drills."""
    for name, log in measure_drills(spiral, spiral.target.crown, logs).items():
        spiral.attach(log, name=f"{name}.jsonl")


def measure_surroundings(spiral, crown):
    """The recorded scenarios replay here and in ten fresh processes, each in surroundings of its own."""
    recorded = recordings(crown)
    here = {name: crown.ask("replay", log=log)["head"] for name, log in recorded.items()}
    with (
        spiral.measure("elsewhere") as elsewhere,
        spiral.measure("here") as at_home,
        spiral.measure("drills") as drilled,
        spiral.measure("surroundings") as surroundings,
    ):
        seen = set()
        for number, around in enumerate(SURROUNDINGS):
            said = crown.ask("drill", logs=recorded, **around)
            real = said["surroundings"]
            zone = re.match("[A-Z]+", around["zone"])[0]
            as_told = real.get("hash") not in seen and real.get("zone", [""])[0] == zone
            surroundings.check(as_told, f"the process was to run in {around}, and ran in {real}")
            seen.add(real.get("hash"))
            for name, replay in said["replays"].items():
                elsewhere.item(f"{number}/{name}", replay["head"])
                at_home.item(f"{number}/{name}", here[name])
                parted = replay["divergence"]
                drilled.check(parted is None, f"{name} in {around}: {parted and parted['sentence']}")


@pytest.mark.criterion("A2.determinism")
def test_replays_do_not_depend_on_where_they_run(spiral):
    """One digest for each scenario, whatever the hash seed, the locale, the time zone and the number of workers."""
    measure_surroundings(spiral, spiral.target.crown)


def measure_alone(spiral, crown, logs, folder):
    """Sessions that use memory, the clock and chance, each replayed from its log with every other way shut."""
    for note in NOTES:
        crown.ask("note", text=note)
    kept = {}
    with spiral.measure("alone") as alone, spiral.measure("logged") as logged, spiral.measure("reads") as reads:
        for number, texts in enumerate(ASKED):
            session = f"alone-{number}"
            crown.ask("open", session=session)
            for text in texts:
                crown.ask("say", session=session, text=text)
            log = crown.ask("close", session=session)
            said = logs.alone(log, folder)
            for step, told, done in logs.side_by_side(log, said["replay"]):
                logged.item(f"{session}/{step}", told)
                alone.item(f"{session}/{step}", done)
            kept[session] = log
            reads.check(not said["reached"], f"the replay of {session} reached for {said['reached'][:3]}")
    return kept


@pytest.mark.criterion("A2.log-complete")
def test_the_log_alone_suffices(spiral, logs, tmp_path):
    """A fresh process with the log, an empty folder and nothing else repeats every step of a live session."""
    for session, log in measure_alone(spiral, spiral.target.crown, logs, tmp_path).items():
        spiral.attach(log, name=f"{session}.jsonl")


@pytest.mark.criterion("A2.divergence-named")
def test_the_first_divergent_step_is_named(spiral, logs):
    """Of each scenario two steps of each of three kinds are altered, one at a time, with the chain broken and whole."""
    crown = spiral.target.crown
    with spiral.measure("named") as named, spiral.measure("untouched") as untouched:
        for one in crown.ask("scenarios"):
            log = crown.ask("run", scenario=one["name"])
            untouched.check(
                crown.ask("replay", log=log)["divergence"] is None, f"{one['name']} does not replay as it is"
            )
            for kind in ("request", "decision", "answer"):
                places = [line["step"] for line in logs.read(log) if line["kind"] == kind]
                for place in (places[0], places[-1]):
                    for chained in (False, True):
                        parted = crown.ask("replay", log=logs.altered(log, place, chained))["divergence"]
                        found = parted and parted["step"]
                        named.check(found == place, f"{one['name']}: {kind} {place} was altered, step {found} is named")


@pytest.mark.criterion("A2.control")
def test_an_altered_step_is_found(spiral, logs):
    """A log in which one call asks for something else is not called one that replays."""
    with spiral.control() as altered:
        measure_drills(spiral, altered.crown, logs)


@pytest.mark.criterion("A2.control-decision")
def test_an_altered_decision_is_found(spiral, logs):
    """A log in which one decision names another model is not called one that replays."""
    with spiral.control() as altered:
        measure_drills(spiral, altered.crown, logs)


@pytest.mark.criterion("A2.control-answer")
def test_an_altered_answer_is_found(spiral, logs):
    """A log in which one answer says something else is not called one that replays."""
    with spiral.control() as altered:
        measure_drills(spiral, altered.crown, logs)


@pytest.mark.criterion("A2.control-hidden-input")
def test_a_hidden_input_is_found(spiral, logs, tmp_path):
    """A log without what memory answered is not called complete."""
    with spiral.control() as hiding:
        measure_alone(spiral, hiding.crown, logs, tmp_path)


@pytest.mark.criterion("A2.control-hash-seed")
def test_a_dependence_on_the_hash_seed_is_found(spiral):
    """Decisions in the order of a set are not called the same everywhere."""
    with spiral.control() as dependent:
        measure_surroundings(spiral, dependent.crown)
