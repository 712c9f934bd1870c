"""NVIDIA processors as their own library tells of them (NVML), asked in a process of its own.

A library that hangs or crashes takes that process with it and nothing else. It comes with the driver; the binding
`pynvml` is the optional package nvidia-ml-py. Names of calls: NVIDIA's "NVML API Reference Guide".
"""

import importlib.util
import re
import sys
from pathlib import Path
from typing import Final

from pytest_spiral.model.profile import Fact
from pytest_spiral.profiles.probe.findings import absent, present, unknown
from pytest_spiral.profiles.probe.sources import ROOT, Answer, ask

_COMMAND = "NVML by pynvml: nvmlInit, nvmlSystemGetDriverVersion, nvmlDeviceGetCount, name and memory of each"

# One line for each processor, its bytes of memory last; an id (UUID, serial number) is not asked for.
_ASK: Final = """
import pynvml as nvml
try:
    nvml.nvmlInit()
    print("driver", nvml.nvmlSystemGetDriverVersion())
    for place in range(nvml.nvmlDeviceGetCount()):
        one = nvml.nvmlDeviceGetHandleByIndex(place)
        print("processor", place, nvml.nvmlDeviceGetName(one), nvml.nvmlDeviceGetMemoryInfo(one).total)
except nvml.NVMLError as refused:
    print("refused", type(refused).__name__, refused)
"""
_LINE = re.compile(r"^processor [0-9]+ .* ([0-9]+)$", re.MULTILINE)
_NO_DEVICE: Final = ("NVMLError_LibraryNotFound", "NVMLError_DriverNotLoaded", "NVMLError_NoDevice")


def devices(root: Path = ROOT) -> Fact:
    """Count the processors that NVML lists."""
    return _asked("nvidia.devices", root)


def memory(root: Path = ROOT) -> Fact:
    """Tell the memory, in bytes, of the processor that has most."""
    return _asked("nvidia.memory", root)


def _asked(name: str, root: Path) -> Fact:
    if importlib.util.find_spec("pynvml") is None:
        return _without(name, root, "nvidia-ml-py (module pynvml) is not installed, so NVML is not asked")
    answer = ask(sys.executable, "-P", "-c", _ASK)
    sizes = [int(size) for size in _LINE.findall(answer.output)]
    if answer.status != 0 or "refused " in answer.output or not answer.output.startswith("driver "):
        return _refused(name, root, answer)
    if not sizes:
        return absent(name, f"{answer.raw}\nNVML lists no processor", command=_COMMAND)
    if name == "nvidia.devices":
        return present(name, len(sizes), evidence=answer.raw, command=_COMMAND)
    return present(name, max(sizes), unit="B", evidence=answer.raw, command=_COMMAND)


def _refused(name: str, root: Path, answer: Answer) -> Fact:
    """Absent where NVML names a reason that means no device and the kernel has none either, else unknown."""
    said = answer.raw if answer.status == 0 else answer.told.replace(_ASK, "…")
    if answer.status == 0 and any(f"refused {reason}" in said for reason in _NO_DEVICE):
        return _without(name, root, said)
    return unknown(name, said, command=_COMMAND)


def _without(name: str, root: Path, said: str) -> Fact:
    """What the kernel shows where NVML says nothing: without its driver no such processor can be used."""
    if not (root / "proc/version").exists():
        return unknown(name, f"{said}; no /proc here: this system's drivers are not known", command=_COMMAND)
    shown = [path for path in (root / "proc/driver/nvidia/version", root / "dev/nvidia0") if path.exists()]
    if shown:
        there = ", ".join(str(path) for path in shown)
        return unknown(name, f"{said}; but the kernel has NVIDIA's driver: {there}", command=_COMMAND)
    return absent(name, f"{said}; the kernel has no /proc/driver/nvidia and no /dev/nvidia0", command=_COMMAND)
