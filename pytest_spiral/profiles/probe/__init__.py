"""Asking this machine what it is. No probe raises; what cannot be decided is unknown, with what happened.

A program is asked for its version by running it, so a tool is only probed where its name is asked for.
"""

import difflib
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, wait
from functools import partial
from types import MappingProxyType
from typing import Final

from pytest_spiral.model.profile import KNOWN_FACTS, Fact, Profile, is_fact_name, profile_of
from pytest_spiral.profiles.probe import (
    accelerator,
    audio,
    machine,
    modules,
    nvidia,
    secrets,
    sensors,
    tools,
    usb,
    virtual,
)
from pytest_spiral.profiles.probe.findings import unknown

__all__ = ["LIMIT_S", "STANDARD", "detect", "probe"]

LIMIT_S: Final = 2.0
"""Seconds until a probe that has not answered is left alone and its fact is unknown."""

_AT_ONCE: Final = 8

STANDARD: Final[Mapping[str, Callable[[], Fact]]] = MappingProxyType(
    {
        "accelerator": accelerator.accelerator,
        "audio.capture": audio.capture,
        "audio.playback": audio.playback,
        "cpu.affinity": machine.affinity,
        "cpu.cores": machine.cores,
        "cpu.model": machine.model,
        "cpu.quota": machine.quota,
        "cpu.threads": machine.threads,
        "disk.free": machine.disk_free,
        "memory": machine.memory,
        "memory.available": machine.memory_available,
        "nvidia.devices": nvidia.devices,
        "nvidia.memory": nvidia.memory,
        "os.kernel": machine.os_kernel,
        "os.name": machine.os_name,
        "python.implementation": machine.python_implementation,
        "python.version": machine.python_version,
        "sensors.temperature": sensors.temperature,
        "usb.devices": usb.devices,
        "virtual.container": virtual.container,
        "virtual.vm": virtual.machine,
    }
)
"""What is probed where no names are given: every known fact that a machine can tell of itself."""

_FAMILIES: Final[Mapping[str, Callable[[str], Fact]]] = {
    "tool": tools.tool,
    "module": modules.module,
    "secret": secrets.secret,
}


def detect(names: Iterable[str] | None = None) -> Profile:
    """Probe the named facts, or the standard ones, several at a time; the profile is called `detected`.

    Raises ValueError for a text that is no fact name, and nothing else: a name that no probe answers for, a
    probe that breaks and one that takes longer than `LIMIT_S` give an unknown fact.
    """
    wanted = sorted(set(STANDARD if names is None else names))
    for name in wanted:
        if not is_fact_name(name):
            raise ValueError(f"{name!r} is no fact name: expected one such as cpu.cores or tool.git")
    facts: dict[str, Fact] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        facts |= _asked(wanted[start : start + _AT_ONCE])
    return profile_of("detected", facts)


def probe(name: str) -> Fact:
    """Probe one fact, such as `tool.jackd` or `module.neoabzu_memory`; as `detect` does."""
    return detect([name])[name]


def _asked(names: list[str]) -> dict[str, Fact]:
    futures = {name: _started(name) for name in names}
    answered = wait(futures.values(), timeout=LIMIT_S).done
    return {name: future.result() if future in answered else _late(name) for name, future in futures.items()}


def _started(name: str) -> Future[Fact]:
    """Start a probe in a thread that is left behind where it hangs: no file system holds up the run."""
    future: Future[Fact] = Future()
    run = threading.Thread(target=lambda: future.set_result(_guarded(name)), name=f"probe {name}", daemon=True)
    run.start()
    return future


def _guarded(name: str) -> Fact:
    try:
        return _probe_of(name)()
    except Exception as problem:  # noqa: BLE001 - whatever a machine makes a probe do, it ends in a fact
        return unknown(name, f"the probe broke: {type(problem).__name__}: {problem}", command=f"probe {name}")


def _probe_of(name: str) -> Callable[[], Fact]:
    family, _, rest = name.partition(".")
    if name in STANDARD:
        return STANDARD[name]
    if family in _FAMILIES and rest:
        return partial(_FAMILIES[family], rest)
    return partial(_unprobed, name)


def _unprobed(name: str) -> Fact:
    if name in KNOWN_FACTS:
        return unknown(name, "a target states this fact; no machine can tell it of itself", command="no probe")
    close = difflib.get_close_matches(name, sorted(STANDARD), n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return unknown(name, f"no probe answers for {name}{hint}", command="no probe")


def _late(name: str) -> Fact:
    return unknown(name, f"no answer within {LIMIT_S} s", command=f"probe {name}")
