"""Carrying what earlier attempts measured for the same plan into the bundle that is judged with them."""

from collections.abc import Iterator
from pathlib import Path

from pytest_spiral.evidence.folder import Folder
from pytest_spiral.evidence.read import read_earlier
from pytest_spiral.evidence.store import make_folder, write_stream
from pytest_spiral.evidence.verify import examine
from pytest_spiral.model.evidence import EarlierAttempt, Evidence
from pytest_spiral.rules.integrity import Limits
from pytest_spiral.rules.judge.earlier import Wanted, wanted
from pytest_spiral.rules.paths import BUNDLE, EARLIER, INVENTORY, JOURNALS, MANIFEST, PLAN, SAMPLES
from pytest_spiral.run.shelf import bundles_of


def carry_earlier(folder: Path, evidence: Evidence) -> tuple[EarlierAttempt, ...]:
    """Copy what earlier attempts measured for the plans of this run into its bundle; gives it as it is read back.

    They are looked for under the folder in which the reports are, and taken only where they verify and are what the
    ledger says was sealed. One that is not found is left out: judging counts that against a pass.

    Raises EvidenceError where the disk refuses.
    """
    limits = Limits()
    for one in wanted(evidence):
        found = next(_found(folder.parent.parent, one, limits), None)
        if found is not None:
            _carry(*found, folder / EARLIER / one.nonce, limits)
    with Folder(folder) as opened:
        present = [entry.path for entry in opened.entries(limits.files) if entry.kind == "file"]
    return read_earlier(folder, present, limits)


def _found(reports: Path, one: Wanted, limits: Limits) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Folders that hold the attempt, sound and with the manifest of the ledger, each with the files to copy."""
    for folder in bundles_of(reports, one.run, one.manifest):
        report, evidence = examine(folder, limits)
        if report.outcome == "sound" and evidence is not None:
            names = set(one.criteria)
            yield (
                folder,
                tuple(f"{SAMPLES}/{each.file}" for each in evidence.measurements if names & set(each.criteria)),
            )


def _carry(source: Path, samples: tuple[str, ...], into: Path, limits: Limits) -> None:
    with Folder(source) as opened:
        journals = opened.names(JOURNALS, limits.files)
        for path in (MANIFEST, PLAN, BUNDLE, INVENTORY, *journals, *samples):
            if opened.has(path):
                make_folder((into / path).parent)
                with opened.stream(path) as file:
                    write_stream(into / path, file, limits.file)
