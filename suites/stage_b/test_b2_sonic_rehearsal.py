"""B2: the demo plays through without a dropout, in step with the avatar, with the presets that were chosen."""

import json
from pathlib import Path

import pytest

SECONDS = 10.0


def choose(spiral, crown, sonic, session):
    """Have Crown choose the preset of each step of the demo, in a session of its own, and keep its log."""
    script = [{key: step[key] for key in ("name", "mood", "preset")} for step in sonic.ask("demo")]
    crown.ask("open", session=session)
    chosen = {one["step"]: one["preset"] for one in crown.ask("presets", session=session, steps=script)}
    spiral.attach(crown.ask("close", session=session), name=f"{session}.jsonl")
    return chosen


def play(spiral, sonic, name, seconds=SECONDS, chosen=None):
    """Play one rehearsal in real time and keep its audio and its report, which names the device that it ran on."""
    report = sonic.ask("rehearse", seconds=seconds, name=name, chosen=chosen, _deadline=seconds * 3 + 30)
    spiral.attach(Path(report["audio"]), name=f"{name}.flac")
    spiral.attach(json.dumps(report, indent=1, sort_keys=True), name=f"{name}.json")
    return report


def count_dropouts(measure, report):
    """Late callbacks and whatever is missing from the recording itself, over the length of the media."""
    broken = len(report["dropouts"]) + report["scan"]["gap_count"] + report["scan"]["jump_count"]
    measure.count(broken + (not report["scan"]["as_rendered"]), over=report["media_s"])


@pytest.mark.criterion("B2.dropouts", "B2.end-to-end", "B2.av-sync", "B2.loudness", "B2.presets")
def test_two_rehearsals_play_through(spiral):
    """Two rehearsals of the demo, one after the other, each judged alone."""
    sonic, crown = spiral.target.sonic, spiral.target.crown
    for take in ("rehearsal-1", "rehearsal-2"):
        with spiral.rehearsal():
            presets = choose(spiral, crown, sonic, take)
            report = play(spiral, sonic, take, chosen=presets)
            with spiral.measure("dropouts") as dropouts:
                count_dropouts(dropouts, report)
            with spiral.measure("demo-steps") as steps, spiral.measure("wall-over-media", unit="ms") as spare:
                for step in report["steps"]:
                    steps.check(step["ran"], f"step {step['name']} did not run to its end")
                    spare.value((step["wall_s"] - step["media_s"]) * 1000)
            with spiral.measure("av-offset", unit="ms") as offset:
                for step in report["steps"]:
                    for milliseconds in step["av_offsets_ms"]:
                        offset.value(milliseconds)
            with spiral.measure("loudness-error", unit="LU") as error, spiral.measure("clipped") as clipped:
                for step in report["steps"]:
                    if step["loudness_lufs"] is None:
                        error.failed(f"step {step['name']} has no loudness: nothing is heard")
                    else:
                        error.value(abs(step["loudness_lufs"] - step["target_lufs"]))
                clipped.count(report["scan"]["clipped"], over=report["media_s"])
            with spiral.measure("played") as played, spiral.measure("chosen") as chosen:
                for step in report["steps"]:
                    chosen.item(step["name"], presets[step["name"]])
                    played.item(step["name"], (step["played"] or {}).get("recognised", "nothing"))


@pytest.mark.criterion("B2.components")
def test_every_component_is_there_or_has_a_stand_in(spiral):
    """The inventory of optional components names, for each, its version or what is used in its place."""
    with spiral.measure("components") as m:
        for one in spiral.target.sonic.ask("inventory"):
            named = one["version"] or one["at"] if one["state"] == "present" else one["fallback"]
            m.check(named, f"{one['name']} is {one['state']}, and nothing stands in for it")


@pytest.mark.criterion("B2.hardware-audio")
def test_a_real_device_plays_without_dropout(spiral):
    """The same stream on this machine's own sound device."""
    report = spiral.target.sonic.ask("rehearse", seconds=SECONDS, name="device", device="default", _deadline=60.0)
    with spiral.measure("device-dropouts") as m:
        count_dropouts(m, report)


@pytest.mark.criterion("B2.control")
def test_a_stall_is_counted(spiral):
    """A callback that stalls is not called a clean rehearsal."""
    with spiral.control() as stalled:
        report = play(spiral, stalled.sonic, "stalled", seconds=3.0)
        with spiral.measure("dropouts") as m:
            count_dropouts(m, report)
