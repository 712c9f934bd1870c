"""What a person signs who has examined a document, and where that lies.

Beside the gates file, in the folder `examined/`, `A1.profile-notes.json` is the statement and `A1.profile-notes.json.sig`
its armoured SSH signature (PROTOCOL.sshsig of OpenSSH), in the namespace `spiral-signoff`.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from pytest_spiral.model.examination import SIGNOFF, Examination, ExaminationStatement
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.gate import Criterion, Gate
from pytest_spiral.model.record import Attached, DocumentSeen
from pytest_spiral.model.trust import TrustRoot
from pytest_spiral.rules.canonical import parse_value
from pytest_spiral.rules.freshness import PROFILE
from pytest_spiral.rules.integrity import shown
from pytest_spiral.rules.paths import PATH_LENGTH
from pytest_spiral.rules.times import TOLERANCE_US, parse_wall, told
from pytest_spiral.rules.trust import key_faults

FOLDER: Final = "examined"
SIGNED: Final = ".sig"
MOST: Final = 16 * 1024
"""Bytes that a statement, or a signature, may have."""

REHEARSED: Final = Fidelity.SANDBOX
"""How real an examination is that was signed in rehearsal. A person's own is live."""

DOCUMENT_SHAPE: Final = "write a path below the root folder, such as `minutes/charter.md`"
_TOLD: Final = 200  # characters of a note that are told beside a verdict; what was signed has all of it
_SEGMENT: Final = re.compile(r"[^/\\:*?\[\]]+")


def document_fault(name: str) -> str:
    """What is wrong with the path of a document; empty where nothing is."""
    parts = name.split("/")
    if not all(map(_SEGMENT.fullmatch, parts)) or {".", ".."} & set(parts) or name != name.strip():
        return "is no path below the root folder"
    if not name.isprintable():
        return "holds a character that does not print"
    if len(name.encode()) > PATH_LENGTH:
        return f"has more than {PATH_LENGTH} bytes"
    if name == PROFILE:
        return "is called as the machine is among `inputs`"
    return ""


def needs_no_test(gate: Gate) -> bool:
    """Whether all that a gate asks for are documents that people examine: no test brings it into a run."""
    return all(one.method == "examine" for one in gate.criteria) and not all(one.planned for one in gate.criteria)


def statement_file(criterion: str) -> str:
    """Where the statement of a criterion lies, below the folder of its gates file; its signature lies beside it."""
    return f"{FOLDER}/{criterion}.json"


def render_statement(statement: ExaminationStatement) -> bytes:
    """The bytes that are signed: JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(statement), indent=2) + b"\n"


def parse_statement(data: bytes) -> ExaminationStatement:
    """Read a statement strictly; raises UntrustedError."""
    statement = parse_value(data, ExaminationStatement, most=MOST)
    parse_wall(statement.examined)
    return statement


def examination_faults(
    criterion: Criterion, one: Examination, opened: int, trust: TrustRoot | None
) -> Iterator[tuple[str, str]]:
    """What keeps an examination from being one of this criterion: reason code and sentence, the first one decides.

    `opened` is when the run began, in microseconds since 1970-01-01 UTC: what is examined later was not when it began.
    Whose key signed is asked of the trust root, last and where there is one; in rehearsal it is nobody's.
    """
    seen, statement = one.seen, one.statement
    if seen.document != criterion.document:
        yield "examined-other", f"the run looked at {shown(seen.document)}, not at {criterion.document}"
    if not seen.path:
        yield "document-missing", f"{criterion.document} is not there"
    if not (seen.statement and seen.signature):
        yield "unsigned", f"{criterion.document} waits for {criterion.signer} to examine and sign it"
    if statement is None or not one.keyid:
        yield "signature-broken", f"what {criterion.signer} is said to have signed does not hold: {one.fault}"
        return
    yield from _statement_faults(criterion, statement, seen, opened)
    if trust is not None and not statement.rehearsal:
        yield from (("signer-untrusted", sentence) for sentence in signer_faults(statement, one.keyid, trust))


def _statement_faults(
    criterion: Criterion, statement: ExaminationStatement, seen: DocumentSeen, opened: int
) -> Iterator[tuple[str, str]]:
    """What of a signed statement is not what the criterion asks for, or not what lay there."""
    if (statement.criterion, statement.document) != (criterion.id, criterion.document):
        yield "examined-other", f"signed was {shown(statement.document)} for {shown(statement.criterion)}"
    if statement.signer != criterion.signer:
        yield "other-signer", f"{shown(statement.signer)} has examined it, asked for is {criterion.signer}"
    if (statement.bytes, statement.sha256) != (seen.bytes, seen.sha256):
        yield "document-changed", f"{criterion.document} has changed since it was examined on {day_of(statement)}"
    if parse_wall(statement.examined) > opened + TOLERANCE_US:
        yield (
            "examined-later",
            f"it says that it was examined at {statement.examined}, and the run began {told(opened)}",
        )
    if statement.rehearsal and Fidelity(criterion.fidelity or Fidelity.UNDECLARED).rank <= REHEARSED.rank:
        yield (
            "rehearsal",
            "it was signed in rehearsal, and a criterion that asks for no more than that has no rehearsals",
        )


def signer_faults(statement: ExaminationStatement, keyid: str, trust: TrustRoot) -> Iterator[str]:
    """Why a trust root does not take the key for the signer's, as sentences.

    Times of a key are held against the time that was signed: who has the key can state it, so revoke a lost one. A
    signature stands nowhere in a ledger, so that a superseded or compromised key vouches for nothing.
    """
    key = trust.key(keyid)
    if key is None:
        yield f"{keyid} is not in the trust root"
        return
    if statement.signer not in key.principals:
        yield f"{keyid} is {', '.join(key.principals)} in the trust root, not {statement.signer}"
    moment = parse_wall(statement.examined)
    for _, sentence in key_faults(trust, key, SIGNOFF, (moment, moment), None):
        yield sentence.removesuffix(".")


def is_kept(seen: DocumentSeen, attached: Iterable[Attached]) -> bool:
    """Whether the bundle keeps the document, whole, so that a reviewer can read what was examined.

    `attached` are records of files that were held against the bundle. The path of a document is believed only where one
    of them says the same: whoever writes records can name any path.
    """
    wanted = (seen.path, seen.bytes, seen.sha256)
    return bool(seen.path) and any((one.path, one.bytes, one.sha256) == wanted for one in attached)


def day_of(statement: ExaminationStatement) -> str:
    """The day on which it was examined, in UTC: `2026-11-26`."""
    return statement.examined.partition("T")[0]


def examined_words(statement: ExaminationStatement) -> str:
    """Say how much was examined, by whom, and when."""
    how = "signed in rehearsal as" if statement.rehearsal else "signed by"
    note = statement.note if len(statement.note) <= _TOLD else f"{statement.note[: _TOLD - 1]}…"
    note = f": {note}" if note else ""
    return f"{statement.bytes:,} bytes {how} {statement.signer} on {day_of(statement)}{note}"
