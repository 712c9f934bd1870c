"""USB devices that the kernel lists, without hubs: no library is needed.

Files and their meaning: the kernel's `Documentation/ABI/stable/sysfs-bus-usb` and `driver-api/usb`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_spiral.model.profile import Fact
from pytest_spiral.profiles.probe.findings import absent, present, unknown
from pytest_spiral.profiles.probe.sources import ROOT, read

_COMMAND = "list /sys/bus/usb/devices; open idVendor, idProduct, bDeviceClass, manufacturer, product of each"
_HUB = "09"
"""The device class of hubs, those of the controllers included (USB-IF, "Defined Class Codes")."""


@dataclass(frozen=True, slots=True)
class _Device:
    """One device: whether it only joins others to the bus, and the line that names it, without its serial number."""

    hub: bool
    line: str


def devices(root: Path = ROOT) -> Fact:
    """Count the USB devices that are no hubs."""
    if not (root / "sys/bus").is_dir():
        return unknown("usb.devices", f"{root / 'sys/bus'}: no such folder, so no bus is known", command=_COMMAND)
    folder = root / "sys/bus/usb/devices"
    if not folder.is_dir():
        return absent("usb.devices", f"{folder}: no such folder: this kernel shows no USB bus", command=_COMMAND)
    try:
        found = list(_devices(folder))
    except OSError as problem:
        return unknown("usb.devices", f"{folder}: {problem.strerror}", command=_COMMAND)
    told = "\n".join(one.line for one in found)
    count = sum(not one.hub for one in found)
    if count:
        return present("usb.devices", count, evidence=told, command=_COMMAND)
    return absent("usb.devices", told or f"{folder}: empty", command=_COMMAND)


def _devices(folder: Path) -> Iterator[_Device]:
    """Yield the devices; what has no vendor in that folder is an interface of one."""
    for path in sorted(folder.iterdir()):
        vendor, product = (_word(path / file) for file in ("idVendor", "idProduct"))
        if not vendor:
            continue
        hub = _word(path / "bDeviceClass") == _HUB
        words = " ".join(word for word in (_word(path / "manufacturer"), _word(path / "product")) if word)
        yield _Device(hub, f"{path.name} {vendor}:{product} {words}{' (hub)' if hub else ''}".replace("  ", " "))


def _word(path: Path) -> str:
    return (read(path).text or "").strip()
