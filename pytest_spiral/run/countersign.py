"""Countersigning: a recorder verifies a bundle that a job signed, and signs what it verified in the job's place."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec

from pytest_spiral.errors import UseError
from pytest_spiral.evidence.attest import replace_attestation
from pytest_spiral.evidence.keys import SigningKey, refuse_copies
from pytest_spiral.model.trust import TrustRoot
from pytest_spiral.rules.trust import key_faults
from pytest_spiral.run.grounds import Grounds
from pytest_spiral.run.verify import Checked, verify_bundle

_RAISED = ("E0", "E1", "E2")
_ROLE = "Remedy: use a key that the trust root has as spiral-recorder, and as nothing else that signs bundles."


@dataclass(frozen=True, slots=True)
class Countersigned:
    """What came of it: the last verification, and whether the attestation was written now, before, or not at all."""

    checked: Checked
    outcome: Literal["signed", "signed-before", "refused"]
    keyid: str


def countersign(folder: Path, load: Callable[[], SigningKey], grounds: Grounds) -> Countersigned:
    """Verify a bundle, then replace its attestation by one of the recorder's; no other file is changed.

    `outcome` is `signed`, `signed-before` for the same key, or `refused` where the bundle is not sealed or not to be
    trusted, which includes one that nobody in the trust root has signed. What is signed is the very statement that was
    verified, with `isolation` saying `countersign`: the bundle is not read again in between. A partial run and a NO-GO
    are signed as what they are. An expected level up to E2 is held against the outcome, not against what comes in. The
    key is loaded when the bundle was found good.

    Raises UseError without a trust root, for a key that is no recorder's, or a bundle that another recorder has
    signed, and EvidenceError where the key stands in the bundle, or the disk fails.
    """
    if grounds.trust is None:
        raise UseError("Nobody is trusted to have signed the bundle. Remedy: give the trust root.")
    checked = verify_bundle(folder, _without_level(grounds))
    statement = checked.statement
    if checked.report.outcome != "sound" or statement is None or checked.signed == "none":
        return Countersigned(checked, "refused", "")
    key = load()
    _refuse_others(grounds.trust, key, checked)
    if checked.signed == "job" and checked.keyid == key.keyid:
        raise UseError(f"The tests of {folder} could read the key {key.keyid}: it cannot vouch for them. {_ROLE}")
    refuse_copies(folder, key, grounds.limits)
    if checked.signed == "recorder":
        if checked.keyid != key.keyid or statement.predicate.isolation != "countersign":
            raise UseError(f"{folder} is signed by the recorder {checked.keyid} already: there is nothing to add.")
        return Countersigned(verify_bundle(folder, grounds), "signed-before", key.keyid)
    predicate = msgspec.structs.replace(statement.predicate, isolation="countersign")
    replace_attestation(folder, msgspec.structs.replace(statement, predicate=predicate), key)
    return Countersigned(verify_bundle(folder, grounds), "signed", key.keyid)


def _without_level(grounds: Grounds) -> Grounds:
    expected = grounds.expectation
    if expected is None or expected.level not in _RAISED:
        return grounds
    return replace(grounds, expectation=msgspec.structs.replace(expected, level=None))


def _refuse_others(trust: TrustRoot, key: SigningKey, checked: Checked) -> None:
    known = trust.key(key.keyid)
    if known is None:
        raise UseError(f"The key {key.keyid} is not in the trust root. {_ROLE}")
    if known.signs != "recorder":
        raise UseError(
            f"The key {key.keyid} is no recorder's: a key that jobs hold proves no more than theirs. {_ROLE}"
        )
    for _, sentence in key_faults(trust, known, "spiral-recorder", checked.times, None):  # it signs now
        raise UseError(f"The key {key.keyid} cannot sign this bundle: {sentence} {_ROLE}")
