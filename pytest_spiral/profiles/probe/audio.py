"""Sound: a playback or capture device that is real, has a device file, and may be opened by this user."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pytest_spiral.model.profile import Fact
from pytest_spiral.profiles.probe.findings import absent, present, unknown
from pytest_spiral.profiles.probe.sources import ROOT, read

Direction = Literal["playback", "capture"]

_COMMAND = "open /proc/asound/pcm, /proc/asound/modules; list /sys/class/sound, /dev/snd"

# Drivers of the kernel's sound/drivers/ that play into nothing: they sound for tests, and nobody hears them.
_UNHEARD = ("snd_dummy", "snd_aloop", "snd_pcmtest")


@dataclass(frozen=True, slots=True)
class _Stream:
    """One PCM stream of a card, and the line that names it."""

    card: int
    device: int
    line: str


def playback(root: Path = ROOT) -> Fact:
    """Count the PCM streams on which this user can play."""
    return _sound("playback", root)


def capture(root: Path = ROOT) -> Fact:
    """Count the PCM streams from which this user can record."""
    return _sound("capture", root)


def _sound(direction: Direction, root: Path) -> Fact:
    name = f"audio.{direction}"
    if not (root / "proc/version").exists():
        return unknown(name, "no /proc here: this system's sound is not known to this probe", command=_COMMAND)
    streams = list(_streams(direction, root))
    obstacles = {stream: _obstacle(stream, direction, root) for stream in streams}
    told = [f"{stream.line}: {obstacle or 'usable'}" for stream, obstacle in obstacles.items()]
    usable = sum(obstacle == "" for obstacle in obstacles.values())
    if usable:
        return present(name, usable, evidence="\n".join(told), command=_COMMAND)
    return absent(name, "\n".join(told) or _nothing(direction, root), command=_COMMAND)


def _nothing(direction: Direction, root: Path) -> str:
    listed = read(root / "proc/asound/pcm")
    sysfs = root / "sys/class/sound"
    folder = f"{sysfs}: no PCM stream" if sysfs.is_dir() else f"{sysfs}: no such folder"
    return f"no {direction} stream; {listed.trouble or f'/proc/asound/pcm: {listed.text!r}'}; {folder}"


def _streams(direction: Direction, root: Path) -> Iterator[_Stream]:
    """Yield the streams that /proc/asound/pcm lists, or /sys/class/sound where the kernel has no such file.

    A line of the first reads `00-03: HDMI 0 : HDMI 0 : playback 1`: card, device, names, directions
    (the kernel's `sound/designs/procfile.rst`).
    """
    listed = read(root / "proc/asound/pcm").text
    if listed is not None:
        for line in listed.splitlines():
            found = re.match(r"([0-9]+)-([0-9]+):", line)
            if found and re.search(rf":\s*{direction}\s+[1-9]", line):
                yield _Stream(int(found[1]), int(found[2]), line.strip())
        return
    for entry in sorted((root / "sys/class/sound").glob(f"pcmC*D*{direction[0]}")):
        if found := re.fullmatch(r"pcmC([0-9]+)D([0-9]+)[pc]", entry.name):
            yield _Stream(int(found[1]), int(found[2]), str(entry))


def _obstacle(stream: _Stream, direction: Direction, root: Path) -> str:
    """Say why nothing can be heard on a stream, empty where nothing stands in the way."""
    driver = _driver(stream.card, root)
    if driver.startswith(_UNHEARD):
        return f"a stand-in without a sound device, driver {driver}"
    node = root / f"dev/snd/pcmC{stream.card}D{stream.device}{direction[0]}"
    try:
        mode = node.stat().st_mode
    except OSError as problem:
        return f"{node}: {problem.strerror}"
    if not stat.S_ISCHR(mode):
        return f"{node}: not a device"
    wanted = os.W_OK if direction == "playback" else os.R_OK
    return "" if os.access(node, wanted) else f"{node}: this user may not open it"


def _driver(card: int, root: Path) -> str:
    """Name the driver of a card: its kernel module, or its platform device (`snd_dummy.0`) where it is built in."""
    modules = read(root / "proc/asound/modules").text or ""
    found = re.search(rf"^\s*{card}\s+(\S+)", modules, re.MULTILINE)
    device = root / f"sys/class/sound/card{card}/device"
    return found[1] if found else device.resolve().name
