"""A rehearsal: decide, play in real time, then report what was seen and what the recording itself shows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spiral_sandbox.sonic import avatar, deadlines, loudness, recording, scan
from spiral_sandbox.sonic.backend import Device
from spiral_sandbox.sonic.choice import Choice
from spiral_sandbox.sonic.demo import Step, lengths
from spiral_sandbox.sonic.flaws import Flaw
from spiral_sandbox.sonic.presets import Preset
from spiral_sandbox.sonic.render import RATE, Part, Programme, Samples, lay, recognise
from spiral_sandbox.sonic.scheduling import Scheduling, undisturbed
from spiral_sandbox.sonic.stream import WARM_UP, Stream

# A report lists so many findings of a kind and counts all; a broken recording can have thousands.
_LISTED = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rehearsal is to play: the script, its choices step by step, and its length in seconds."""

    name: str
    seconds: float
    steps: tuple[Step, ...]
    choices: tuple[Choice, ...]
    presets: Mapping[str, Preset]


def compose(plan: Plan, flaw: Flaw) -> Programme:
    """The programme of a plan. ValueError if a step would be too short to fade in and out."""
    frames = lengths(plan.steps, plan.seconds, RATE)
    wanted = [plan.presets[choice.preset] for choice in plan.choices]
    script = [(index, preset, count) for index, (preset, count) in enumerate(zip(wanted, frames, strict=True))]
    return lay(flaw.script(script, plan.presets))


def perform(stream: Stream) -> None:
    """Play a stream to its end with the process kept from disturbing it; blocks for as long as it lasts."""
    with undisturbed():
        stream.play()


def report(plan: Plan, programme: Programme, stream: Stream, device: Device, folder: Path) -> dict[str, Any]:
    """Write the files of a finished stream into `folder`, read the audio back, and say what there is, as plain JSON."""
    files = _write(plan, stream, folder)
    samples = recording.read_audio(folder / f"{plan.name}.flac")
    seen = Seen(plan, programme, stream, device, samples, loudness.weigh(samples / 32_768.0))
    return {
        "name": plan.name,
        **seen.clocks(),
        "sample_rate": RATE,
        **seen.callbacks(),
        "frames": seen.frames(),
        "steps": [seen.step(index) for index in range(len(plan.steps))],
        "scan": seen.scan(),
        "loudness_lufs": loudness.integrated(seen.weighted),
        "audio": files["audio"]["path"],
        "audio_sha256": files["audio"]["sha256"],
        "files": files,
        "scheduling": _scheduling(stream, device),
    }


@dataclass(frozen=True, slots=True)
class Seen:
    """A finished stream and its recording, as read back from the file, with its K-weighted form."""

    plan: Plan
    programme: Programme
    stream: Stream
    device: Device
    samples: Samples
    weighted: loudness.Floats

    def clocks(self) -> dict[str, Any]:
        """When the programme began and ended on the monotonic clock, and how long it is by its samples."""
        start, end = self._asked_at(0), self._left_at(self.programme.frames)
        return {
            "started_mono_ns": start,
            "ended_mono_ns": end,
            "wall_s": (end - start) / deadlines.NANOSECONDS,
            "media_s": len(self.samples) / RATE,
            "planned_s": self.plan.seconds,
        }

    def callbacks(self) -> dict[str, Any]:
        """How many callbacks there were, how many of them were left out, and which came too late.

        A dropout is what the deadlines show or the device has counted (`xruns`, all of them, warm-up included).
        """
        log = self.stream.log
        times, counts = _calls(self.stream)
        late = deadlines.lateness(times, counts, RATE, WARM_UP)
        overdue = deadlines.find_dropouts(times, counts, RATE, WARM_UP)
        xruns = self.device.xruns
        dropouts = deadlines.with_xruns(overdue, xruns or (), times, WARM_UP)
        return {
            "period_frames": max(counts),
            "buffer_frames": self.device.buffer_frames,
            "callbacks": len(times),
            "warm_up": WARM_UP,
            "warm_up_frames": self.stream.lead_frames,
            "max_late_ns": max(late),
            "max_render_ns": int((log.done_ns - log.times_ns)[WARM_UP : log.used].max()),
            "dropouts": [asdict(dropout) for dropout in dropouts],
            "late_callbacks": len(overdue),
            "xruns": None if xruns is None else [asdict(xrun) for xrun in xruns],
        }

    def frames(self) -> dict[str, int]:
        """Avatar frames: due for the whole script, handed out by the callback, and shown."""
        shown = int(np.count_nonzero(self.stream.presenter.shown_ns))
        due = avatar.frames_for(sum(lengths(self.plan.steps, self.plan.seconds, RATE)))
        return {"count": shown, "due": due, "emitted": self.stream.presenter.posted, "per_second": avatar.FPS}

    def scan(self) -> dict[str, Any]:
        """What is wrong with the recording, told from its samples alone."""
        gaps, jumps = scan.find_gaps(self.samples), scan.find_jumps(self.samples)
        clips = scan.find_clips(self.samples)
        return {
            "gaps": [{**asdict(gap), "ms": gap.frames * 1000 / RATE} for gap in gaps[:_LISTED]],
            "gap_count": len(gaps),
            "jumps": list(jumps[:_LISTED]),
            "jump_count": len(jumps),
            "clipped": sum(clip.frames for clip in clips),
            "clip_runs": len(clips),
            "peak_dbfs": scan.peak_dbfs(self.samples),
            "as_rendered": bool(np.array_equal(self.samples, self.stream.recording)),
        }

    def step(self, index: int) -> dict[str, Any]:
        """One step: what was chosen, what the callback rendered, and what is in the recording."""
        choice = self.plan.choices[index]
        preset = self.plan.presets[choice.preset]
        planned = lengths(self.plan.steps, self.plan.seconds, RATE)[index]
        sounded = self.stream.log.sounded.get(index)
        return {
            "name": self.plan.steps[index].name,
            "mood": choice.mood,
            "chosen": {"preset": choice.preset, "reasons": list(choice.reasons)},
            "expected_digest": preset.digest,
            "target_lufs": preset.target_lufs,
            "planned_s": planned / RATE,
            "ran": sounded is not None and sounded.frames == planned,
            **(self._unheard(planned) if sounded is None else self._heard(index)),
        }

    @staticmethod
    def _unheard(planned: int) -> dict[str, Any]:
        return {
            "played": None,
            "av_offsets_ms": [],
            "frames_due": avatar.frames_for(planned),
            "loudness_lufs": None,
            "wall_s": 0.0,
            "media_s": 0.0,
        }

    def _heard(self, index: int) -> dict[str, Any]:
        sounded = self.stream.log.sounded[index]
        part = next(part for part in self.programme.parts if part.step == index)
        marks = range(avatar.frames_for(part.start), avatar.frames_for(part.end))
        return {
            "played": {
                "preset": sounded.voice.name,
                "digest": sounded.voice.digest,
                "recognised": recognise(self.samples, part.start, part.frames, self.plan.presets),
            },
            "av_offsets_ms": self._offsets(marks),
            "frames_due": len(marks),
            "loudness_lufs": loudness.integrated(self.weighted[part.start : part.end]),
            "wall_s": self._wall_s(part),
            "media_s": sounded.frames / RATE,
        }

    def _wall_s(self, part: Part) -> float:
        return (self._left_at(part.end) - self._asked_at(part.start)) / deadlines.NANOSECONDS

    def _offsets(self, marks: Sequence[int]) -> list[float]:
        """Offsets of the frames that were shown, in the order of the frames."""
        offsets = []
        for frame in marks:
            shown_ns = int(self.stream.presenter.shown_ns[frame])
            if shown_ns:
                offsets.append(deadlines.av_offset_ms(shown_ns, self._heard_ns(frame * avatar.FRAMES_EACH)))
        return offsets

    def _heard_ns(self, frame: int) -> int:
        call, asked_before = self._call_of(self.stream.lead_frames + frame)
        within = self.stream.lead_frames + frame - asked_before
        return self.stream.heard_ns(asked_before, within, int(self.stream.log.done_ns[call]))

    def _asked_at(self, frame: int) -> int:
        """When the device asked for a frame of the programme."""
        return int(self.stream.log.times_ns[self._call_of(self.stream.lead_frames + frame)[0]])

    def _left_at(self, end: int) -> int:
        """When all frames before `end` had left the buffer: the device had asked for a whole buffer beyond them."""
        return self._asked_at(end + self.device.buffer_frames)

    def _call_of(self, asked: int) -> tuple[int, int]:
        """The callback that brought a frame, counted from the device's first, and the frames asked for before it."""
        log = self.stream.log
        edges = np.cumsum(log.counts[: log.used])
        call = int(np.searchsorted(edges, asked, side="right"))
        if call == log.used:
            raise IndexError(f"the device never asked for frame {asked}")
        return call, int(edges[call] - log.counts[call])


def _calls(stream: Stream) -> tuple[list[int], list[int]]:
    used = stream.log.used
    return stream.log.times_ns[:used].tolist(), stream.log.counts[:used].tolist()


def _write(plan: Plan, stream: Stream, folder: Path) -> dict[str, dict[str, Any]]:
    paths = {kind: folder / f"{plan.name}.{kind}" for kind in ("flac", "y4m", "json")}
    recording.write_audio(paths["flac"], stream.recording)
    avatar.write_y4m(paths["y4m"], stream.presenter.pictures)
    times, counts = _calls(stream)
    done = stream.log.done_ns[: stream.log.used].tolist()
    shown = stream.presenter.shown_ns.tolist()
    recording.write_json(paths["json"], {"times_ns": times, "done_ns": done, "counts": counts, "shown_ns": shown})
    names = {"flac": "audio", "y4m": "video", "json": "timing"}
    return {names[kind]: recording.identify(path) for kind, path in paths.items()}


def _scheduling(stream: Stream, device: Device) -> dict[str, Any]:
    return {
        **_granted(stream.scheduling),
        "avatar": _granted(stream.presenter.scheduling),
        "backend": device.name,
        "backend_why": device.why,
        "garbage_collection": "held still",
    }


def _granted(scheduling: Scheduling | None) -> dict[str, Any]:
    if scheduling is None:
        return {}
    return {**asdict(scheduling), "refused": list(scheduling.refused)}
