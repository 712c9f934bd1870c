"""Reason codes: what can be wrong with a bundle, in words that never change; findings; and the verifier's limits."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pytest_spiral.model.base import Value

STEPS: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "layout",
        2: "strict parsing",
        3: "digests",
        4: "attestation",
        5: "journals",
        6: "inventory",
        7: "provenance",
        8: "time",
        9: "verdicts",
        10: "controls",
        11: "ledger",
    }
)
"""The verifier's steps, in its order."""

_SHOWN: Final = 160
_PATH_SHOWN: Final = 300


class Limits(Value, frozen=True, kw_only=True):
    """How much a reader takes before it refuses; bytes where nothing else is said.

    Source of the defaults: `docs/evidence-format.md`. `file` holds for every file that is hashed and not parsed as
    one document (journals, samples, attachments, logs), `json` for a document that is parsed as a whole, `range`
    for one range of a sample file, `ledger` for the bundle's copy of the ledger.
    """

    depth: int = 32
    journal_line: int = 64 * 1024
    sample_line: int = 64 * 1024
    range: int = 1024 * 1024
    json: int = 64 * 1024 * 1024
    ledger: int = 16 * 1024 * 1024
    files: int = 100_000
    file: int = 1024 * 1024 * 1024


class Reason(Value, frozen=True, kw_only=True):
    """A stable code: the step that finds it, what it means, what to do about it.

    `unsealed` marks the codes that say "not finished" rather than "not to be trusted".
    """

    code: str
    step: int
    meaning: str
    remedy: str
    unsealed: bool = False


class Finding(Value, frozen=True, kw_only=True):
    """One thing that does not add up. `path` is inside the bundle (empty: the whole of it), printable ASCII."""

    step: int
    code: str
    path: str
    sentence: str


_AGAIN = "Get the bundle again from where it was sealed; if it is the same there, run the gate again."
_RUN = "Run the gate again."
_READ = "Verify with a higher limit if you expect a file of this size, else do not trust the bundle."
_NEWER = "Read it with a newer pytest-spiral if it was written by one, else do not trust it."
_GIVE = "Give the ledger with --ledger, or do not trust the bundle."
_KEPT = "Compare with a copy or a head that was kept elsewhere, and find out who changed it."
_FORMAT = "Verify with a newer pytest-spiral if the bundle was written by one, else do not trust it."
_RECOVER = "Recover the run or run the gate again; an unsealed run decides nothing."

_REDO = "Find out which test writes into the evidence, then run the gate again; nothing was signed."
_TRUST = "Do not trust the bundle, unless the trust root is at fault: ask whoever keeps it."
_RESIGN = "Run the gate again with a key that the trust root knows for that role."
_EXPECT = "Look for the bundle that was meant, or correct the expectation where it is kept."

_TABLE: Final[tuple[tuple[int, str, str, str], ...]] = (
    (1, "never-opened", "nothing was ever recorded here", _RUN),
    (1, "artifact-missing", "a file is missing that must be there before others that are there", _AGAIN),
    (1, "file-missing", "a file is not there that the manifest lists, or that every bundle has", _AGAIN),
    (1, "file-extra", "a file is there that the manifest does not list", _AGAIN),
    (1, "file-irregular", "a link, device, pipe or socket stands where a regular file belongs", _AGAIN),
    (1, "file-unreadable", "the operating system does not let this file or folder be read", "Check its permissions."),
    (1, "path-name", "a name has characters outside letters, digits, dot, underscore, hyphen", _AGAIN),
    (1, "path-length", "a name or path is longer than the format allows", _AGAIN),
    (1, "path-depth", "a file lies deeper than the format allows", _AGAIN),
    (1, "path-device", "a name means a device on some systems", _AGAIN),
    (1, "path-twin", "two names differ by upper and lower case only", _AGAIN),
    (1, "manifest-order", "the manifest's paths are not in strict order", _AGAIN),
    (1, "too-many-files", "the folder holds more files than the limit", _READ),
    (2, "file-too-large", "a file is larger than the limit", _READ),
    (2, "line-too-long", "a line is longer than the limit", _READ),
    (2, "json-depth", "JSON is nested deeper than the limit", _READ),
    (2, "json-encoding", "bytes are not UTF-8", _AGAIN),
    (2, "json-syntax", "bytes are not JSON", _AGAIN),
    (2, "json-duplicate-key", "an object has the same key twice", _AGAIN),
    (2, "json-number", "a number is not finite, or too small or too large for a double", _AGAIN),
    (2, "json-negative-zero", "a number is minus zero, which the format does not have", _AGAIN),
    (2, "json-integer", "an integer is beyond 2^53 - 1, where JSON stops being exact", _AGAIN),
    (2, "json-surrogate", "a text has half of a surrogate pair", _AGAIN),
    (2, "not-canonical", "the bytes are not the canonical form (RFC 8785) of what they say", _AGAIN),
    (2, "format-unknown", "the format or its version is not known here", _FORMAT),
    (2, "record-unknown", "the kind of a journal record is not known here", _FORMAT),
    (2, "field-wrong", "a field is missing, unknown, or of the wrong type", _FORMAT),
    (2, "inventory-form", "inventory.json does not have one test a line", _AGAIN),
    (3, "digest-mismatch", "a file is not the file that was sealed", _AGAIN),
    (3, "plan-mismatch", "the plan is not the bar that the run registered", _AGAIN),
    (3, "attachment-missing", "a record names an attachment that is not there", _AGAIN),
    (3, "attachment-mismatch", "an attachment is not the file that its record describes", _AGAIN),
    (4, "attestation-missing", "a trust root was given, and the bundle is not signed", _RESIGN),
    (4, "attestation-form", "an envelope is not one payload with one signature in standard base64", _AGAIN),
    (4, "attestation-type", "an envelope or statement is of another type than the one that belongs there", _FORMAT),
    (4, "attestation-signature", "the signature is not over these bytes, or not by that key", _TRUST),
    (4, "attestation-subject", "the attestation is about another manifest", _AGAIN),
    (4, "attestation-signer", "it was signed by another key than the run announced", _TRUST),
    (4, "attestation-key-unknown", "the key is not in the trust root", _TRUST),
    (4, "attestation-role", "the trust root does not give the key that role", _TRUST),
    (4, "attestation-key-time", "the key was not valid while the run was made", _RESIGN),
    (4, "attestation-key-superseded", "the key is superseded, and no ledger shows the bundle before that", _RESIGN),
    (4, "attestation-key-compromised", "the key is compromised, and no ledger shows the bundle before that", _RESIGN),
    (4, "attestation-statement", "the attestation says something else than the bundle gives", _TRUST),
    (4, "test-result-missing", "the bundle is signed, names what it tested, and has no test result", _AGAIN),
    (4, "test-result-unexpected", "a test result is there, and nothing is there that it could be about", _AGAIN),
    (4, "test-result-mismatch", "the test result is not what the bundle gives", _TRUST),
    (4, "expected-level", "the level of assurance is below the one expected", _EXPECT),
    (5, "journal-missing", "a journal is missing that must be there", _AGAIN),
    (5, "journal-unlisted", "a journal is there that the main journal's end does not list", _AGAIN),
    (5, "journal-start", "a journal does not begin with its one start record", _AGAIN),
    (5, "journal-foreign", "a journal belongs to another run or another process", _AGAIN),
    (5, "journal-sequence", "a record is missing, doubled or out of order", _AGAIN),
    (5, "journal-chain", "a record does not continue from the one before it", _AGAIN),
    (5, "journal-time", "a journal's monotonic clock runs backward", _AGAIN),
    (5, "journal-unended", "a journal has no end record: the process died or left by a back door", _RUN),
    (5, "journal-after-end", "a journal goes on after its end record", _AGAIN),
    (5, "journal-head", "a journal does not end where the main journal says it does", _AGAIN),
    (5, "journal-torn", "a journal's last line is cut off", _AGAIN),
    (5, "crash-unrecorded", "a worker did not end, and nothing records why", _RUN),
    (5, "record-order", "a record refers to something that was not opened, or was closed before", _AGAIN),
    (5, "samples-missing", "a record names a sample file that is not there", _AGAIN),
    (5, "samples-unlisted", "a sample file is there that no record names", _AGAIN),
    (5, "samples-foreign", "a sample file is named by a process that did not write it", _AGAIN),
    (5, "samples-tiling", "the ranges of a sample file overlap or leave a gap", _AGAIN),
    (5, "samples-digest", "samples are not the bytes that were recorded", _AGAIN),
    (5, "samples-count", "a sample file has more or fewer samples than were recorded", _AGAIN),
    (5, "samples-order", "samples are missing, doubled or out of order", _AGAIN),
    (5, "samples-unclosed", "a measurement was never closed, although its process ended well", _AGAIN),
    (6, "inventory-doubled", "a test was collected twice under one id", "Run without --keep-duplicates."),
    (6, "inventory-not-run", "a selected test has neither run nor been kept from running", _RUN),
    (6, "inventory-uncollected", "a test has run that was never collected", _AGAIN),
    (6, "inventory-deselected", "a test has run that was deselected", _AGAIN),
    (6, "expected-criterion", "the criteria judged are not those expected", _EXPECT),
    (6, "expected-test", "the tests collected are not those expected", _EXPECT),
    (7, "expected-run", "it is another run than the one expected", _EXPECT),
    (7, "expected-plan", "the run registered another bar than the one expected", _EXPECT),
    (7, "expected-commit", "another commit was tested than the one expected, or a changed one", _EXPECT),
    (7, "parity-one-side", "what is compared was not two exchanges, each with an id and times of its own", _RUN),
    (7, "parity-trace-missing", "what is compared is in no trace of this bundle", _AGAIN),
    (8, "moment-order", "something happened before what it must follow", "Check the clocks; run the gate again."),
    (9, "parity-mismatch", "a comparison is not what its two exchanges give", _AGAIN),
    (9, "parity-unbacked", "a sample says what a side said, and no comparison in the traces bears it out", _AGAIN),
    (9, "parity-checksum", "a checksum was not computed from its own side", _AGAIN),
    (11, "entry-unknown", "the kind of a ledger entry is not known here", _NEWER),
    (11, "ledger-missing", "the run was registered in a ledger, and carries no copy of it", _GIVE),
    (11, "ledger-torn", "a ledger's last line is cut off where it must be whole", _AGAIN),
    (11, "ledger-start", "a ledger does not begin with its one entry 0", _KEPT),
    (11, "ledger-sequence", "a ledger's entry is missing, doubled or out of order", _KEPT),
    (11, "ledger-chain", "a ledger's entry does not continue from the one before it", _KEPT),
    (11, "ledger-adopted", "a branch that a ledger has adopted is not whole, or not of this ledger", _KEPT),
    (11, "ledger-order", "a ledger's entry is about a run that no entry before it opens", _KEPT),
    (11, "ledger-doubled", "a ledger tells the same of a run twice, and differently", _KEPT),
    (
        11,
        "ledger-other",
        "it is another ledger than the one that is asked for",
        "Give the ledger with the id that is asked for.",
    ),
    (11, "ledger-head", "a ledger does not have an entry that it had before: it was rolled back or rewritten", _KEPT),
    (
        11,
        "ledger-head-form",
        "a file is neither a ledger nor a head of one",
        "Give what `spiral ledger head` has printed.",
    ),
    (11, "ledger-rewritten", "a ledger is not the one that the run found when it was opened", _KEPT),
    (11, "ledger-unregistered", "a ledger does not register the run once, opened and then collected", _KEPT),
    (11, "ledger-differs", "what a ledger registers of the run is not what the run says", _AGAIN),
    (11, "ledger-copy", "the bundle's copy of the ledger goes on after this run's tests were collected", _AGAIN),
    (11, "ledger-published", "the head that was published is not the ledger's when the run was opened", _AGAIN),
    (3, "launcher-file", "a file is not the one whose digest the launcher was told", _REDO),
    (4, "launcher-start", "a run under the launcher says otherwise than the launcher of how it was started", _REDO),
    (5, "launcher-journal", "a journal does not hold exactly the records that the launcher was told of", _REDO),
    (5, "launcher-contradiction", "the launcher was told what cannot be", _REDO),
    (11, "launcher-ledger", "what the launcher registered is not this run", _REDO),
    (11, "ledger-sealed", "a ledger has the run sealed with another manifest", _AGAIN),
    (11, "earlier-broken", "what the bundle carries of an earlier attempt is not what that attempt sealed", _AGAIN),
)

_UNSEALED: Final[tuple[tuple[int, str, str, str], ...]] = (
    (1, "unsealed-running", "the run is still going on", "Wait for it to end, then verify."),
    (1, "unsealed-abandoned", "the run stopped before its tests were collected", _RECOVER),
    (1, "unsealed-incomplete", "the run stopped before its end was recorded", _RECOVER),
    (1, "unsealed-ended", "the run ended and was not sealed", _RECOVER),
    (1, "unsealed-unattested", "the run was to be signed, and is not", _RECOVER),
)

REASONS: Final[Mapping[str, Reason]] = MappingProxyType(
    {
        code: Reason(code=code, step=step, meaning=meaning, remedy=remedy, unsealed=unsealed)
        for table, unsealed in ((_TABLE, False), (_UNSEALED, True))
        for step, code, meaning, remedy in table
    }
)
"""Every reason code of steps 1 to 8 and of step 11, and those of step 9 that are about comparisons. A code never changes its meaning; new ones may be added."""


def finding(code: str, path: str, sentence: str) -> Finding:
    """A finding under a code of `REASONS`, in that code's step; KeyError for a code that is not there."""
    return Finding(step=REASONS[code].step, code=code, path=shown(path, _PATH_SHOWN), sentence=sentence)


def shown(text: object, most: int = _SHOWN) -> str:
    """What a bundle says, safe to print: printable ASCII, everything else escaped, cut after `most` characters.

    A bundle may be hostile, and its names and values end up in terminals and reports.
    """
    whole = str(text)
    cut = whole[: most + 1]
    plain = cut if cut.isascii() and cut.isprintable() else ascii(cut)[1:-1]
    return plain if len(whole) <= most else f"{plain[:most]}..."
