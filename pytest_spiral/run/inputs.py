"""Reading what criteria rest on: the files that their inputs match, each with its digest."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pytest_spiral.errors import UseError
from pytest_spiral.model.evidence import BundleStart
from pytest_spiral.model.freshness import InputChange
from pytest_spiral.model.gate import Plan
from pytest_spiral.rules.freshness import PROFILE, changes_of, pattern_of, patterns_of

_MOST_FILES: Final = 10_000
_SKIPPED: Final = frozenset({"__pycache__", ".git"})


def read_inputs(root: Path, names: Iterable[str], aside: Path) -> dict[str, dict[str, str]]:
    """The files below `root` that each input matches: path → digest of its bytes.

    `aside` is where runs write their bundles, which no result rests on. Nor does one on compiled files or on git's own.
    Raises UseError for a file that cannot be read, and for more than 10,000 files.
    """
    return {name: _read(root, name, aside.resolve()) for name in names}


def _read(root: Path, name: str, aside: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in _matched(root, name):
        inside = path.relative_to(root)
        if _SKIPPED & set(inside.parts) or not path.is_file() or path.resolve().is_relative_to(aside):
            continue
        if len(found) == _MOST_FILES:
            problem = f"the input {name!r} matches more than {_MOST_FILES:,} files below {root}."
            raise UseError(f"{problem} Remedy: name fewer in `inputs` of the gates file.")
        found[inside.as_posix()] = _digest(path)
    return found


def _matched(root: Path, name: str) -> list[Path]:
    try:
        return sorted(root.glob(pattern_of(name)))
    except OSError as error:
        problem = f"the input {name!r} cannot be looked for below {root} ({error.strerror})."
        raise UseError(f"{problem} Remedy: name another in `inputs` of the gates file.") from error


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            whole = hashlib.file_digest(file, "sha256")
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UseError(f"the input {path} cannot be read ({why}). Remedy: make it readable, or name others.") from error
    return f"sha256:{whole.hexdigest()}"


def changed_since(plan: Plan, start: BundleStart, root: Path, aside: Path) -> tuple[InputChange, ...]:
    """What has changed below `root` since the run recorded it; the machine is probed where `profile` is an input."""
    machine = None
    if any(PROFILE in one.inputs for one in plan.criteria()):
        from pytest_spiral.profiles.probe import detect

        machine = detect([one.name for one in start.profile.hardware])
    return changes_of(plan, start, read_inputs(root, patterns_of(plan), aside), machine)
