"""Modulation presets: what a voice sounds like, as data."""

import hashlib
import struct
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from spiral_sandbox import tables


class Tremolo(tables.Row, frozen=True):
    """Amplitude modulation: a factor of (1 + depth sin) / (1 + depth), which never exceeds 1."""

    hz: Annotated[float, Meta(ge=0, le=40)]
    depth: Annotated[float, Meta(ge=0, le=0.95)]


class Vibrato(tables.Row, frozen=True):
    """Frequency modulation: `index` radians times a sine are added to the phase (Chowning 1973)."""

    hz: Annotated[float, Meta(ge=0, le=400)]
    index: Annotated[float, Meta(ge=0, le=4)]


class Oscillator(tables.Row, frozen=True):
    """One sine; `level` is its peak before the preset's gain, `pan` runs from -1 (left) to 1 (right).

    Above 2 kHz a break in the wave would no longer stand out of the sound itself (see `scan.find_jumps`).
    """

    hz: Annotated[float, Meta(ge=20, le=2000)]
    level: Annotated[float, Meta(gt=0, le=1)]
    pan: Annotated[float, Meta(ge=-1, le=1)]
    tremolo: Tremolo
    vibrato: Vibrato

    @property
    def figures(self) -> tuple[float, ...]:
        """The seven parameters, in the order of the fields."""
        swings = (self.tremolo.hz, self.tremolo.depth, self.vibrato.hz, self.vibrato.index)
        return (self.hz, self.level, self.pan, *swings)


class Preset(tables.Row, frozen=True):
    """A named sound with the integrated loudness (LUFS) that it is meant to have."""

    name: tables.Text
    title: tables.Text
    gain_db: Annotated[float, Meta(ge=-60, le=24)]
    target_lufs: Annotated[float, Meta(ge=-60, le=0)]
    oscillator: Annotated[tuple[Oscillator, ...], Meta(min_length=1)]

    @property
    def gain(self) -> float:
        """The gain as a factor."""
        return float(10.0 ** (self.gain_db / 20.0))

    @property
    def digest(self) -> str:
        """The identity of the declared parameters; see `digest_of`."""
        return digest_of(self.gain, [oscillator.figures for oscillator in self.oscillator])


class _File(tables.Document, frozen=True):
    preset: Annotated[tuple[Preset, ...], Meta(min_length=1)]


def digest_of(gain: float, figures: Sequence[Sequence[float]]) -> str:
    """The identity of a sound: SHA-256 over its gain and its oscillators' parameters, as little-endian doubles.

    Names and titles are no part of it: two presets of one name that sound different differ.
    """
    flat = [gain, *(figure for row in figures for figure in row)]
    return "sha256:" + hashlib.sha256(struct.pack(f"<{len(flat)}d", *flat)).hexdigest()


def load_presets() -> dict[str, Preset]:
    """The presets of this package by name."""
    return parse_presets(tables.packaged(__package__, "presets.toml"))


def parse_presets(text: str) -> dict[str, Preset]:
    """Presets by name, in the order of the file; ValueError for a figure that is missing or out of range."""
    presets = tables.read(text, _File, "presets.toml").preset
    tables.demand_unique((preset.name for preset in presets), "presets.toml")
    tables.demand_unique((preset.digest for preset in presets), "presets.toml, sounds by digest")
    return {preset.name: preset for preset in presets}
