"""Integrated loudness of 48 kHz audio: ITU-R BS.1770-4, Annex 1.

Two filters shape each channel as the ear does (K-weighting), power is averaged over blocks of 400 ms that
overlap by 75 %, and blocks below -70 LUFS, then below 10 LU under the rest's mean, do not count.
"""

import functools

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
BLOCK_FRAMES = 19_200  # 400 ms
_HOP_FRAMES = 4_800  # 75 % overlap
_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0
_OFFSET = -0.691  # makes a 997 Hz sine at full scale in one front channel read -3.01 LKFS

# Numerator and denominator of both stages at 48 kHz: tables 1 and 2 of the recommendation.
_SHELF = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (1.0, -1.69065929318241, 0.73248077421585),
)
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))

# The slowest pole lies at radius 0.99502: after 16,384 samples its answer is below 1e-35.
_TAPS = 16_384
_CHUNK = 131_072

Floats = NDArray[np.float64]


def weigh(audio: Floats) -> Floats:
    """K-weighted audio (frames x channels), by overlap-add with the filters' impulse response."""
    weighted = np.zeros((len(audio) + _TAPS, audio.shape[1]))
    answer = _answer()
    for start in range(0, len(audio), _CHUNK):
        part = audio[start : start + _CHUNK]
        count = min(len(part) + _TAPS, len(weighted) - start)
        shaped = np.fft.irfft(np.fft.rfft(part, _CHUNK + _TAPS, axis=0) * answer, _CHUNK + _TAPS, axis=0)
        weighted[start : start + count] += shaped[:count]
    return weighted[: len(audio)]


def integrated(weighted: Floats) -> float | None:
    """Loudness in LUFS of K-weighted mono or stereo audio; None if it has no block above the gates.

    Audio shorter than one block of 400 ms has none. ValueError for more channels than two: theirs would need
    weights of their own.
    """
    if weighted.ndim != 2 or weighted.shape[1] not in (1, 2):
        raise ValueError(f"loudness is measured on one or two channels, not on shape {weighted.shape}")
    power = _block_power(weighted)
    power = power[power > _power(_ABSOLUTE_GATE)]
    if not len(power):
        return None
    loud = power[power > _power(_level(float(power.mean())) + _RELATIVE_GATE)]
    return _level(float(loud.mean()))


def measure(audio: Floats) -> float | None:
    """Integrated loudness in LUFS of audio (frames x channels, full scale 1.0) at 48 kHz."""
    return integrated(weigh(audio))


def _block_power(weighted: Floats) -> Floats:
    if len(weighted) < BLOCK_FRAMES:
        return np.empty(0)
    sums = np.concatenate(([0.0], np.cumsum((weighted**2).sum(axis=1))))
    starts = np.arange(0, len(weighted) - BLOCK_FRAMES + 1, _HOP_FRAMES)
    return np.asarray((sums[starts + BLOCK_FRAMES] - sums[starts]) / BLOCK_FRAMES)


def _level(power: float) -> float:
    return _OFFSET + 10.0 * float(np.log10(power))


def _power(level: float) -> float:
    return float(10.0 ** ((level - _OFFSET) / 10.0))


@functools.cache
def _answer() -> NDArray[np.complex128]:
    """The spectrum of the impulse response of both stages, cut off after `_TAPS` samples."""
    size = 4 * _TAPS
    turn = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    total = np.ones_like(turn)
    for numerator, denominator in (_SHELF, _HIGH_PASS):
        total *= np.polyval(numerator[::-1], turn) / np.polyval(denominator[::-1], turn)
    impulse = np.fft.irfft(total, size)[:_TAPS]
    return np.asarray(np.fft.rfft(impulse, _CHUNK + _TAPS)[:, np.newaxis])
