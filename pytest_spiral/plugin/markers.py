"""Registering the markers that the plugin gives meaning to, so that strict markers know them."""

from collections.abc import Iterable, Mapping

import pytest

_ALWAYS = (
    "criterion(id, ...): the exit criteria that the test proves, as ids from gates.toml, such as B1.recall",
    "environment_limited(needs, reason=''): the test can only be run where `needs` holds, as in module.faiss",
    "hardware_required(needs, profile=''): the test can only be run on hardware where `needs` holds",
    "environment-limited: set on every test that carries a need, met or not; for use with -m",
    "hardware-required: set on every test that carries a hardware need, met or not; for use with -m",
    "gate(id): set on every test that claims a criterion of that gate",
)


def register_markers(config: pytest.Config, stages: Iterable[str] = (), gates: Mapping[str, str] | None = None) -> None:
    """Register the markers that are always there, one for each stage, and one for each gate (id → title)."""
    lines = [*_ALWAYS, *(f"{stage}: tests of the suite folder {stage}" for stage in stages)]
    lines += [f"{name}: gate {name}, {title}" for name, title in sorted((gates or {}).items())]
    for line in lines:
        config.addinivalue_line("markers", line)
