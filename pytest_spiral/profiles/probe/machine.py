"""Processors, memory, disk, operating system, Python."""

import json
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from pytest_spiral.model.profile import Fact
from pytest_spiral.profiles.probe import cgroup
from pytest_spiral.profiles.probe.findings import absent, present, unknown
from pytest_spiral.profiles.probe.sources import ROOT, ask, read

_TOPOLOGY = ("--json", "--extended=CPU,CORE,SOCKET,ONLINE")


@dataclass(frozen=True, slots=True)
class _Topology:
    """Each online processor's place (socket, core), None where the source does not say."""

    places: tuple[tuple[str, str] | None, ...]
    evidence: str
    command: str


def cores(root: Path = ROOT) -> Fact:
    """Count the online physical cores."""
    topology = _topology(root)
    if not topology.places or None in topology.places:
        return unknown("cpu.cores", topology.evidence, command=topology.command)
    return present("cpu.cores", len(set(topology.places)), evidence=topology.evidence, command=topology.command)


def threads(root: Path = ROOT) -> Fact:
    """Count the online logical processors."""
    topology = _topology(root)
    if not topology.places:
        return unknown("cpu.threads", topology.evidence, command=topology.command)
    return present("cpu.threads", len(topology.places), evidence=topology.evidence, command=topology.command)


def model(root: Path = ROOT) -> Fact:
    """Name the processor as it names itself."""
    answer = ask("lscpu", "--json")
    if answer.status == 0 and (name := _field(json.loads(answer.output), "Model name:")):
        return present("cpu.model", name, evidence=f"Model name: {name}", command=answer.command)
    reading = read(root / "proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(\S.*)$", reading.text or "", re.MULTILINE)
    command = f"{answer.command}; open /proc/cpuinfo"
    if found is None:
        return unknown("cpu.model", f"no model name in either\n{answer.told}", command=command)
    return present("cpu.model", found[1].strip(), evidence=found[0], command=command)


def affinity() -> Fact:
    """Count the processors on which this process may run."""
    command = "sched_getaffinity(0)"
    if not hasattr(os, "sched_getaffinity"):
        return unknown("cpu.affinity", f"{platform.system()} does not tell", command=command)
    allowed = sorted(os.sched_getaffinity(0))
    return present("cpu.affinity", len(allowed), evidence=str(allowed), command=command)


def quota(root: Path = ROOT) -> Fact:
    """Tell how many processors' time the control groups allow, absent where they set no limit."""
    limits = cgroup.cpu_quota(root)
    command = "open cpu.max, cpu.cfs_quota_us in the groups of /proc/self/cgroup"
    if not limits.lines:
        return unknown("cpu.quota", "no file of the control groups could be read", command=command)
    evidence = "\n".join(limits.lines)
    if limits.tightest is None:
        return absent("cpu.quota", evidence, command=command)
    return present("cpu.quota", float(limits.tightest), evidence=evidence, command=command)


def memory(root: Path = ROOT) -> Fact:
    """Tell the bytes of memory this process may have: the machine's, or less where its groups allow less."""
    return _memory("memory", root, "MemTotal", cgroup.memory_limit(root))


def memory_available(root: Path = ROOT) -> Fact:
    """Tell the bytes of memory this process could take now without swapping, within its groups' limits."""
    return _memory("memory.available", root, "MemAvailable", cgroup.memory_room(root))


def disk_free() -> Fact:
    """Tell the bytes that may still be written in the working folder."""
    usage = shutil.disk_usage(".")
    return present("disk.free", usage.free, unit="B", evidence=str(usage), command="statvfs of the working folder")


def os_name() -> Fact:
    """Name the operating system."""
    return _told("os.name", platform.system(), "uname: sysname")


def os_kernel() -> Fact:
    """Tell the kernel's release. The other fields of uname hold the host's name and stay out."""
    return _told("os.kernel", platform.release(), "uname: release")


def python_version() -> Fact:
    """Tell the version of the Python that runs."""
    return present("python.version", platform.python_version(), evidence=sys.version, command="sys.version")


def python_implementation() -> Fact:
    """Name the implementation of the Python that runs."""
    return _told("python.implementation", platform.python_implementation(), "platform.python_implementation()")


def _told(name: str, value: str, command: str) -> Fact:
    if not value:
        return unknown(name, "the answer was empty", command=command)
    return present(name, value, evidence=value, command=command)


def _memory(name: str, root: Path, field: str, limits: cgroup.Limits) -> Fact:
    command = "open /proc/meminfo and the memory limits of the groups in /proc/self/cgroup"
    found = re.search(rf"^{field}:\s+([0-9]+) kB$", read(root / "proc/meminfo").text or "", re.MULTILINE)
    if found is None:
        return _memory_elsewhere(name)
    machine = int(found[1]) * 1024  # the kernel writes kB and means KiB (proc_meminfo(5))
    evidence = "\n".join((found[0], *(limits.lines or ("no limit of a control group could be read",))))
    if limits.tightest is None or limits.tightest >= machine:
        return present(name, machine, unit="B", evidence=evidence, command=command)
    limited = present(name, int(limits.tightest), unit="B", evidence=evidence, command=command)
    return replace(limited, kind="environment")  # the machine has more; a setting keeps it back


def _memory_elsewhere(name: str) -> Fact:
    """Where there is no /proc/meminfo: another system, which psutil knows how to ask."""
    import psutil

    memory = psutil.virtual_memory()
    value = memory.total if name == "memory" else memory.available
    return present(name, value, unit="B", evidence=str(memory), command="psutil.virtual_memory()")


def _topology(root: Path) -> _Topology:
    answer = ask("lscpu", *_TOPOLOGY)
    if answer.status == 0:
        online = [row for row in json.loads(answer.output)["cpus"] if row.get("online") in (True, "yes", "y")]
        return _Topology(tuple(_place(row) for row in online), answer.output, answer.command)
    reading = read(root / "proc/cpuinfo")
    wanted = re.findall(r"^(processor|physical id|core id)\s*:\s*(\S+)$", reading.text or reading.trouble, re.MULTILINE)
    told = "\n".join((answer.told, *(f"{key}: {value}" for key, value in wanted)))
    return _Topology(_places(wanted), told, f"{answer.command}; open /proc/cpuinfo")


def _place(row: dict[str, Any]) -> tuple[str, str] | None:
    socket, core = row.get("socket"), row.get("core")
    return None if socket in (None, "-") or core in (None, "-") else (str(socket), str(core))


def _places(lines: list[tuple[str, str]]) -> tuple[tuple[str, str] | None, ...]:
    """Group the lines of /proc/cpuinfo by processor; some architectures name no cores there."""
    processors: list[dict[str, str]] = []
    for key, value in lines:
        if key == "processor":
            processors.append({})
        elif processors:
            processors[-1][key] = value
    return tuple(_place({"socket": each.get("physical id"), "core": each.get("core id")}) for each in processors)


def _field(tree: Any, field: str) -> str:
    """Find a field of `lscpu --json` at any depth; newer versions nest them. Empty where there is none."""
    if isinstance(tree, list):
        return next(filter(None, (_field(branch, field) for branch in tree)), "")
    if not isinstance(tree, dict):
        return ""
    data = tree.get("data")
    if tree.get("field") == field and isinstance(data, str) and data.strip("- "):
        return data.strip()
    return next(filter(None, (_field(branch, field) for branch in tree.values())), "")
