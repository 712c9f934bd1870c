"""The sonic core: pure parts by table and property, the real-time stream on the real null device."""

import asyncio
import gc
import hashlib
import importlib
import itertools
import json
import math
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiral_sandbox import target
from spiral_sandbox.component import Context
from spiral_sandbox.errors import UnknownOperationError
from spiral_sandbox.sonic import avatar, deadlines, demo, inventory, loudness, presets, render, scan, stream
from spiral_sandbox.sonic.backend import NullDevice
from spiral_sandbox.sonic.errors import SonicError, StreamError
from spiral_sandbox.sonic.flaws import FLAWS, STALL_AT, Flaw, flaw_for
from spiral_sandbox.sonic.live import LiveStream
from spiral_sandbox.sonic.recording import read_audio, write_audio
from spiral_sandbox.sonic.scheduling import raise_priority, undisturbed
from spiral_sandbox.sonic.service import SonicService, build
from spiral_sandbox.sonic.stream import WARM_UP, Stream

RATE = 48_000
PERIOD = 960
PERIOD_NS = 20_000_000
CATALOGUE = presets.load_presets()


def sine(hertz, seconds, dbfs, channels=2):
    """A sine in some of two channels; `channels` is how many, from the left."""
    wave = 10 ** (dbfs / 20) * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    audio = np.zeros((len(wave), 2))
    audio[:, :channels] = wave[:, np.newaxis]
    return audio


def as_samples(audio):
    return np.rint(audio * 32_767).astype(np.int16)


# Loudness


def test_a_full_scale_sine_in_one_front_channel_reads_what_the_recommendation_says():
    """ITU-R BS.1770-4, Annex 1: 0 dBFS, 997 Hz, left: -3.01 LKFS."""
    assert loudness.measure(sine(997, 5, 0, channels=1)) == pytest.approx(-3.01, abs=0.005)


def test_a_stereo_sine_reads_its_own_level():
    """With both channels fed the sum of powers is 3.01 dB higher, so a sine reads its peak level."""
    assert loudness.measure(sine(1000, 5, -18)) == pytest.approx(-18, abs=0.1)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(20, -23)], -23),
        ([(20, -33)], -33),
        ([(10, -36), (60, -23), (10, -36)], -23),
        ([(10, -72), (10, -36), (60, -23), (10, -36), (10, -72)], -23),
        ([(20, -26), (20.1, -20), (20, -26)], -23),
    ],
)
def test_loudness_meets_the_published_minimum_requirements(parts, expected):
    """EBU Tech 3341, test signals 1 to 5: stereo sines at 1 kHz, to be met within 0.1 LU."""
    audio = np.concatenate([sine(1000, seconds, dbfs) for seconds, dbfs in parts])
    assert loudness.measure(audio) == pytest.approx(expected, abs=0.1)


def test_without_the_relative_gate_the_published_signal_would_read_otherwise():
    audio = np.concatenate([sine(1000, seconds, dbfs) for seconds, dbfs in [(10, -36), (20, -23), (10, -36)]])
    ungated = -0.691 + 10 * math.log10((loudness.weigh(audio) ** 2).sum(axis=1).mean())
    assert ungated < loudness.measure(audio) - 1


def test_weighting_agrees_with_a_recursive_filter():
    signal = pytest.importorskip("scipy.signal")
    noise = np.random.default_rng(5).normal(size=(300_000, 2))
    expected = noise
    for numerator, denominator in (loudness._SHELF, loudness._HIGH_PASS):
        expected = signal.lfilter(numerator, denominator, expected, axis=0)
    assert np.abs(loudness.weigh(noise) - expected).max() < 1e-9


def test_silence_and_a_short_sound_have_no_loudness():
    assert loudness.measure(np.zeros((RATE, 2))) is None
    assert loudness.measure(sine(1000, 0.39, 0)) is None
    assert loudness.measure(sine(1000, 0.40, 0)) is not None


def test_loudness_of_more_than_two_channels_is_refused():
    with pytest.raises(ValueError, match="one or two channels"):
        loudness.integrated(np.zeros((RATE, 5)))


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_preset_has_the_loudness_that_it_declares(name):
    preset = CATALOGUE[name]
    audio = render.render_alone(preset, 0, 2 * RATE) / 32_768
    assert loudness.measure(audio) == pytest.approx(preset.target_lufs, abs=0.2)


# Scan


def lively(frames):
    """Samples that move at every frame, are never zero and never at full scale."""
    wave = 1_000 + 100 * (np.arange(frames) % 7)
    return np.stack([wave, -wave], axis=1).astype(np.int16)


@st.composite
def stretches(draw, least, longest):
    """Starts and lengths of stretches in two seconds that do not touch."""
    cells = draw(st.sets(st.integers(0, 18), max_size=6))
    return [(cell * 5_000 + draw(st.integers(10, 1_000)), draw(st.integers(least, longest))) for cell in sorted(cells)]


@given(long=stretches(scan.GAP_FRAMES, 3_000), value=st.sampled_from([0, 1_234]))
def test_exactly_the_injected_gaps_are_found(long, value):
    samples = lively(2 * RATE)
    for start, frames in long:
        samples[start : start + frames] = value
    kind = "silence" if value == 0 else "held"
    assert scan.find_gaps(samples) == tuple(scan.Gap(start, frames, kind) for start, frames in long)


@given(short=stretches(1, scan.GAP_FRAMES - 1))
def test_a_stretch_below_five_milliseconds_is_no_gap(short):
    samples = lively(2 * RATE)
    for start, frames in short:
        samples[start : start + frames] = 0
    assert scan.find_gaps(samples) == ()


def test_a_channel_that_is_silent_alone_is_no_gap():
    samples = lively(RATE)
    samples[:, 1] = 0
    assert scan.find_gaps(samples) == ()


@given(runs=stretches(scan.CLIP_RUN, 500), channel=st.integers(0, 1), value=st.sampled_from([32_767, -32_768]))
def test_exactly_the_injected_clips_are_found(runs, channel, value):
    samples = lively(2 * RATE)
    for start, frames in runs:
        samples[start : start + frames, channel] = value
    assert scan.find_clips(samples) == tuple(scan.Clip(channel, start, frames) for start, frames in runs)


@pytest.mark.parametrize(("value", "frames"), [(32_767, 2), (32_766, 50), (-32_767, 50)])
def test_what_is_short_or_below_full_scale_is_no_clip(value, frames):
    samples = lively(RATE)
    samples[100 : 100 + frames, 0] = value
    assert scan.find_clips(samples) == ()


@pytest.mark.parametrize("dropped", [7, 100, 960])
def test_a_piece_that_was_lost_shows_as_a_jump(dropped):
    audio = as_samples(sine(330, 1, -12))
    assert scan.find_jumps(audio) == ()
    cut = np.concatenate([audio[:20_000], audio[20_000 + dropped :]])
    (jump,) = scan.find_jumps(cut)
    assert abs(jump - 20_000) <= 1


def test_a_sound_that_stops_dead_shows_as_a_jump():
    audio = as_samples(sine(330, 1, -12) + 0.05)
    audio[20_000:20_960] = 0
    first, last = scan.find_jumps(audio)
    assert abs(first - 20_000) <= 1
    assert abs(last - 20_960) <= 1


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 100])
def test_short_recordings_are_scanned_too(frames):
    samples = as_samples(sine(330, frames / RATE, -12))
    assert scan.find_jumps(samples) == ()
    assert scan.find_gaps(samples) == ()
    assert scan.find_clips(samples) == ()


def test_the_peak_is_told_below_full_scale():
    assert scan.peak_dbfs(np.zeros((5, 2), dtype=np.int16)) is None
    assert scan.peak_dbfs(np.array([[0, 32_767]], dtype=np.int16)) == 0
    assert scan.peak_dbfs(np.array([[-16_384, 3]], dtype=np.int16)) == pytest.approx(-6.02, abs=0.01)


# Deadlines


def called(lateness_ns):
    """Times and counts of callbacks that come so late each, after one at the start."""
    times = [1_000_000_000 + index * PERIOD_NS + late for index, late in enumerate([0, *lateness_ns])]
    return times, [PERIOD] * len(times)


@pytest.mark.parametrize(
    ("late_ms", "dropouts"),
    [
        ([0, 0, 0, 0], []),
        ([0, 5, 10, 0], []),
        ([0, 20, 0, 0], []),
        ([0, 20.001, 0, 0], [(2, 20.001)]),
        ([0, 130, 110, 90, 70, 50, 30, 10, 0], [(2, 130)]),
        ([0, 130, 110, 90, 200, 180, 0], [(2, 130), (5, 110)]),
        ([0, 130, 130, 130, 130], [(2, 130)]),
        ([0, 130, 130, 130, 155, 155], [(2, 130), (5, 25)]),
        ([0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48], [(7, 24), (13, 24)]),
        ([9, 9, 0, 9, 25, 0], [(5, 25)]),
    ],
)
def test_a_dropout_is_a_callback_two_periods_after_the_deadline_before_it(late_ms, dropouts):
    times, counts = called([round(ms * 1e6) for ms in late_ms])
    found = deadlines.find_dropouts(times, counts, RATE, first=1)
    assert [(one.index, one.late_ns) for one in found] == [(index, round(ms * 1e6)) for index, ms in dropouts]


@given(
    jitter=st.lists(st.integers(0, 9_000_000), min_size=40, max_size=120),
    stalls=st.sets(st.integers(0, 3), max_size=4),
    stall_ns=st.integers(30_000_001, 150_000_000),
)
def test_every_stall_counts_once_whatever_the_jitter(jitter, stalls, stall_ns):
    late = [0, *jitter]
    places = {1 + cell * 10: stall_ns for cell in stalls}
    for place, stall in places.items():
        for behind in range(10):
            late[place + behind] = max(late[place + behind], stall - behind * PERIOD_NS)
    times, counts = called(late)
    found = deadlines.find_dropouts(times, counts, RATE, first=1)
    assert [one.index for one in found] == sorted(place + 1 for place in places)


def test_warm_up_alone_is_left_out():
    times, counts = called([500_000_000, *[0] * 10])
    assert deadlines.find_dropouts(times, counts, RATE, first=2) == ()
    assert len(deadlines.find_dropouts(times, counts, RATE, first=1)) == 1


def test_a_late_start_does_not_hide_later_lateness():
    times, counts = called([0, 0, 15_000_000, 0, 0, 24_000_000, 0])
    assert [one.index for one in deadlines.find_dropouts(times, counts, RATE, first=3)] == [6]


@pytest.mark.parametrize("first", [0, 5, 9])
def test_nothing_left_to_judge_is_an_error(first):
    times, counts = called([0] * 4)
    with pytest.raises(ValueError, match="leave nothing"):
        deadlines.find_dropouts(times, counts, RATE, first)


@pytest.mark.parametrize(
    ("shown", "heard", "offset"), [(145, 100, 45), (100, 225, -125), (100, 100, 0), (300, 100, 200)]
)
def test_sound_before_its_picture_is_positive(shown, heard, offset):
    """ITU-R BT.1359: a positive value says that the sound is advanced."""
    assert deadlines.av_offset_ms(shown * 1_000_000, heard * 1_000_000) == offset


def test_a_frame_sounds_on_the_devices_clock_but_not_before_it_was_handed_over():
    assert deadlines.heard_ns(1_000, 48_000, 24_000, 500, RATE) == 1_500_001_000
    assert deadlines.heard_ns(1_000, 48_000, 24_000, 2_000_000_000, RATE) == 2_500_000_000


# Presets, demo


GOOD_PRESET = """
format = 1
[[preset]]
name = "one"
title = "One"
gain_db = -6.0
target_lufs = -20.0
oscillator = [{ hz = 440.0, level = 0.5, pan = 0.0, tremolo = { hz = 0.0, depth = 0.0 }, vibrato = { hz = 0.0, index = 0.0 } }]
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("format = 1", "format = 2"),
        ("format = 1", ""),
        ('name = "one"', 'name = ""'),
        ("gain_db", "gain"),
        ("gain_db = -6.0", "gain_db = nan"),
        ("gain_db = -6.0", "gain_db = true"),
        ("hz = 440.0", "hz = 4400.0"),
        ("level = 0.5", "level = 0"),
        ("pan = 0.0, ", ""),
        ("index = 0.0 }", "index = 0.0, depth = 1 }"),
        ("[[preset]]", "[[preset"),
        ("[[preset]]", "x = 1\n[[preset]]"),
    ],
)
def test_a_preset_file_that_is_not_understood_is_refused(old, new):
    assert list(presets.parse_presets(GOOD_PRESET)) == ["one"]
    assert old in GOOD_PRESET
    with pytest.raises(ValueError, match=r"presets\.toml"):
        presets.parse_presets(GOOD_PRESET.replace(old, new, 1))


def test_a_preset_that_is_there_twice_is_refused():
    twice = GOOD_PRESET + GOOD_PRESET.replace("format = 1", "")
    with pytest.raises(ValueError, match="one is there twice"):
        presets.parse_presets(twice)
    with pytest.raises(ValueError, match="by digest"):
        presets.parse_presets(twice.replace('"one"', '"two"', 1))


def test_a_digest_is_of_the_sound_and_not_of_its_name():
    one = presets.parse_presets(GOOD_PRESET)["one"]
    named = presets.parse_presets(GOOD_PRESET.replace('"one"', '"two"'))["two"]
    louder = presets.parse_presets(GOOD_PRESET.replace("-6.0", "-5.9"))["one"]
    assert one.digest == named.digest != louder.digest


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_voice_has_the_digest_of_its_preset(name):
    assert render.Voice(CATALOGUE[name]).digest == CATALOGUE[name].digest


def test_the_demo_names_only_presets_that_exist():
    assert all(step.preset in CATALOGUE for step in demo.load_demo())


@given(shares=st.lists(st.floats(0.1, 100), min_size=1, max_size=8), seconds=st.floats(1, 300, allow_nan=False))
def test_the_steps_of_a_demo_fill_its_time_exactly(shares, seconds):
    steps = [demo.Step(name=str(i), mood="m", preset="p", seconds=share) for i, share in enumerate(shares)]
    frames = demo.lengths(steps, seconds, RATE)
    assert sum(frames) == round(seconds * RATE)
    for count, share in zip(frames, shares, strict=True):
        assert abs(count - share / sum(shares) * seconds * RATE) <= 1.01


# Rendering


def programme_of(*names, frames=9_600):
    return render.lay([(index, CATALOGUE[name], frames) for index, name in enumerate(names)])


def rendered(source, frames, blocks=(960,)):
    scratch, out, position, turn = render.Scratch(frames), np.zeros((frames, 2), dtype=np.int16), 0, 0
    while position < frames:
        count = min(blocks[turn % len(blocks)], frames - position)
        source.render(position, scratch.mix[:count], scratch)
        render.quantise(scratch.mix[:count], out[position : position + count])
        position, turn = position + count, turn + 1
    return out


@settings(max_examples=20)
@given(blocks=st.lists(st.integers(100, 5_000), min_size=1, max_size=5))
def test_a_programme_sounds_the_same_however_it_is_cut_into_blocks(blocks):
    programme = programme_of("root-drone", "throat-bell", "crown-shimmer")
    whole = rendered(programme, programme.frames, (programme.frames,)).astype(int)
    assert np.abs(rendered(programme, programme.frames, blocks) - whole).max() <= 1


def test_presets_change_without_a_click():
    names = list(CATALOGUE)
    samples = rendered(programme_of(*names), 9_600 * len(names))
    assert scan.find_jumps(samples) == ()
    assert scan.find_gaps(samples) == ()
    hard = np.concatenate([render.render_alone(CATALOGUE[name], 777, 9_600) for name in names])
    assert len(scan.find_jumps(hard)) >= len(names) - 2


def test_a_loop_goes_on_where_its_programme_ends():
    programme = programme_of("root-drone", "throat-bell")
    samples = rendered(render.Loop(programme), 3 * programme.frames, (7_000,)).astype(int)
    assert np.abs(samples[: programme.frames] - samples[programme.frames : 2 * programme.frames]).max() <= 1


def test_every_preset_is_recognised_by_its_samples_and_no_other_is():
    names = list(CATALOGUE)
    programme = programme_of(*names)
    samples = rendered(programme, programme.frames)
    for part in programme.parts:
        assert render.recognise(samples, part.start, part.frames, CATALOGUE) == part.voice.name
        others = {name: one for name, one in CATALOGUE.items() if name != part.voice.name}
        assert render.recognise(samples, part.start, part.frames, others) is None


def test_a_sound_that_was_altered_is_not_recognised():
    programme = programme_of("root-drone")
    samples = rendered(programme, programme.frames)
    samples[4_800] += 2
    assert render.recognise(samples, 0, programme.frames, CATALOGUE) is None


def test_a_part_beyond_the_recording_is_not_recognised():
    assert render.recognise(np.zeros((100, 2), dtype=np.int16), 0, 9_600, CATALOGUE) is None
    assert render.recognise(np.zeros((100, 2), dtype=np.int16), 0, 100, CATALOGUE) is None


@pytest.mark.parametrize(
    ("parts", "message"),
    [([], "at least one part"), ([(0, 0, 1_919)], "too short"), ([(0, 5, 9_600)], "without a gap")],
)
def test_a_programme_that_cannot_be_played_is_refused(parts, message):
    voice = render.Voice(CATALOGUE["root-drone"])
    with pytest.raises(ValueError, match=message):
        render.Programme([render.Part(step, voice, start, frames) for step, start, frames in parts])


# Avatar and files


def test_the_mouth_opens_with_the_sound():
    areas = []
    for level in (-1, 0, 0.2, 0.6, 1, 5):
        picture = np.zeros((avatar.HEIGHT, avatar.WIDTH), dtype=np.uint8)
        avatar.draw(picture, level)
        areas.append(int((picture == 24).sum()))
    assert areas[0] == areas[1] < areas[2] < areas[3] < areas[4] == areas[5]


def test_the_level_is_the_rms_of_the_sound_before():
    samples = as_samples(sine(1000, 1, 0))
    assert avatar.level_at(samples, 0) == 0
    assert avatar.level_at(samples, 4_800) == pytest.approx(math.sqrt(0.5), abs=1e-3)


def test_the_video_is_what_its_header_says(tmp_path):
    pictures = np.random.default_rng(1).integers(0, 256, (3, avatar.HEIGHT, avatar.WIDTH)).astype(np.uint8)
    avatar.write_y4m(tmp_path / "a.y4m", pictures)
    header, _, body = (tmp_path / "a.y4m").read_bytes().partition(b"\n")
    assert header == b"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 Cmono"
    frames = np.frombuffer(body, dtype=np.uint8).reshape(3, 6 + 64 * 48)
    assert frames[0, :6].tobytes() == b"FRAME\n"
    assert (frames[:, 6:] == pictures.reshape(3, -1)).all()


def test_a_recording_is_read_back_as_it_was_written(tmp_path):
    samples = np.random.default_rng(2).integers(-32_768, 32_768, (10_000, 2)).astype(np.int16)
    write_audio(tmp_path / "a.flac", samples)
    assert (read_audio(tmp_path / "a.flac") == samples).all()
    with pytest.raises(SonicError, match="there already"):
        write_audio(tmp_path / "a.flac", samples)


def test_a_recording_at_another_rate_is_refused(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.zeros((10, 2)), 44_100)
    with pytest.raises(SonicError, match="44100 samples a second"):
        read_audio(tmp_path / "a.wav")


# Inventory


def test_whatever_stands_in_for_a_component_exists():
    for wanted in inventory.load_wanted():
        assert bool(wanted.fallback) == bool(wanted.by)
        if wanted.by:
            module, _, name = wanted.by.partition(":")
            assert callable(getattr(importlib.import_module(module), name))


def test_the_inventory_finds_what_runs_here():
    found = {one["name"]: one for one in inventory.take_inventory()}
    assert set(found) == {wanted.name for wanted in inventory.load_wanted()}
    assert found["miniaudio"]["state"] == "present"
    assert found["miniaudio"]["version"] == importlib.import_module("miniaudio").__version__
    for one in found.values():
        assert (one["state"] == "present") == (one["at"] is not None)
        assert (one["state"] == "fallback") == (one["fallback"] is not None)
    json.dumps(list(found.values()), allow_nan=False)


def wanted_tool(**changed):
    fields = {"name": "t", "kind": "tool", "look_for": ("spiral-tool",), "version": "--version"}
    return inventory.Wanted(**{**fields, "fallback": "own code", "by": "", **changed})


@pytest.mark.parametrize(
    ("script", "version"), [("echo 'Spiral Tool v2.10.3 (x)'", "2.10.3"), ("echo no number", None), ("exit 3", None)]
)
def test_a_tool_on_the_path_is_asked_for_its_version(tmp_path, monkeypatch, script, version):
    assert inventory.look(wanted_tool()).state == "fallback"
    tool = tmp_path / "spiral-tool"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = inventory.look(wanted_tool())
    assert (found.state, found.version, found.at, found.fallback) == ("present", version, str(tool), None)


def test_what_is_neither_here_nor_stood_in_for_is_absent():
    missing = wanted_tool(kind="module", look_for=("spiral_no_such_module",), fallback="")
    assert inventory.look(missing).state == "absent"


def test_a_device_is_looked_for_by_pattern(tmp_path):
    pattern = str(tmp_path / "pcmC*p")
    assert inventory.look(wanted_tool(kind="device", look_for=(pattern,))).state == "fallback"
    (tmp_path / "pcmC0D0p").touch()
    found = inventory.look(wanted_tool(kind="device", look_for=(pattern,)))
    assert (found.state, found.at) == ("present", str(tmp_path / "pcmC0D0p"))


# The stream on the real device


def service_in(folder, faults=()):
    return SonicService(folder, flaw_for(faults), NullDevice)


def asked(folder, op, faults=(), **args):
    """What a service of its own answers to one request."""

    async def run():
        service = service_in(folder, faults)
        await service.start()
        try:
            return await service.handle(op, args)
        finally:
            await service.stop()

    return asyncio.run(run())


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """The report of a rehearsal of three seconds without a fault."""
    return asked(tmp_path_factory.mktemp("clean"), "rehearse", seconds=3.0, name="clean")


def test_a_rehearsal_runs_every_step_in_real_time(clean):
    assert [step["name"] for step in clean["steps"]] == [step.name for step in demo.load_demo()]
    assert all(step["ran"] for step in clean["steps"])
    assert clean["media_s"] == pytest.approx(3.0)
    assert clean["wall_s"] >= clean["media_s"]
    assert clean["ended_mono_ns"] - clean["started_mono_ns"] == pytest.approx(clean["wall_s"] * 1e9, abs=10)
    assert sum(step["media_s"] for step in clean["steps"]) == pytest.approx(3.0)


def test_a_report_is_plain_json_and_says_how_it_was_run(clean):
    assert json.loads(json.dumps(clean, allow_nan=False)) == clean
    assert (clean["sample_rate"], clean["period_frames"], clean["warm_up"]) == (RATE, PERIOD, WARM_UP)
    assert clean["warm_up_frames"] == WARM_UP * PERIOD
    assert clean["callbacks"] >= 3 * RATE / PERIOD + WARM_UP
    assert "Null" in clean["scheduling"]["backend"]
    assert clean["scheduling"]["policy"]
    assert clean["scheduling"]["avatar"]["policy"]


def test_without_a_choice_the_scripts_wishes_are_played_and_are_in_the_recording(clean):
    wished = {step.name: step.preset for step in demo.load_demo()}
    for step in clean["steps"]:
        assert step["chosen"] == {"preset": wished[step["name"]], "reasons": ["as the script wishes"]}
        assert step["played"]["digest"] == step["expected_digest"]
        assert step["played"]["recognised"] == step["played"]["preset"] == step["chosen"]["preset"]


def test_every_avatar_frame_is_shown_once_and_measured_against_its_sound(clean):
    assert clean["frames"] == {"count": 75, "due": 75, "emitted": 75, "per_second": 25}
    assert sum(step["frames_due"] for step in clean["steps"]) == 75
    for step in clean["steps"]:
        assert len(step["av_offsets_ms"]) == step["frames_due"] > 0
        # No frame waits for 200 ms where nobody tells it to; the median is beyond the machine's noise.
        assert -125 < float(np.median(step["av_offsets_ms"])) < 125


def test_the_recording_is_whole_and_as_loud_as_declared(clean):
    found = clean["scan"]
    assert (found["gap_count"], found["jump_count"], found["clipped"]) == (0, 0, 0)
    assert found["as_rendered"] is True
    for step in clean["steps"]:
        assert step["loudness_lufs"] == pytest.approx(step["target_lufs"], abs=1)


def test_the_files_are_there_and_have_the_digests_reported(clean):
    assert clean["files"]["audio"]["sha256"] == clean["audio_sha256"]
    for file in clean["files"].values():
        content = Path(file["path"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
    timing = json.loads(Path(clean["files"]["timing"]["path"]).read_text())
    assert len(timing["times_ns"]) == clean["callbacks"]
    found = deadlines.find_dropouts(timing["times_ns"], timing["counts"], RATE, clean["warm_up"])
    assert [{"index": one.index, "late_ns": one.late_ns} for one in found] == clean["dropouts"]


def test_the_same_seed_renders_the_same_bytes(clean, tmp_path):
    again = asked(tmp_path, "rehearse", seconds=3.0, name="clean")
    assert again["audio_sha256"] == clean["audio_sha256"]


def stalls_at(media_s):
    """Indices of the callbacks that come late when the two before them are blocked."""
    return {WARM_UP + int(place * media_s * RATE) // PERIOD + 1 for place in STALL_AT}


def test_a_stalled_callback_is_counted_as_a_dropout_each_time(tmp_path):
    report = asked(tmp_path, "rehearse", ["sonic.stalled-callback"], seconds=1.5)
    late = {one["index"] for one in report["dropouts"] if one["late_ns"] > 100_000_000}
    assert stalls_at(1.5) <= late
    assert report["max_render_ns"] >= 150_000_000


def test_without_the_stalls_there_are_no_dropouts_in_their_places(clean):
    assert not stalls_at(3.0) <= {one["index"] for one in clean["dropouts"]}


def test_too_much_gain_is_found_as_clipping(clean, tmp_path):
    report = asked(tmp_path, "rehearse", ["sonic.clipping"], seconds=1.5)
    assert report["scan"]["clipped"] > 1_000
    assert report["scan"]["peak_dbfs"] == pytest.approx(0, abs=0.001)
    assert report["loudness_lufs"] > clean["loudness_lufs"] + 10
    assert report["scan"]["jumps"] == []
    assert report["scan"]["gaps"] == []


def test_a_gap_in_the_sound_is_found_in_the_recording(tmp_path):
    report = asked(tmp_path, "rehearse", ["sonic.gap"], seconds=1.5)
    assert report["scan"]["gaps"] == [{"start": 36_000, "frames": 960, "kind": "silence", "ms": 20.0}]


def test_a_late_avatar_shows_as_sound_that_is_early(tmp_path):
    report = asked(tmp_path, "rehearse", ["sonic.late-avatar"], seconds=1.5)
    offsets = [offset for step in report["steps"] for offset in step["av_offsets_ms"]]
    assert len(offsets) == report["frames"]["due"]
    assert float(np.median(offsets)) > 150


def test_a_wrong_preset_shows_in_the_digest_and_in_the_recording(tmp_path):
    report = asked(tmp_path, "rehearse", ["sonic.wrong-preset"], seconds=1.5)
    differ = [step for step in report["steps"] if step["played"]["digest"] != step["expected_digest"]]
    assert [step["name"] for step in differ] == [report["steps"][1]["name"]]
    (wrong,) = differ
    assert wrong["played"]["recognised"] == wrong["played"]["preset"] != wrong["chosen"]["preset"]


def test_a_step_that_is_skipped_did_not_run(tmp_path):
    report = asked(tmp_path, "rehearse", ["sonic.silent-step"], seconds=1.5)
    assert [step["ran"] for step in report["steps"]] == [True, True, False, True, True]
    skipped = report["steps"][2]
    assert (skipped["played"], skipped["media_s"], skipped["av_offsets_ms"]) == (None, 0.0, [])
    assert report["media_s"] < report["planned_s"]
    assert report["frames"]["count"] < report["frames"]["due"]


def test_a_choice_from_outside_is_played(tmp_path):
    chosen = {step.name: "heart-pulse" for step in demo.load_demo()}
    report = asked(tmp_path, "rehearse", seconds=1.0, chosen=chosen)
    assert {step["played"]["recognised"] for step in report["steps"]} == {"heart-pulse"}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"seconds": 0.5}, "lasts 1 to 300 s"),
        ({"seconds": float("nan")}, "lasts 1 to 300 s"),
        ({"seconds": True}, "lasts 1 to 300 s"),
        ({"seconds": 301}, "lasts 1 to 300 s"),
        ({"seconds": "10"}, "lasts 1 to 300 s"),
        ({"name": "../escape"}, "is named with"),
        ({"name": ""}, "is named with"),
        ({"chosen": {"invocation": "root-drone"}}, "names every step"),
        ({"chosen": {step.name: "none" for step in demo.load_demo()}}, "none is no preset"),
    ],
)
def test_a_rehearsal_that_makes_no_sense_is_refused(tmp_path, args, message):
    with pytest.raises(ValueError, match=message):
        asked(tmp_path, "rehearse", **args)
    assert list(tmp_path.iterdir()) == []


def test_a_rehearsal_is_never_overwritten(tmp_path):
    (tmp_path / "first.flac").touch()
    with pytest.raises(SonicError, match="was made already"):
        asked(tmp_path, "rehearse", name="first", seconds=1)


def test_an_unknown_operation_is_refused(tmp_path):
    with pytest.raises(UnknownOperationError, match="no operation 'sing'"):
        asked(tmp_path, "sing")


def test_presets_and_script_can_be_listed(tmp_path):
    listed = {one["name"]: one["digest"] for one in asked(tmp_path, "presets")}
    assert listed == {name: one.digest for name, one in CATALOGUE.items()}
    assert [one["name"] for one in asked(tmp_path, "demo")] == [step.name for step in demo.load_demo()]
    assert asked(tmp_path, "inventory") == inventory.take_inventory()


def test_an_unknown_fault_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no fault sonic\.none"):
        build(Context(tmp_path, 1, frozenset({"sonic.none"}), None))
    assert isinstance(build(Context(tmp_path, 1, frozenset(FLAWS), None)), SonicService)


async def frames_after(service, least, tries=500):
    """The count once at least so many frames were rendered."""
    for _ in range(tries):
        count = await service.handle("frames", {})
        if count["frames_rendered"] >= least:
            return count
        await asyncio.sleep(0.02)
    raise AssertionError(f"the stream did not reach {least} frames")


def test_a_live_stream_advances_with_time_and_one_plays_at_a_time(tmp_path):
    async def run():
        service = service_in(tmp_path)
        started = await service.handle("stream.start", {})
        assert started["sample_rate"] == RATE
        first = await frames_after(service, 4_800)
        for op, args in (("stream.start", {}), ("rehearse", {"seconds": 1})):
            with pytest.raises(SonicError, match="one plays at a time"):
                await service.handle(op, args)
        second = await frames_after(service, first["frames_rendered"] + RATE // 2)
        stopped = await service.handle("stream.stop", {})
        assert stopped["frames_rendered"] >= second["frames_rendered"]
        with pytest.raises(SonicError, match="No stream is playing"):
            await service.handle("frames", {})
        with pytest.raises(SonicError, match="No stream without end"):
            await service.handle("stream.stop", {})
        return first, second

    first, second = asyncio.run(run())
    media_ns = (second["frames_rendered"] - first["frames_rendered"]) * 1_000_000_000 // RATE
    # A counter without a clock behind it would be there at once; three periods are the device's buffer.
    assert second["mono_ns"] - first["mono_ns"] >= media_ns - 3 * PERIOD_NS
    assert first["rendered_mono_ns"] <= first["mono_ns"]


def test_after_a_device_that_does_not_close_well_another_stream_can_play(tmp_path):
    class Stuck(NullDevice):
        def close(self):
            super().close()
            raise StreamError("The device does not close.")

    async def run():
        service = SonicService(tmp_path, Flaw(), Stuck)
        for _ in range(2):
            await service.handle("stream.start", {})
            with pytest.raises(StreamError, match="does not close"):
                await service.handle("stream.stop", {})

    asyncio.run(run())


def test_a_rehearsal_that_is_stopped_fails_and_leaves_nothing(tmp_path):
    async def run():
        service = service_in(tmp_path)
        playing = asyncio.create_task(service.handle("rehearse", {"seconds": 60}))
        await asyncio.sleep(0)  # the request runs up to its first wait: the stream is there
        await frames_after(service, 4_800)
        await service.stop()
        with pytest.raises(StreamError, match="stopped before"):
            await playing

    asyncio.run(run())
    assert list(tmp_path.iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name == "avatar"]


class GreedyDevice(NullDevice):
    """Asks from a thread of its own for more than anything is prepared for."""

    def start(self, callback):
        def ask():
            with pytest.raises(StreamError):
                callback.send(100_000)

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()


class DeadDevice(NullDevice):
    """Starts and never asks for anything."""

    def start(self, callback):
        callback.close()


class UnevenDevice(NullDevice):
    """Asks at once, from a thread of its own, for pieces of uneven size, until nobody listens."""

    def start(self, callback):
        self._open = threading.Event()
        self._asking = threading.Thread(target=self._ask, args=(callback,))
        self._asking.start()

    def _ask(self, callback):
        sizes = itertools.cycle((960, 481, 1_023))
        while not self._open.is_set():
            count = next(sizes)
            assert callback.send(count).shape == (count, 2)

    def close(self):
        self._open.set()
        self._asking.join()
        super().close()


@pytest.mark.parametrize("faults", [[], ["sonic.gap"], ["sonic.clipping"], ["sonic.gap", "sonic.clipping"]])
def test_what_is_recorded_does_not_depend_on_the_sizes_that_a_device_asks_for(faults):
    programme, flaw = programme_of("root-drone", "throat-bell"), flaw_for(faults)
    playing = Stream(programme, UnevenDevice(), flaw)
    playing.play()
    mix, scratch = np.empty((programme.frames, 2)), render.Scratch(programme.frames)
    programme.render(0, mix, scratch)
    flaw.mix(0, mix, programme.frames)
    whole = np.empty((programme.frames, 2), dtype=np.int16)
    render.quantise(mix, whole)
    assert np.abs(playing.recording.astype(int) - whole).max() <= (16 if "sonic.clipping" in faults else 1)
    assert {step: seen.frames for step, seen in playing.log.sounded.items()} == {0: 9_600, 1: 9_600}
    assert playing.count().frames == programme.frames
    assert np.count_nonzero(playing.presenter.shown_ns) == playing.presenter.posted == 10


def test_a_device_that_cannot_be_opened_is_a_stream_error(monkeypatch):
    miniaudio = importlib.import_module("miniaudio")

    def no_device(*_, **__):
        raise miniaudio.MiniaudioError("no device", -1)

    monkeypatch.setattr(miniaudio, "PlaybackDevice", no_device)
    with pytest.raises(StreamError, match="cannot be opened"):
        NullDevice()


def test_an_error_in_the_callback_ends_the_stream_with_that_error():
    rehearsed = Stream(programme_of("root-drone"), GreedyDevice(), Flaw())
    with pytest.raises(StreamError, match="100000 frames at once"):
        rehearsed.play()
    endless = LiveStream(programme_of("root-drone"), GreedyDevice())
    endless.start()
    with pytest.raises(StreamError, match="100000 frames at once"):
        endless.count()


def test_a_stream_that_does_not_advance_is_an_error(monkeypatch):
    monkeypatch.setattr(stream, "_PATIENCE_SECONDS", 0.0)
    with pytest.raises(StreamError, match="stopped advancing after 0 frames"):
        Stream(programme_of("root-drone"), DeadDevice(), Flaw()).play()


def granted_to_a_thread():
    """What raising the priority of a new thread gives; a thread's priority ends with it."""
    granted = []
    thread = threading.Thread(target=lambda: granted.append(raise_priority(50)))
    thread.start()
    thread.join()
    return granted[0]


def refuse(*_):
    raise PermissionError(1, "Operation not permitted")


def test_what_the_system_refuses_is_said_and_not_required(monkeypatch):
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    monkeypatch.setattr(os, "setpriority", refuse)
    granted = granted_to_a_thread()
    assert (granted.policy, granted.priority) == ("SCHED_OTHER", 0)
    assert [one.partition(":")[0] for one in granted.refused] == ["SCHED_FIFO 50", "nice -10"]


def test_the_priority_that_is_reported_is_the_systems_word():
    granted = granted_to_a_thread()
    assert (granted.policy == "SCHED_FIFO") == (granted.priority == 50) == (not granted.refused)


def test_the_process_is_given_back_as_it_was():
    before = (gc.isenabled(), gc.get_freeze_count(), sys.getswitchinterval())
    with undisturbed():
        assert not gc.isenabled()
    assert (gc.isenabled(), gc.get_freeze_count(), sys.getswitchinterval()) == before


def test_the_component_rehearses_in_a_process_of_its_own(tmp_path):
    running = target.start(["sonic.stalled-callback"], 7, tmp_path)
    try:
        sonic = running.component("sonic")
        assert dict(sonic.endpoints) == {}
        report = sonic.ask("rehearse", seconds=1.5, name="first")
        assert stalls_at(1.5) <= {one["index"] for one in report["dropouts"]}
        assert all(step["ran"] for step in report["steps"])
        sonic.ask("stream.start")
        assert sonic.ask("frames")["mono_ns"] > report["ended_mono_ns"]
    finally:
        running.stop()
