"""What a killed run still owes its ledger: `recovered`, or `sealed` where the kill came between the seal and its entry."""

from dataclasses import dataclass
from pathlib import Path

from pytest_spiral.errors import UntrustedError, UseError
from pytest_spiral.evidence.folder import Folder
from pytest_spiral.evidence.read import read_bundle, read_evidence
from pytest_spiral.ledger.store import Store
from pytest_spiral.model.base import Value
from pytest_spiral.model.entry import AttemptCollected, AttemptOpened, AttemptRecovered, AttemptSealed, Entry
from pytest_spiral.model.evidence import BundleStart, Evidence
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import head_of, read_entries, with_branches
from pytest_spiral.rules.integrity import Limits
from pytest_spiral.rules.paths import ATTESTATION, BUNDLE, MANIFEST
from pytest_spiral.run.grounds import Grounds, Kept
from pytest_spiral.run.logbook import own_runs, sealed_record, seen_subjects
from pytest_spiral.run.registered import through
from pytest_spiral.run.selftest import judge_proven
from pytest_spiral.run.verify import verify_bundle


@dataclass(frozen=True, slots=True)
class Account:
    """A registered run and the ledger that it stands in, as both are now.

    `entries` are the ledger's own, `told` those that are about this run, adopted branches included.
    """

    start: BundleStart
    ledger: Store
    lines: tuple[bytes, ...]
    entries: tuple[Entry, ...]
    told: tuple[Entry, ...]

    @property
    def collected(self) -> bool:
        """Whether the ledger knows that the run's tests were collected; before that no test runs."""
        return self._first(AttemptCollected) is not None

    @property
    def recovered(self) -> Entry | None:
        """The entry that says it was recovered."""
        return self._first(AttemptRecovered)

    def copy(self) -> bytes:
        """The ledger's bytes up to this run's `collected`, as its bundle keeps them; UseError where they are in a branch."""
        collected = self._first(AttemptCollected)
        for at, one in enumerate(self.entries):
            if collected is not None and one.digest == collected.digest:
                return b"".join(self.lines[: at + 1])
        raise UseError(
            f"in the ledger {self.ledger.name} the run stands in a branch that was adopted. "
            "Remedy: recover it with the ledger that it was registered in."
        )

    def log_recovered(self, sibling: Path | None, evidence: Evidence | None, judgement: Judgement | None) -> None:
        """Say that the run was recovered, once; `sibling` is the sealed folder, None where there was nothing to judge.

        Raises UntrustedError where the ledger names another manifest, EvidenceError where it cannot be written to.
        """
        if self._first(AttemptOpened) is None:
            return
        manifest = None if sibling is None else digest((sibling / MANIFEST).read_bytes())
        known = self.recovered
        if known is not None:
            self._same(known, known.record.manifest, manifest)
            return
        self.ledger.append(
            AttemptRecovered(
                nonce=self.start.nonce,
                manifest=manifest,
                runs={} if judgement is None else own_runs(judgement),
                subjects={} if evidence is None else seen_subjects(evidence),
                draft=self.start.mode == "draft",
            )
        )

    def log_sealed(self, folder: Path) -> bool:
        """Say again that the run was sealed, where the ledger does not have it; false where it does.

        The bundle is verified first. Raises UntrustedError where it does not verify, or the ledger has another seal.
        """
        manifest = digest((folder / MANIFEST).read_bytes())
        known = self._first(AttemptSealed)
        if known is not None:
            self._same(known, known.record.manifest, manifest)
            return False
        checked = verify_bundle(folder, Grounds(kept=Kept(head_of(self.entries), self.entries)))
        for found in checked.report.findings:
            raise UntrustedError(found.code, f"the sealed run is not logged, and does not verify: {found.sentence}")
        evidence = read_evidence(folder, ledger=through(self.entries, self.start.nonce))
        attested = folder / ATTESTATION
        attestation = digest(attested.read_bytes()) if attested.is_file() else None
        self.ledger.append(sealed_record(judge_proven(evidence), evidence, manifest, attestation))
        return True

    def _same(self, entry: Entry, said: str | None, manifest: str | None) -> None:
        if said != manifest:
            raise UntrustedError("ledger-sealed", f"entry {entry.seq} of {self.ledger.name} names another manifest.")

    def _first(self, kind: type[Value]) -> Entry | None:
        """The entry of a kind that counts, which is the first one."""
        return next((one for one in self.told if isinstance(one.record, kind)), None)


def account_of(folder: Path, ledger: Store | None) -> Account | None:
    """A run's account in its ledger; None for a run that was registered nowhere.

    Raises UseError where it was registered and no ledger, or an empty one, was given; UntrustedError where the ledger does not
    hold, is another one, or says something else of the run.
    """
    with Folder(folder) as opened:
        if not opened.has(BUNDLE):
            return None
        start, data = read_bundle(opened, Limits())
    if start.ledger is None:
        return None
    lines = () if ledger is None else tuple(ledger.lines())
    if ledger is None or not lines:
        where = "no ledger was named" if ledger is None else f"there is none at {ledger.name}"
        raise UseError(f"{folder.name} was registered in a ledger, and {where}. Remedy: --ledger WHERE.")
    entries = tuple(read_entries(lines))
    if entries[0].digest != start.ledger.id:
        raise UntrustedError("ledger-other", f"{ledger.name} is not the ledger that the run was registered in.")
    told = tuple(one for one in with_branches(entries) if getattr(one.record, "nonce", "") == start.nonce)
    for one in told:
        if isinstance(one.record, AttemptOpened) and one.record.bundle != digest(data):
            raise UntrustedError("ledger-differs", f"entry {one.seq} registered another {BUNDLE}.")
    return Account(start, ledger, lines, entries, told)


def recorded_ledger(folder: Path) -> str:
    """The ledger that a run was started with, as it was named on its command line or in the ini; empty: unknown."""
    with Folder(folder) as opened:
        told = read_bundle(opened, Limits())[0].options.get("ledger", "") if opened.has(BUNDLE) else ""
    return told if isinstance(told, str) else ""
