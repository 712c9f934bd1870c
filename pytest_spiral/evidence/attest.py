"""Signing a bundle: the test result before its manifest, the attestation after it."""

from pathlib import Path

from pytest_spiral.evidence.envelope import open_envelope, sign_payload, verify_signature
from pytest_spiral.evidence.keys import SigningKey
from pytest_spiral.evidence.store import replace, write_once
from pytest_spiral.model.attestation import DecisionStatement, ResultStatement
from pytest_spiral.rules.canonical import canonical_bytes, digest
from pytest_spiral.rules.paths import ATTESTATION, TEST_RESULT


def write_test_result(folder: Path, statement: ResultStatement, key: SigningKey) -> None:
    """Write `test-result.dsse.json`, which the manifest will list; raises EvidenceError where it is there already."""
    write_once(folder / TEST_RESULT, sign_payload(canonical_bytes(statement), key))


def write_attestation(folder: Path, statement: DecisionStatement, key: SigningKey) -> str:
    """Write `attestation.dsse.json`, the last file of a bundle; gives its digest, for the ledger.

    It is made beside the bundle: a kill leaves nothing in a folder that is sealed already. Raises EvidenceError
    where it is there already, and where the disk fails, and UntrustedError for a signature that does not verify.
    """
    data = _signed(statement, key)
    write_once(folder / ATTESTATION, data, aside=folder.parent)
    return digest(data)


def replace_attestation(folder: Path, statement: DecisionStatement, key: SigningKey) -> str:
    """Put another attestation in the place of the one that is there, all at once; else as `write_attestation`."""
    data = _signed(statement, key)
    replace(folder / ATTESTATION, data, aside=folder.parent)
    return digest(data)


def _signed(statement: DecisionStatement, key: SigningKey) -> bytes:
    data = sign_payload(canonical_bytes(statement), key)
    verify_signature(open_envelope(data), key.raw_public)  # what a faulty library or memory signed is not kept
    return data
