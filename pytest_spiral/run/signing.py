"""Signing a run: which key is taken, and what it signs."""

import subprocess
from pathlib import Path

from pytest_spiral.errors import UseError
from pytest_spiral.evidence.attest import write_attestation, write_test_result
from pytest_spiral.evidence.keys import SigningKey, load_key
from pytest_spiral.model.attestation import Isolation, LedgerPlace
from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.rules.attestation import decision_predicate, decision_statement, result_statement

_GIT_TIMEOUT_S = 5.0


def load_run_key(path: Path, reports: Path) -> SigningKey:
    """Read the key that signs a run. Raises UseError for a key that `load_key` refuses, or that others could get.

    That is one under the folder for bundles, which are given away, and one that git keeps.
    """
    key = load_key(path)
    if path.resolve().is_relative_to(reports.resolve()):
        raise UseError(
            f"The key {path} lies in {reports}, where bundles are made. Remedy: keep it outside the project."
        )
    if _tracked(path.resolve()):
        raise UseError(f"The key {path} is tracked by git, so it is no secret. Remedy: make another one outside of it.")
    return key


def sign_result(folder: Path, evidence: Evidence, judgement: Judgement, key: SigningKey) -> None:
    """Write the test result where the run names what it tested; before the manifest."""
    statement = result_statement(evidence, judgement)
    if statement is not None:
        write_test_result(folder, statement, key)


def sign_decision(  # noqa: PLR0913 - what is signed, by whom, and what only the signer can say
    folder: Path,
    evidence: Evidence,
    judgement: Judgement,
    digests: tuple[str, str],
    key: SigningKey,
    *,
    ledger: LedgerPlace | None = None,
    isolation: Isolation = "none",
) -> str:
    """Write the attestation; `digests` are those of bundle.json and of the manifest. Gives the attestation's."""
    bundle, manifest = digests
    predicate = decision_predicate(evidence, judgement, bundle, ledger=ledger, isolation=isolation)
    return write_attestation(folder, decision_statement(predicate, manifest), key)


def _tracked(path: Path) -> bool:
    """Whether git has the file under version control; False where git is not there, or knows no repository here."""
    command = ["git", "-C", str(path.parent), "ls-files", "--error-unmatch", "--", path.name]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=_GIT_TIMEOUT_S).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False
