"""What is wrong with a recording, told from its samples alone: gaps, jumps and clipping."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spiral_sandbox.sonic.render import RATE, Samples

GAP_FRAMES = RATE // 200  # 5 ms
CLIP_RUN = 3

_HIGHEST, _LOWEST = 32_767, -32_768
_NEIGHBOURHOOD = RATE // 100  # 10 ms
_OUTLIER = 10.0
_NOISE = 4.0  # second differences that rounding to whole steps alone can make


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which no channel moves: digital silence, or a value that is held."""

    start: int
    frames: int
    kind: Literal["silence", "held"]


@dataclass(frozen=True, slots=True)
class Clip:
    """A run of samples at full scale in one channel."""

    channel: int
    start: int
    frames: int


def find_gaps(samples: Samples, least: int = GAP_FRAMES) -> tuple[Gap, ...]:
    """Stretches of at least `least` frames in which every channel stays at one value that is not full scale.

    A wave cut off at full scale stands still there too; that is clipping, and `find_clips` counts it.
    """
    still = (samples[1:] == samples[:-1]).all(axis=1) & ~_at_full_scale(samples[1:]).all(axis=1)
    gaps = []
    for start, count in _runs(still):
        if count + 1 >= least:
            silent = not samples[start].any()
            gaps.append(Gap(start, count + 1, "silence" if silent else "held"))
    return tuple(gaps)


def find_clips(samples: Samples, least: int = CLIP_RUN) -> tuple[Clip, ...]:
    """Runs of at least `least` samples at full scale (the highest or the lowest 16-bit value), per channel."""
    clips = []
    for channel in range(samples.shape[1]):
        for value in (_HIGHEST, _LOWEST):
            runs = _runs(samples[:, channel] == value)
            clips += [Clip(channel, start, count) for start, count in runs if count >= least]
    return tuple(sorted(clips, key=lambda clip: (clip.start, clip.channel)))


def find_jumps(samples: Samples) -> tuple[int, ...]:
    """Frames, give or take one, at which the wave breaks: its second difference is far beyond its neighbourhood's.

    A sine of amplitude A and frequency f has second differences up to A (2 pi f / rate)^2. A break of more than
    ten times that stands out: at 500 Hz, one of 4 % of the amplitude. Breaks within 5 ms count as one. The corner at
    which a wave meets full scale is no break: that is clipping.
    """
    if len(samples) < 3:
        return ()
    bend = np.abs(np.diff(samples.astype(np.float64), n=2, axis=0))
    full = _at_full_scale(samples)
    corner = full[:-2] | full[1:-1] | full[2:]
    odd = ((bend > _OUTLIER * (_usual(bend) + _NOISE)) & ~corner).any(axis=1)
    jumps: list[int] = []
    for frame in (np.flatnonzero(odd) + 1).tolist():
        if not jumps or frame - jumps[-1] >= GAP_FRAMES:
            jumps.append(frame)
    return tuple(jumps)


def peak_dbfs(samples: Samples) -> float | None:
    """The highest sample in dB below full scale; None for silence."""
    peak = int(np.abs(samples.astype(np.int32)).max(initial=0))
    return None if peak == 0 else float(20.0 * np.log10(peak / _HIGHEST))


def _at_full_scale(samples: Samples) -> NDArray[np.bool_]:
    full: NDArray[np.bool_] = (samples == _HIGHEST) | (samples == _LOWEST)
    return full


def _usual(bend: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each frame the ninth decile of its 10 ms and of those before and after, whichever is highest."""
    blocks = -(-len(bend) // _NEIGHBOURHOOD)
    padded = np.pad(
        bend, ((0, blocks * _NEIGHBOURHOOD - len(bend)), (0, 0)), mode="reflect" if len(bend) > 1 else "edge"
    )
    decile = np.quantile(padded.reshape(blocks, _NEIGHBOURHOOD, -1), 0.9, axis=1)
    around = np.pad(decile, ((1, 1), (0, 0)), mode="edge")
    highest = np.maximum(np.maximum(around[:-2], around[1:-1]), around[2:])
    return np.repeat(highest, _NEIGHBOURHOOD, axis=0)[: len(bend)]


def _runs(true: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(start, length) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], true, [False]))))
    starts, ends = edges[::2].tolist(), edges[1::2].tolist()
    return [(start, end - start) for start, end in zip(starts, ends, strict=True)]
