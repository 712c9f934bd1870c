"""What a ledger holds: one value for each kind of entry, and the head that proves all entries up to itself."""

from typing import Annotated, Any, Final, Literal

import msgspec

from pytest_spiral.model.base import DIGEST, MOST_INTEGER, Value
from pytest_spiral.model.verdict import Decision, Verdict

LEDGER_FORMAT: Final = "spiral-ledger/1"

Whole = Annotated[int, msgspec.Meta(ge=0, le=MOST_INTEGER)]
Digest = Annotated[str, msgspec.Meta(pattern=f"^{DIGEST.pattern}$", max_length=71)]
Word = Literal["pass", "inapplicable", "environment-limited", "not-run", "inconclusive", "fail", "invalid", "broken"]
"""How one run of a criterion came out by its own evidence: a verdict, or `broken` for a run that came to no end."""


class LedgerHead(Value, frozen=True, kw_only=True):
    """Where a ledger stands: its id (the digest of entry 0), the last entry's sequence, the last raw line's digest."""

    id: Digest
    seq: Whole
    digest: Digest


class LedgerBegun(Value, frozen=True, kw_only=True):
    """Entry 0. The nonce makes two ledgers that were begun in the same microsecond differ."""

    nonce: str
    format: Literal["spiral-ledger/1"] = LEDGER_FORMAT


class RegisteredBar(Value, frozen=True, kw_only=True):
    """The bar of one criterion as a run registered it: the digest of its canonical judging fields."""

    bar: Digest


class Shard(Value, frozen=True, kw_only=True):
    """Part `i` of `n`, counted from 1."""

    i: Whole
    n: Whole


class AttemptOpened(Value, frozen=True, kw_only=True):
    """A run was opened: what it set out to prove, on what, by which bar, until when.

    `bundle` is the digest of bundle.json. `deadline` is in microseconds since 1970 UTC: a run that is not sealed by
    then, by ledger time, is abandoned. `subjects` has digests that are known before anything ran. A draft's
    attempts are counted and shown; they judge nothing but themselves.
    """

    run: str
    nonce: str
    plan: Digest
    bundle: Digest
    deadline: Whole
    shard: Shard | None = None
    draft: bool = False
    stages: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    criteria: dict[str, RegisteredBar] = {}
    subjects: dict[str, str] = {}
    target: str = ""


class AttemptCollected(Value, frozen=True, kw_only=True):
    """The run's tests were collected; `inventory` is the digest of inventory.json."""

    nonce: str
    inventory: Digest
    draft: bool = False


class AttemptSealed(Value, frozen=True, kw_only=True):
    """The run was sealed. `verdicts` are effective ones.

    `runs` has, for each criterion, how each of this session's own runs came out, oldest first, before any earlier
    attempt was looked at: whoever counts attempts needs that. `subjects` has the digests that were observed.
    """

    nonce: str
    manifest: Digest
    attestation: Digest | None = None
    decision: Decision | None = None
    verdicts: dict[str, Verdict] = {}
    runs: dict[str, tuple[Word, ...]] = {}
    subjects: dict[str, str] = {}
    draft: bool = False


class AttemptRecovered(Value, frozen=True, kw_only=True):
    """What a killed run left was sealed as a sibling; `manifest` is that of the sibling.

    It is None where the run was killed before any test could begin: then there is nothing to judge. `runs` and
    `subjects` are as in `sealed`, by what was recovered; they permit nothing, and a failure among them stands.
    """

    nonce: str
    manifest: Digest | None = None
    runs: dict[str, tuple[Word, ...]] = {}
    subjects: dict[str, str] = {}
    draft: bool = False


class AttemptsMerged(Value, frozen=True, kw_only=True):
    """Shards became one bundle: `inputs` are the digests of their manifests."""

    nonce: str
    manifest: Digest
    inputs: tuple[Digest, ...]
    draft: bool = False


class SignedOff(Value, frozen=True, kw_only=True):
    """A person signed exact bytes: `subject` is their digest, `signature` the armoured SSH signature."""

    subject: Digest
    principal: str
    signature: str
    scope: str = ""


class Dissented(Value, frozen=True, kw_only=True):
    """A person signed that they do not agree, and why."""

    subject: Digest
    principal: str
    reason: str
    signature: str


class Waived(Value, frozen=True, kw_only=True):
    """An observed failure was accepted until a date (`until`, microseconds); requester and approver are two people."""

    criterion: str
    subject: str
    environment: str
    verdict: Verdict
    value: float | int | None = None
    bound: float | int | None = None
    reason: str
    requester: str
    approver: str
    until: Whole
    signature: str


class Acknowledged(Value, frozen=True, kw_only=True):
    """A person has taken note of a debt or a skip of these bytes."""

    criterion: str
    subject: Digest
    principal: str
    signature: str
    note: str = ""


class Withdrawn(Value, frozen=True, kw_only=True):
    """An entry of a person is taken back: `entry` is the digest of its line."""

    entry: Digest
    principal: str
    reason: str
    signature: str


class KeyRevoked(Value, frozen=True, kw_only=True):
    """A key is not to be trusted: `superseded` from entry `since` on, or `compromised`, which voids all from there."""

    keyid: str
    status: Literal["superseded", "compromised"]
    since: Whole
    reason: str = ""
    signature: str = ""


class Artefact(Value, frozen=True, kw_only=True):
    """A document or trace, by digest. `view` names the export that lists it; `facts` are what it says in short."""

    name: str
    sha256: Digest
    bytes: Whole
    view: Literal["", "rotation", "readiness", "bridge", "doctrine"] = ""
    run: str = ""
    facts: dict[str, str] = {}


class Adopted(Value, frozen=True, kw_only=True):
    """Part of a losing branch: joined over its `parts`, `text` is the branch's lines after entry `fork`.

    `head` is the digest of the branch's last line. Parts stand one after another.
    """

    fork: Whole
    head: Digest
    part: Whole
    parts: Whole
    text: str


class Noted(Value, frozen=True, kw_only=True):
    """The store's own remark: a torn tail was cut off (`torn`), or locks could not be proven (`unproven-locks`)."""

    what: Literal["torn", "unproven-locks"]
    detail: str = ""
    bytes: Whole = 0
    sha256: str = ""


ENTRIES: Final[dict[str, type[Value]]] = {
    "ledger": LedgerBegun,
    "opened": AttemptOpened,
    "collected": AttemptCollected,
    "sealed": AttemptSealed,
    "recovered": AttemptRecovered,
    "merged": AttemptsMerged,
    "signed_off": SignedOff,
    "dissented": Dissented,
    "waived": Waived,
    "acknowledged": Acknowledged,
    "withdrawn": Withdrawn,
    "key_revoked": KeyRevoked,
    "artefact": Artefact,
    "adopted": Adopted,
    "noted": Noted,
}
KIND_OF: Final[dict[type[Value], str]] = {record: kind for kind, record in ENTRIES.items()}


class EntryLine(Value, frozen=True, kw_only=True):
    """The frame of a line, its body still as raw JSON. `wall` is in microseconds since 1970 UTC."""

    seq: Whole
    prev: Digest
    wall: Whole
    kind: str
    body: msgspec.Raw


class Entry(Value, frozen=True, kw_only=True):
    """One entry as it was read. `digest` is that of its raw line with its LF; `record` a value of `ENTRIES`."""

    seq: int
    prev: str
    wall: int
    record: Any
    digest: str

    @property
    def kind(self) -> str:
        """The kind's word."""
        return KIND_OF[type(self.record)]
