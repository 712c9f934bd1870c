"""What is signed: in-toto statements in a DSSE envelope, and who may sign what.

Formats: DSSE 1.0 (github.com/secure-systems-lab/dsse), in-toto Statement v1 and test-result v0.1
(github.com/in-toto/attestation). The predicate gate-decision/v1 is this project's own (`docs/signing.md`).
"""

from typing import Final, Literal

import msgspec

from pytest_spiral.model.base import Value
from pytest_spiral.model.verdict import Decision, Verdict

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
DECISION_TYPE: Final = "https://pytest-spiral.readthedocs.io/gate-decision/v1"
RESULT_TYPE: Final = "https://in-toto.io/attestation/test-result/v0.1"
PRODUCER: Final = "pytest-spiral"

BundleRole = Literal["spiral-job", "spiral-recorder"]
Signed = Literal["none", "job", "recorder"]
Isolation = Literal["none", "launcher", "countersign"]
Level = Literal["E0", "E1", "E2", "E3"]

ROLES: Final = ("spiral-job", "spiral-recorder", "spiral-signoff", "spiral-waiver", "spiral-revoke")
"""Namespaces of the trust root: what a key may sign."""

BUNDLE_ROLES: Final[tuple[BundleRole, ...]] = ("spiral-job", "spiral-recorder")
"""The roles that sign bundles, the least first."""

LEVELS: Final[tuple[Level, ...]] = ("E0", "E1", "E2", "E3")
"""Levels of assurance, the least first."""


class EnvelopeSignature(Value, frozen=True, kw_only=True):
    """A signature: who (an OpenSSH fingerprint), and 64 bytes in standard base64."""

    keyid: str
    sig: str


class EnvelopeForm(Value, frozen=True, kw_only=True, rename={"payload_type": "payloadType"}):
    """A DSSE envelope as it stands in a file; `payload` is standard base64."""

    payload: str
    payload_type: str
    signatures: tuple[EnvelopeSignature, ...]


class Producer(Value, frozen=True, kw_only=True):
    """The program that judged, and its version (empty: the bundle does not say)."""

    name: str
    version: str


class LedgerPlace(Value, frozen=True, kw_only=True):
    """Where in a ledger a run stands: the ledger's id, and the sequence of its `opened` and `collected` entries."""

    id: str
    opened: int
    collected: int


class DecisionPredicate(Value, frozen=True, kw_only=True):
    """gate-decision/v1: what was decided, on what. `decision` is None for a partial run, which decides nothing."""

    run: str
    status: str
    plan: str
    bundle: str
    rules: str
    target: str
    profile: str
    decision: Decision | None
    stages: dict[str, Decision | None]
    gates: dict[str, Decision | None]
    verdicts: dict[str, Verdict]
    ledger: LedgerPlace | None
    isolation: Isolation
    producer: Producer


class Resource(Value, frozen=True, kw_only=True):
    """A thing by its digests: algorithm to lowercase hexadecimal, without a prefix."""

    name: str
    digest: dict[str, str]


class ResultPredicate(
    Value,
    frozen=True,
    kw_only=True,
    rename={"passed_tests": "passedTests", "warned_tests": "warnedTests", "failed_tests": "failedTests"},
):
    """test-result v0.1. Its tests are criteria, by id."""

    result: Literal["PASSED", "WARNED", "FAILED"]
    configuration: tuple[Resource, ...]
    passed_tests: tuple[str, ...]
    warned_tests: tuple[str, ...]
    failed_tests: tuple[str, ...]


class _Statement(Value, frozen=True, kw_only=True, rename={"type_": "_type", "predicate_type": "predicateType"}):
    type_: Literal["https://in-toto.io/Statement/v1"] = STATEMENT_TYPE
    subject: tuple[Resource, ...]


class DecisionStatement(_Statement, frozen=True, kw_only=True):
    """The payload of `attestation.dsse.json`."""

    predicate_type: Literal["https://pytest-spiral.readthedocs.io/gate-decision/v1"] = DECISION_TYPE
    predicate: DecisionPredicate


class ResultStatement(_Statement, frozen=True, kw_only=True):
    """The payload of `test-result.dsse.json`."""

    predicate_type: Literal["https://in-toto.io/attestation/test-result/v0.1"] = RESULT_TYPE
    predicate: ResultPredicate


class Signer(Value, frozen=True, kw_only=True):
    """Who was announced, when the run began, to sign it."""

    keyid: str
    role: BundleRole


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A DSSE envelope with its parts decoded: `payload` and `signature` are bytes."""

    payload: bytes
    payload_type: str
    keyid: str
    signature: bytes
