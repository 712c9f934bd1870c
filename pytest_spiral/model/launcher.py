"""What `spiral record` says of itself: how the tests were confined, and what its processes tell each other.

The messages travel over a Unix socket that keeps their bounds (`SOCK_SEQPACKET`), one JSON object each.
"""

from typing import Final, Literal

import msgspec

from pytest_spiral.model.base import Value
from pytest_spiral.model.entry import Digest, LedgerHead, Whole

Aim = Literal["key", "memory", "environment", "descriptors", "trace", "signal", "identity", "code", "ledger"]

AIMS: Final[tuple[Aim, ...]] = (
    "key",
    "memory",
    "environment",
    "descriptors",
    "trace",
    "signal",
    "identity",
    "code",
)
"""What must have been tried from where the tests run, and refused. `ledger` is tried where it is a file."""


class Escape(Value, frozen=True, kw_only=True):
    """One attempt on the launcher. `refused` is how the operating system refused it (`EACCES`); empty: it did not."""

    aim: Aim
    refused: str


class Confinement(Value, frozen=True, kw_only=True):
    """How the process that became pytest was kept from the launcher.

    `uid` and `gid` are its own, `launcher` is the launcher's uid. `state` holds lines of the kernel's
    `/proc/PID/status` as the launcher read them, when the attempts were over and before pytest began. `why` says why
    nothing was tried to confine it; empty where that was done.
    """

    uid: int
    gid: int
    launcher: int
    state: dict[str, str] = {}
    escapes: tuple[Escape, ...] = ()
    why: str = ""


class Published(Value, frozen=True, kw_only=True):
    """The publishing command has ended: `head` is what it was given; `ok` whether it succeeded, `why` what it said if not.

    `by` says who ran it: the launcher, out of the tests' reach, or the job, in the process that runs the tests.
    """

    head: LedgerHead
    by: Literal["launcher", "job"]
    ok: bool
    why: str = ""


class Hello(Value, frozen=True, kw_only=True, tag_field="kind", tag="hello"):
    """A process of the session is there: `main`, or a worker's name. Answered by `Terms`."""

    process: str


class Told(Value, frozen=True, kw_only=True, tag_field="kind", tag="told"):
    """Record `n` of this process's journal is on disk; the digest is that of its raw line."""

    n: Whole
    digest: Digest


class Wrote(Value, frozen=True, kw_only=True, tag_field="kind", tag="wrote"):
    """A file that no record names has been written."""

    path: str
    digest: Digest


class Register(Value, frozen=True, kw_only=True, tag_field="kind", tag="register"):
    """Append this to the ledger, or begin it where `entry` is empty. Answered by `Registered` or `Refused`."""

    entry: str = ""
    body: msgspec.Raw = msgspec.Raw(b"{}")


class AskLedger(Value, frozen=True, kw_only=True, tag_field="kind", tag="ask-ledger"):
    """Give the ledger's lines. Answered by one `LedgerLine` each, and an empty one."""


class Terms(Value, frozen=True, kw_only=True, tag_field="kind", tag="terms"):
    """What a run under the launcher has to know.

    `reports` is the folder to write into, `sealed` the one where the bundle will lie; `ledger` how the ledger is
    called (empty: none), `publishes` whether its head is given to a witness, `keyid` who will sign.
    """

    reports: str
    sealed: str
    ledger: str
    publishes: bool
    keyid: str
    confinement: Confinement


class Registered(Value, frozen=True, kw_only=True, tag_field="kind", tag="registered"):
    """The entry's raw line, empty where the ledger was only begun; what came of publishing the head after `opened`."""

    line: str = ""
    published: Published | None = None


class LedgerLine(Value, frozen=True, kw_only=True, tag_field="kind", tag="ledger-line"):
    """One raw line; empty: there are no more."""

    line: str


class Refused(Value, frozen=True, kw_only=True, tag_field="kind", tag="refused"):
    """It was not done."""

    why: str


Question = Hello | Told | Wrote | Register | AskLedger
Answer = Terms | Registered | LedgerLine | Refused
