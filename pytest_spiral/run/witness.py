"""Whether a witness has had the ledger's head since before the tests were collected."""

from typing import Literal, NamedTuple

from pytest_spiral.model.attestation import Isolation, Signed
from pytest_spiral.model.entry import LedgerHead
from pytest_spiral.model.evidence import Evidence
from pytest_spiral.rules.integrity import Finding, finding, shown
from pytest_spiral.rules.paths import MAIN_JOURNAL

Proof = Literal["none", "failed", "cannot-tell", "launcher", "kept"]


class Witnessed(NamedTuple):
    """How it came out: `launcher`, who signs, says that it published the head; `kept`, the reviewer has that head.

    `cannot-tell`: the run says so of itself, and nobody else. `failed`: it was tried. `none`: it was not.
    """

    proof: Proof
    note: str = ""
    findings: tuple[Finding, ...] = ()

    def holds(self, signed: Signed) -> bool:
        """Whether that is proven, given who is proven to have signed."""
        return not self.findings and (self.proof == "kept" or (self.proof == "launcher" and signed == "recorder"))


def check_witness(
    evidence: Evidence, opened: LedgerHead, isolation: Isolation, kept_head: LedgerHead | None
) -> Witnessed:
    """Hold what the run says of publishing against the ledger's head when it was opened, and a head that was kept.

    `kept_head` is None where no head was kept: a whole ledger is none, since it does not say who had it when.
    """
    if not evidence.published:
        return Witnessed("none")
    said = evidence.published[0]
    if said.head != opened:
        told = f"it published {shown(said.head.digest, 80)} at {said.head.seq}, opened was {opened.digest} at {opened.seq}."
        return Witnessed("none", "", (finding("ledger-published", MAIN_JOURNAL, told),))
    if not said.ok:
        return Witnessed("failed", f"; its head was not published: {shown(said.why, 80)}")
    if kept_head == opened:
        return Witnessed("kept", "; the kept head is the one that was published before collection")
    if said.by == "launcher" and isolation == "launcher":
        return Witnessed("launcher", "; the launcher published its head before collection")
    return Witnessed("cannot-tell", "; the run says that it published its head: give the witness's with --ledger")
