"""What the process does so that it is not itself the cause of a dropout, and what of it was permitted."""

import contextlib
import gc
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

AUDIO_PRIORITY = 50
AVATAR_PRIORITY = 40

_NICE = -10
_SWITCH_SECONDS = 0.0005


@dataclass(frozen=True, slots=True)
class Scheduling:
    """How a thread is scheduled, as the system says, and what it refused."""

    policy: str
    priority: int
    nice: int
    refused: tuple[str, ...]


def raise_priority(fifo: int) -> Scheduling:
    """Ask for SCHED_FIFO at priority `fifo` for the calling thread, else for a lower nice value; never required.

    Says what holds afterwards, not what was asked for.
    """
    refused = []
    if not hasattr(os, "sched_setscheduler"):
        return Scheduling("unknown", 0, 0, ("SCHED_FIFO: this system has no such call",))
    thread = threading.get_native_id()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(fifo))
    except OSError as error:
        refused.append(f"SCHED_FIFO {fifo}: {error.strerror}")
        try:
            os.setpriority(os.PRIO_PROCESS, thread, _NICE)
        except OSError as denied:
            refused.append(f"nice {_NICE}: {denied.strerror}")
    policy = os.sched_getscheduler(0)
    names = {os.SCHED_FIFO: "SCHED_FIFO", os.SCHED_RR: "SCHED_RR", os.SCHED_OTHER: "SCHED_OTHER"}
    priority = os.sched_getparam(0).sched_priority
    return Scheduling(names.get(policy, str(policy)), priority, os.getpriority(os.PRIO_PROCESS, thread), tuple(refused))


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Hold the garbage collector still and let threads take turns quickly, in this process, for a while."""
    collecting, interval = gc.isenabled(), sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.unfreeze()
        if collecting:
            gc.enable()
