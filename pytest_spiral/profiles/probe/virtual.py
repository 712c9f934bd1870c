"""Containers and virtual machines, asked about apart: a container in a virtual machine is both."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_spiral.model.profile import Fact
from pytest_spiral.profiles.probe.findings import absent, present, unknown
from pytest_spiral.profiles.probe.sources import ROOT, Answer, ask, read, without_ids

Marks = Callable[[Path], Iterator[tuple[str, str]]]

_MARK_FILES = {".dockerenv": "docker", "run/.containerenv": "podman"}
_GROUP_WORDS = ("docker", "kubepods", "containerd", "libpod", "lxc", "machine.slice")
_MAKERS = {
    "qemu": "qemu",
    "kvm": "kvm",
    "vmware": "vmware",
    "virtualbox": "oracle",
    "xen": "xen",
    "bochs": "bochs",
    "parallels": "parallels",
    "amazon ec2": "amazon",
    "google compute engine": "google",
    "microsoft corporation virtual machine": "microsoft",
}


def container(root: Path = ROOT) -> Fact:
    """Name the container this process runs in, absent where it runs in none."""
    return _virtual("virtual.container", "--container", _container_marks, root)


def machine(root: Path = ROOT) -> Fact:
    """Name the virtual machine this process runs in, absent on bare metal."""
    return _virtual("virtual.vm", "--vm", _machine_marks, root)


def _virtual(name: str, option: str, marks: Marks, root: Path) -> Fact:
    """Ask systemd-detect-virt; where it gives no answer, marks may prove the one thing and nothing the other."""
    answer = ask("systemd-detect-virt", option)
    word = answer.output.strip()
    if answer.status == 0 and re.fullmatch(r"[a-z][a-z0-9-]*", word) and word != "none":
        return present(name, word, evidence=answer.raw, command=answer.command)
    if answer.status == 1 and word == "none":
        return absent(name, answer.raw, command=answer.command)
    return _marked(name, answer, list(marks(root)))


def _marked(name: str, answer: Answer, marks: list[tuple[str, str]]) -> Fact:
    command = f"{answer.command}; marks in /proc, /sys and /"
    if not marks:
        return unknown(name, f"no mark of one found, which proves nothing; {answer.told}", command=command)
    evidence = "\n".join((*(line for _, line in marks), answer.told))
    return present(name, marks[0][0], evidence=evidence, command=command)


def _container_marks(root: Path) -> Iterator[tuple[str, str]]:
    for file, word in _MARK_FILES.items():
        if (root / file).exists():
            yield word, f"{root / file} exists"
    for group in ("proc/1/cgroup", "proc/self/cgroup"):
        for line in (read(root / group).text or "").splitlines():
            for word in _GROUP_WORDS:
                if word in line:
                    yield _name_of(word), f"/{group}: {without_ids(line)}"


def _machine_marks(root: Path) -> Iterator[tuple[str, str]]:
    for file in ("sys/hypervisor/type", "sys/class/dmi/id/sys_vendor", "sys/class/dmi/id/product_name"):
        text = (read(root / file).text or "").strip()
        for maker, word in _MAKERS.items():
            if maker in text.lower():
                yield word, f"/{file}: {text}"
    flags = re.search(r"^flags\s*:.*\bhypervisor\b", read(root / "proc/cpuinfo").text or "", re.MULTILINE)
    if flags:  # CPUID leaf 1, ECX bit 31: zero on every physical processor
        yield "vm-other", "/proc/cpuinfo: flags: … hypervisor …"


def _name_of(word: str) -> str:
    return {"kubepods": "kubernetes", "libpod": "podman", "machine.slice": "container-other"}.get(word, word)
