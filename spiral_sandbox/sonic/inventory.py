"""Which optional audio and avatar components are here, found by looking."""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from spiral_sandbox import tables

_VERSION = re.compile(r"\d+(?:\.\d+)+")
_PATIENCE_SECONDS = 5.0


class Wanted(tables.Row, frozen=True):
    """A component to look for; see inventory.toml for the fields."""

    name: tables.Text
    kind: Literal["module", "tool", "device"]
    look_for: Annotated[tuple[tables.Text, ...], Meta(min_length=1)]
    version: str
    fallback: str
    by: str


class _File(tables.Document, frozen=True):
    component: Annotated[tuple[Wanted, ...], Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: `present` with `at` and, where it says so, a version; else what stands in, if anything."""

    name: str
    state: Literal["present", "fallback", "absent"]
    version: str | None
    fallback: str | None
    at: str | None


def load_wanted() -> tuple[Wanted, ...]:
    """The components that the sonic core would like to have."""
    components = tables.read(tables.packaged(__package__, "inventory.toml"), _File, "inventory.toml").component
    tables.demand_unique((wanted.name for wanted in components), "inventory.toml")
    return components


def look(wanted: Wanted) -> Found:
    """Look for one component now."""
    hit = _PROBES[wanted.kind](wanted)
    if hit is None:
        return Found(wanted.name, "fallback" if wanted.fallback else "absent", None, wanted.fallback or None, None)
    at, version = hit
    return Found(wanted.name, "present", version, None, at)


def take_inventory() -> list[dict[str, Any]]:
    """All components as plain JSON: name, state, version, fallback, at."""
    return [asdict(look(wanted)) for wanted in load_wanted()]


def _module(wanted: Wanted) -> tuple[str, str | None] | None:
    for name in wanted.look_for:
        spec = importlib.util.find_spec(name)
        if spec is not None:
            return spec.origin or name, _distribution(wanted.version)
    return None


def _distribution(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None  # importable, but installed by no distribution of that name


def _tool(wanted: Wanted) -> tuple[str, str | None] | None:
    for name in wanted.look_for:
        path = shutil.which(name)
        if path is not None:
            return path, _told(path, wanted.version)
    return None


def _told(path: str, argument: str) -> str | None:
    """The first version number that a tool prints about itself; None if it prints none or does not end."""
    try:
        done = subprocess.run(
            [path, argument], capture_output=True, text=True, errors="replace", timeout=_PATIENCE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(done.stdout + done.stderr)
    return match.group() if match else None


def _device(wanted: Wanted) -> tuple[str, str | None] | None:
    patterns = [pattern.removeprefix("/") for pattern in wanted.look_for]
    hits = sorted(str(path) for pattern in patterns for path in Path("/").glob(pattern))
    return (hits[0], None) if hits else None


_PROBES = {"module": _module, "tool": _tool, "device": _device}
