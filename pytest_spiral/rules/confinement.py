"""Whether the process that became pytest was kept from the key: what its own attempts and the kernel say."""

from collections.abc import Iterator, Mapping
from typing import Final

from pytest_spiral.model.attestation import Isolation
from pytest_spiral.model.launcher import AIMS, Confinement, Escape
from pytest_spiral.rules.integrity import shown

CAPABILITIES: Final = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
STATE: Final = ("Uid", "Gid", "Groups", "NoNewPrivs", *CAPABILITIES)
"""The lines of `/proc/PID/status` that are kept (proc(5))."""

_DONE: Final = {
    "key": "the key's file could be read",
    "memory": "the launcher's memory could be opened",
    "environment": "the launcher's environment could be read",
    "descriptors": "the launcher's descriptors could be listed",
    "trace": "the launcher could be traced",
    "signal": "the launcher could be sent signals",
    "identity": "the launcher's user could be taken on",
    "code": "the code that the launcher runs could be changed",
    "ledger": "the ledger could be written to",
}


def confinement_faults(confinement: Confinement | None) -> Iterator[str]:
    """Each reason why a run does not count as confined; none: every attempt was refused, and the kernel agrees."""
    if confinement is None:
        yield "nothing says how the tests were confined"
        return
    if confinement.why:
        yield confinement.why
    if confinement.uid == 0:
        yield "the tests ran as root"
    elif confinement.uid == confinement.launcher:
        yield f"the tests ran as the launcher's own user ({confinement.uid})"
    known: dict[str, Escape] = {one.aim: one for one in confinement.escapes}
    for aim in AIMS:
        if aim not in known:
            yield f"nobody tried whether {_DONE[aim]}"
    yield from (_DONE[one.aim] for one in confinement.escapes if not one.refused)
    if not confinement.why:
        yield from _state_faults(confinement)


def isolation_of(confinement: Confinement) -> Isolation:
    """What an attestation may say of it: `launcher` only where nothing speaks against it."""
    return "none" if any(confinement_faults(confinement)) else "launcher"


def _state_faults(confinement: Confinement) -> Iterator[str]:
    for name, wanted in _wanted(confinement).items():
        found = confinement.state.get(name, "")
        if found.split() != wanted.split():
            yield f"the kernel says {name} {shown(found, 80) or '(nothing)'}, and not {wanted or '(none)'}"


def _wanted(confinement: Confinement) -> Mapping[str, str]:
    none = dict.fromkeys(CAPABILITIES, "0" * 16)
    four = {"Uid": " ".join([str(confinement.uid)] * 4), "Gid": " ".join([str(confinement.gid)] * 4)}
    return {**four, "Groups": "", "NoNewPrivs": "1", **none}
