"""Synthesis: voices made from presets, laid one after another without clicks.

Every sample is a closed formula of its index, so any stretch can be rendered again alone and is the same:
that is how a recording is recognised afterwards (see `recognise`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spiral_sandbox.sonic.errors import StreamError
from spiral_sandbox.sonic.presets import Preset, digest_of

RATE = 48_000
BLOCK_FRAMES = 16_384  # the most that a device may ask for at once
CHANNELS = 2
FADE_FRAMES = 960  # 20 ms: long enough to be no click, short enough to leave a step its own sound

Mix = NDArray[np.float64]
Samples = NDArray[np.int16]

_FULL_SCALE = 32_767
_WINDOW_FRAMES = 4_800
_ROUNDING = 1  # a step of the 16-bit scale: rounding may differ where vector lengths do


class Scratch:
    """Working arrays for up to `capacity` frames, made once so that rendering allocates nothing large."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.ramp = np.arange(capacity, dtype=np.float64)
        self.time = np.empty(capacity)
        self.tone = np.empty(capacity)
        self.swing = np.empty(capacity)
        self.side = np.empty(capacity)
        self.envelope = np.empty(capacity)
        self.mix = np.empty((capacity, CHANNELS))
        self.samples = np.empty((capacity, CHANNELS), dtype=np.int16)

    def block(self, count: int) -> tuple[Mix, Samples]:
        """Mix and samples of `count` frames to work in; StreamError if that is more than was prepared."""
        if count > self.capacity:
            raise StreamError(f"The device asks for {count} frames at once; {self.capacity} are prepared.")
        return self.mix[:count], self.samples[:count]


class Voice:
    """A preset made ready to sound; `digest` is taken from the very figures that `add` computes with."""

    __slots__ = ("_gain", "_rows", "name")

    def __init__(self, preset: Preset) -> None:
        self.name = preset.name
        self._gain = preset.gain
        self._rows = tuple(oscillator.figures for oscillator in preset.oscillator)

    @property
    def digest(self) -> str:
        """The identity of what this voice plays."""
        return digest_of(self._gain, self._rows)

    def add(self, mix: Mix, start: int, envelope: NDArray[np.float64], scratch: Scratch) -> None:
        """Add the voice to `mix` (frames x 2), whose first frame is the voice's frame `start`."""
        count = len(mix)
        time, tone, side = scratch.time[:count], scratch.tone[:count], scratch.side[:count]
        np.add(scratch.ramp[:count], start, out=time)
        np.divide(time, RATE, out=time)
        for hertz, level, pan, *modulation in self._rows:
            _tone(tone, time, scratch.swing[:count], hertz, modulation)
            np.multiply(tone, envelope, out=tone)
            angle = (pan + 1.0) * np.pi / 4.0  # equal power
            for channel, share in enumerate((np.cos(angle), np.sin(angle))):
                np.multiply(tone, self._gain * level * share, out=side)
                np.add(mix[:, channel], side, out=mix[:, channel])


@dataclass(frozen=True, slots=True)
class Part:
    """One voice's place: the step it belongs to, its first frame and its length in frames."""

    step: int
    voice: Voice
    start: int
    frames: int

    @property
    def end(self) -> int:
        """The frame after its last."""
        return self.start + self.frames


class Source(Protocol):
    """Something that can fill any stretch of a mix."""

    def render(self, position: int, mix: Mix, scratch: Scratch) -> tuple[Part, ...]:
        """Overwrite `mix` with the frames from `position` on and return the parts that lie there."""
        ...


class Programme:
    """Parts in order, cross-faded: each fades in over its first frames while the one before fades out."""

    def __init__(self, parts: Sequence[Part]) -> None:
        if not parts:
            raise ValueError("a programme needs at least one part")
        if [part.start for part in parts] != [0, *(part.end for part in parts[:-1])]:
            raise ValueError("the parts of a programme follow each other without a gap")
        shortest = min(part.frames for part in parts)
        if shortest < 2 * FADE_FRAMES:
            raise ValueError(f"a part of {shortest} frames is too short: {2 * FADE_FRAMES} are needed to fade")
        self.parts = tuple(parts)
        self.frames = parts[-1].end
        self._rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(FADE_FRAMES) + 0.5) / FADE_FRAMES)
        self._fall = self._rise[::-1].copy()

    def render(self, position: int, mix: Mix, scratch: Scratch) -> tuple[Part, ...]:
        """Overwrite `mix` with the frames from `position` on; silence after the last part."""
        mix.fill(0.0)
        stop = position + len(mix)
        for part in self.parts:
            low, high = max(position, part.start), min(stop, self._silent_from(part))
            if low < high:
                envelope = self._envelope(part, low - part.start, high - low, scratch)
                part.voice.add(mix[low - position : high - position], low - part.start, envelope, scratch)
        return tuple(part for part in self.parts if part.start < stop and part.end > position)

    def _silent_from(self, part: Part) -> int:
        return part.end if part is self.parts[-1] else part.end + FADE_FRAMES

    def _envelope(self, part: Part, start: int, count: int, scratch: Scratch) -> NDArray[np.float64]:
        envelope = scratch.envelope[:count]
        envelope.fill(1.0)
        falling = self._silent_from(part) - part.start - FADE_FRAMES
        for edge, slope in ((0, self._rise), (falling, self._fall)):
            low, high = max(start, edge), min(start + count, edge + FADE_FRAMES)
            if low < high:
                envelope[low - start : high - start] = slope[low - edge : high - edge]
        return envelope


class Loop:
    """A programme that starts again when it has ended."""

    def __init__(self, programme: Programme) -> None:
        self._programme = programme

    def render(self, position: int, mix: Mix, scratch: Scratch) -> tuple[Part, ...]:
        """Overwrite `mix` with the frames from `position` on, counted modulo the programme's length."""
        done, parts = 0, list[Part]()
        while done < len(mix):
            place = (position + done) % self._programme.frames
            count = min(len(mix) - done, self._programme.frames - place)
            parts += self._programme.render(place, mix[done : done + count], scratch)
            done += count
        return tuple(parts)


def lay(script: Sequence[tuple[int, Preset, int]]) -> Programme:
    """A programme of (step, preset, frames) one after another."""
    parts, start = [], 0
    for step, preset, frames in script:
        parts.append(Part(step, Voice(preset), start, frames))
        start += frames
    return Programme(parts)


def quantise(mix: Mix, samples: Samples) -> None:
    """Write `mix` as 16-bit samples, rounded; what is beyond full scale is cut off there. Alters `mix`."""
    np.multiply(mix, _FULL_SCALE, out=mix)
    np.rint(mix, out=mix)
    np.clip(mix, -_FULL_SCALE - 1, _FULL_SCALE, out=mix)
    np.copyto(samples, mix, casting="unsafe")


def render_alone(preset: Preset, start: int, frames: int) -> Samples:
    """A preset's own samples (frames x 2) from its frame `start` on, at full level and without fades."""
    scratch = Scratch(frames)
    scratch.mix.fill(0.0)
    Voice(preset).add(scratch.mix, start, np.ones(frames), scratch)
    quantise(scratch.mix, scratch.samples)
    return scratch.samples


def recognise(samples: Samples, start: int, frames: int, presets: Mapping[str, Preset]) -> str | None:
    """The preset that a part of a recording is, told from its samples alone; None if it is none of them.

    The part begins at `start` and is `frames` long. A window in its middle, clear of the fades, is compared
    with every preset rendered anew.
    """
    count = min(_WINDOW_FRAMES, frames - 2 * FADE_FRAMES)
    offset = (frames - count) // 2
    heard = samples[start + offset : start + offset + count].astype(np.int32)
    if count <= 0 or len(heard) < count:
        return None
    for name, preset in presets.items():
        if np.abs(heard - render_alone(preset, offset, count)).max() <= _ROUNDING:
            return name
    return None


def _tone(
    tone: NDArray[np.float64],
    time: NDArray[np.float64],
    swing: NDArray[np.float64],
    hertz: float,
    modulation: Sequence[float],
) -> None:
    tremolo_hz, depth, vibrato_hz, index = modulation
    np.multiply(time, 2.0 * np.pi * hertz, out=tone)
    if index:
        np.sin(np.multiply(time, 2.0 * np.pi * vibrato_hz, out=swing), out=swing)
        np.add(tone, np.multiply(swing, index, out=swing), out=tone)
    np.sin(tone, out=tone)
    if depth:
        np.sin(np.multiply(time, 2.0 * np.pi * tremolo_hz, out=swing), out=swing)
        np.add(np.multiply(swing, depth / (1.0 + depth), out=swing), 1.0 / (1.0 + depth), out=swing)
        np.multiply(tone, swing, out=tone)
