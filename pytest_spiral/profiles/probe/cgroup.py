"""What the control groups of this process allow it: in a container, less than the machine has.

Files and their meaning: the kernel's `admin-guide/cgroup-v2.rst` (memory.max, memory.current, cpu.max), and for
version 1 `admin-guide/cgroup-v1/memory.rst` (memory.*_in_bytes) and `scheduler/sched-bwc.rst` (cpu.cfs_*).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pytest_spiral.profiles.probe.sources import read, without_ids


@dataclass(frozen=True, slots=True)
class Limits:
    """The tightest limit of the own group and those above it, None for none, and the lines that say so.

    No lines mean that no file of the groups could be read, so that nothing is known.
    """

    tightest: Fraction | None
    lines: tuple[str, ...]


def memory_limit(root: Path) -> Limits:
    """Bytes of memory that the groups allow."""
    return _limits(root, "memory", [("memory.max",), ("memory.limit_in_bytes",)], lambda texts: Fraction(texts[0]))


def memory_room(root: Path) -> Limits:
    """Bytes of memory that the groups still allow; page cache counts as used there, so this is a low figure."""
    files = [("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")]
    return _limits(root, "memory", files, lambda texts: max(Fraction(0), Fraction(texts[0]) - Fraction(texts[1])))


def cpu_quota(root: Path) -> Limits:
    """Processors that the groups allow at a time: a quota of 200000 in a period of 100000 is 2."""
    files = [("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")]
    return _limits(root, "cpu", files, lambda texts: Fraction(texts[0]) / Fraction(texts[1]))


def _limits(
    root: Path, controller: str, choices: Sequence[tuple[str, ...]], limit: Callable[[list[str]], Fraction]
) -> Limits:
    lines: list[str] = []
    found: list[Fraction] = []
    for folder in _folders(root, controller):
        for files in choices:
            readings = [read(folder / file).text for file in files]
            texts = [text.strip() for text in readings if text is not None]
            if len(texts) < len(files):
                continue
            lines.append(f"{without_ids(str(folder / files[0]))}: {' '.join(texts)}")
            if texts[0].split()[0] not in ("max", "-1"):  # how versions 2 and 1 write that there is no limit
                found.append(limit(" ".join(texts).split()))
    return Limits(min(found, default=None), tuple(lines))


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folder of the own group and of each above it, in both versions' hierarchies."""
    mounts = root / "sys/fs/cgroup"
    for line in (read(root / "proc/self/cgroup").text or "").splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for base in (mounts / controller,) if controllers else (mounts, mounts / "unified"):
            yield from (base.joinpath(*parts[:length]) for length in range(len(parts), -1, -1))
