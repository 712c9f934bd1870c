"""Accelerators: device files of graphics and compute processors, without those that a hypervisor paints."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

from pytest_spiral.model.profile import Fact
from pytest_spiral.profiles.probe.findings import absent, present, unknown
from pytest_spiral.profiles.probe.sources import ROOT

_COMMAND = "list /dev/nvidia*, /dev/dri/renderD*, /dev/accel/accel*, /sys/class/drm"

# Drivers with a render node and no processor behind it that this machine owns: the kernel's test drivers and the
# displays of virtual machines.
_PAINTED = (
    "bochs-drm",
    "cirrus",
    "hyperv_drm",
    "qxl",
    "simple-framebuffer",
    "vboxvideo",
    "vgem",
    "virtio_gpu",
    "vkms",
    "vmwgfx",
)


def accelerator(root: Path = ROOT) -> Fact:
    """Count the accelerators whose device files are here."""
    if not (root / "proc/version").exists():
        return unknown("accelerator", "no /proc here: this system's devices are not known", command=_COMMAND)
    obstacles = {node: _obstacle(node, root) for node in _nodes(root)}
    told = [f"{node}: {obstacle or 'usable'}" for node, obstacle in obstacles.items()]
    usable = sum(obstacle == "" for obstacle in obstacles.values())
    if usable:
        return present("accelerator", usable, evidence="\n".join(told), command=_COMMAND)
    nothing = f"none of {root / 'dev'}/nvidia0…, dri/renderD*, accel/accel* is there"
    return absent("accelerator", "\n".join(told) or nothing, command=_COMMAND)


def _nodes(root: Path) -> Iterator[Path]:
    """Yield the device files, one for each processor: NVIDIA's own, and the render nodes of other drivers."""
    patterns = {"dev": r"nvidia[0-9]+", "dev/dri": r"renderD[0-9]+", "dev/accel": r"accel[0-9]+"}
    for folder, pattern in patterns.items():
        for node in sorted((root / folder).glob("*")):
            twin = folder == "dev/dri" and _driver(node, root) == "nvidia"  # counted as /dev/nvidia0 already
            if re.fullmatch(pattern, node.name) and not twin:
                yield node


def _obstacle(node: Path, root: Path) -> str:
    try:
        mode = node.stat().st_mode
    except OSError as problem:
        return str(problem.strerror)
    if not stat.S_ISCHR(mode):
        return "not a device"
    driver = _driver(node, root)
    return f"driver {driver}, no accelerator of this machine" if driver in _PAINTED else ""


def _driver(node: Path, root: Path) -> str:
    """Name the kernel driver of a render node, empty where sysfs does not say."""
    link = root / "sys/class/drm" / node.name / "device/driver"
    return link.resolve().name if link.exists() else ""
