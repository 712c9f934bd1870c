"""Temperature sensors that can be read: those of the kernel's hwmon, and its thermal zones where there are none.

Files and their meaning: the kernel's `hwmon/sysfs-interface.rst` and `driver-api/thermal/sysfs-api.rst`; both give
thousandths of a degree Celsius.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pytest_spiral.model.profile import Fact
from pytest_spiral.profiles.probe.findings import absent, present, unknown
from pytest_spiral.profiles.probe.sources import ROOT, read

_COMMAND = "open /sys/class/hwmon/hwmon*/temp*_input, else /sys/class/thermal/thermal_zone*/temp"
_NAME = "sensors.temperature"


def temperature(root: Path = ROOT) -> Fact:
    """Count the temperature sensors that give a reading."""
    if not (root / "sys/class").is_dir():
        return unknown(_NAME, f"{root / 'sys/class'}: no such folder, so no sensor is known", command=_COMMAND)
    for source in (_hwmon, _zones):
        readings = [_reading(name, path) for name, path in source(root / "sys/class")]
        told = "\n".join(line for _, line in readings)
        count = sum(good for good, _ in readings)
        if count:
            return present(_NAME, count, evidence=told, command=_COMMAND)
        if readings:
            return unknown(_NAME, told, command=_COMMAND)
    nothing = f"no temp*_input in {root / 'sys/class/hwmon'} and no zone in {root / 'sys/class/thermal'}"
    return absent(_NAME, nothing, command=_COMMAND)


def _hwmon(classes: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(classes.glob("hwmon/hwmon*/temp*_input")):
        label = read(path.with_name(path.name.replace("_input", "_label"))).text or path.name
        yield f"{(read(path.parent / 'name').text or path.parent.name).strip()} {label.strip()}", path


def _zones(classes: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(classes.glob("thermal/thermal_zone*/temp")):
        yield (read(path.with_name("type")).text or path.parent.name).strip(), path


def _reading(name: str, path: Path) -> tuple[bool, str]:
    """Whether a sensor gives a number, and what it gives: a sensor that is switched off answers with an error."""
    answer = read(path)
    text = (answer.text or "").strip()
    if re.fullmatch(r"-?[0-9]{1,9}", text):
        return True, f"{name}: {int(text) / 1000:.1f} degrees Celsius"
    return False, f"{name}: {answer.trouble or f'{text!r} is no reading'}"
