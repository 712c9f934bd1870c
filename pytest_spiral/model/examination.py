"""A document that a person has examined: what they signed, and what is known of their signature."""

from typing import Final, Literal

from pytest_spiral.model.base import Value
from pytest_spiral.model.record import DocumentSeen

EXAMINATION_FORMAT: Final = "spiral-examination/1"
SIGNOFF: Final = "spiral-signoff"
"""The role, and so the namespace of the SSH signature, in which people sign."""


class ExaminationStatement(Value, frozen=True, kw_only=True):
    """What a person signs: for which criterion they examined which bytes of which document, and when.

    `document` is a path below the root folder, `bytes` and `sha256` are what lay there. `signer` is a principal of the
    trust root. `examined` is in UTC, as in `2026-11-26T19:20:00Z`. `rehearsal`: nobody examined it, and who signed is
    nobody in particular; it shows that the machinery works.
    """

    format: Literal["spiral-examination/1"] = EXAMINATION_FORMAT
    criterion: str
    document: str
    bytes: int
    sha256: str
    signer: str
    examined: str
    rehearsal: bool = False
    note: str = ""


class Examination(Value, frozen=True, kw_only=True):
    """A document as a run found it, with its statement read and its signature checked.

    `keyid` is the OpenSSH fingerprint of the key that signed exactly this statement; whose key that is, only a trust
    root can say. Where there is none, `fault` says why (empty: nobody has signed).
    """

    seen: DocumentSeen
    statement: ExaminationStatement | None = None
    keyid: str = ""
    fault: str = ""

    @property
    def rehearsed(self) -> bool:
        """Whether it was signed in rehearsal, which the statement says of itself."""
        return self.statement is not None and self.statement.rehearsal


class Standing(Value, frozen=True, kw_only=True):
    """How an examination stands: what a criterion asks of whom, what there is, and why that does not count.

    `faults` are reason codes and sentences, the one that decides first; none where the document was examined.
    """

    criterion: str
    promise: str
    signer: str
    examination: Examination
    faults: tuple[tuple[str, str], ...] = ()
