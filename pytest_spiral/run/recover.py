"""Recovering a killed run: what it had recorded, judged and sealed beside the dead folder."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pytest_spiral.errors import EvidenceError, UseError
from pytest_spiral.evidence.recover import held, remains_of, salvage
from pytest_spiral.evidence.seal import write_manifest
from pytest_spiral.evidence.state import classify
from pytest_spiral.evidence.store import make_folder, sync_folder, trouble, write_once
from pytest_spiral.ledger.store import Store
from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.rules.paths import BUNDLE, LEDGER, RECOVERED
from pytest_spiral.run import clock
from pytest_spiral.run.belated import Account, account_of
from pytest_spiral.run.gate_run import write_derived
from pytest_spiral.run.logbook import COPY_MOST
from pytest_spiral.run.registered import through
from pytest_spiral.run.verify import judge_bundle

Outcome = Literal["recovered", "recovered-before", "sealed", "logged", "never-opened", "abandoned"]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What recovering came to. `folder` is the sealed sibling; None, like the rest, where there was nothing to seal."""

    outcome: Outcome
    folder: Path | None = None
    evidence: Evidence | None = None
    judgement: Judgement | None = None


def recover(folder: Path, ledger: Store | None = None) -> Recovery:
    """Seal what a killed run had recorded into the sibling `<id>-r1`, judged NO-GO; the dead folder stays as it is.

    A run that was registered needs its `ledger`, which is told: `recovered`, or `sealed` again where the kill came
    after the seal and before its entry (outcome `logged`). Idempotent, also when it is killed itself: the sibling
    gets its name when it is sealed, and the ledger is told after that. A sealed run, one that never recorded anything
    and one that was killed before its tests were collected leave nothing to seal.

    Raises UseError where the run is still going on, there is no folder, its ledger is not named, or something else
    has the sibling's name; UntrustedError where the dead run is not what its records or its ledger say; EvidenceError
    where the disk refuses.
    """
    folder = folder.resolve()
    account = account_of(folder, ledger)
    if classify(folder) == "sealed":
        return Recovery("logged" if account is not None and account.log_sealed(folder) else "sealed")
    with held(folder):
        found = _recovered(folder, account)
        if account is not None:
            account.log_recovered(found.folder, found.evidence, found.judgement)
        return found


def _recovered(folder: Path, account: Account | None) -> Recovery:
    remains = remains_of(folder)
    if remains == "incomplete" and account is not None and not account.collected:
        remains = "abandoned"  # no test begins before the ledger has that they were collected
    if remains in ("never-opened", "abandoned"):
        return Recovery("never-opened" if remains == "never-opened" else "abandoned")
    sibling = folder.with_name(folder.name + RECOVERED)
    if os.path.lexists(sibling):
        return _known(folder, sibling, account)
    if account is not None and account.recovered is not None:
        raise UseError(
            f"entry {account.recovered.seq} of the ledger has it recovered, and {sibling} is not there. "
            "Remedy: bring that folder back."
        )
    return _make(folder, sibling, account)


def _known(folder: Path, sibling: Path, account: Account | None) -> Recovery:
    """What an earlier recovery of the same run made."""
    ours = sibling.is_dir() and classify(sibling) == "sealed"
    if not ours or (sibling / BUNDLE).read_bytes() != (folder / BUNDLE).read_bytes():
        raise UseError(f"{sibling} is there, and it is not this run recovered. Remedy: move it away.")
    _clear(_part(sibling))
    return Recovery("recovered-before", sibling, *_judged(sibling, account))


def _part(sibling: Path) -> Path:
    """Where the sibling is made before it gets its name."""
    return sibling.with_name(f"{sibling.name}.part")


def _make(folder: Path, sibling: Path, account: Account | None) -> Recovery:
    part = _part(sibling)
    _clear(part)
    make_folder(part)
    try:
        evidence, judgement = _seal(folder, part / sibling.name, account)
        (part / sibling.name).rename(sibling)
    except OSError as problem:
        raise trouble("created", sibling, problem) from problem
    finally:
        shutil.rmtree(part, ignore_errors=True)
    sync_folder(sibling.parent)
    return Recovery("recovered", sibling, evidence, judgement)


def _seal(folder: Path, made: Path, account: Account | None) -> tuple[Evidence, Judgement]:
    salvage(folder, made, clock.wall_us())
    if account is not None and len(copy := account.copy()) <= COPY_MOST:
        write_once(made / LEDGER, copy)
    evidence, judgement = _judged(made, account)
    write_derived(made, evidence, judgement)
    write_manifest(made)
    return evidence, judgement


def _judged(folder: Path, account: Account | None) -> tuple[Evidence, Judgement]:
    """The evidence with its verdicts; the ledger's entries come from the ledger where the bundle has no copy."""
    return judge_bundle(folder, None if account is None else through(account.entries, account.start.nonce))


def _clear(part: Path) -> None:
    """Take away what an earlier recovery left half done; raises EvidenceError."""
    try:
        if part.is_symlink():
            raise EvidenceError(f"{part} is a link, and a recovery writes there. Remedy: remove it.")
        if part.exists():
            shutil.rmtree(part)
    except OSError as problem:
        raise trouble("removed", part, problem) from problem
