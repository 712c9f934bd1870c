"""DSSE envelopes: made and checked by securesystemslib, read as bytes that have one spelling only.

The signature is over DSSE's pre-authentication encoding of payload type and payload
(github.com/secure-systems-lab/dsse, protocol.md). securesystemslib is imported when something is signed or checked.
"""

import base64
import binascii
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from pytest_spiral.errors import UntrustedError
from pytest_spiral.model.attestation import PAYLOAD_TYPE, Envelope, EnvelopeForm
from pytest_spiral.rules.canonical import canonical_bytes, convert, parse_strict
from pytest_spiral.rules.integrity import Limits, shown

if TYPE_CHECKING:
    from pytest_spiral.evidence.keys import SigningKey

_Struct = TypeVar("_Struct", bound=msgspec.Struct)

SIGNATURE_LENGTH: Final = 64


def sign_payload(payload: bytes, key: "SigningKey", payload_type: str = PAYLOAD_TYPE) -> bytes:
    """The canonical bytes of an envelope around a payload, signed with that key."""
    from securesystemslib.dsse import Envelope as Signable

    envelope = Signable(payload, payload_type, {})
    envelope.sign(key.signer())
    return canonical_bytes(envelope.to_dict())


def open_envelope(data: bytes, limits: Limits | None = None) -> Envelope:
    """Read an envelope of which nothing is believed yet.

    Raises UntrustedError: `not-canonical` for bytes that are not their own RFC 8785 form, `attestation-form` for
    anything but one payload with one signature in standard base64, `attestation-type` for a payload that is no
    in-toto statement; and as `parse_strict`.
    """
    form = parse_exact(data, EnvelopeForm, limits)
    if len(form.signatures) != 1:
        raise UntrustedError("attestation-form", f"it has {len(form.signatures)} signatures, not exactly one.")
    if form.payload_type != PAYLOAD_TYPE:
        said = shown(form.payload_type, 80)
        raise UntrustedError("attestation-type", f"its payload type is {said!r}, not {PAYLOAD_TYPE!r}.")
    signature = _decoded(form.signatures[0].sig, "signature")
    if len(signature) != SIGNATURE_LENGTH:
        said = f"its signature has {len(signature)} bytes, an Ed25519 signature has {SIGNATURE_LENGTH}."
        raise UntrustedError("attestation-form", said)
    return Envelope(
        payload=_decoded(form.payload, "payload"),
        payload_type=form.payload_type,
        keyid=form.signatures[0].keyid,
        signature=signature,
    )


def parse_statement(payload: bytes, kind: type[_Struct], limits: Limits | None = None) -> _Struct:
    """Read a payload as a statement of that type; raises UntrustedError, `attestation-type` for another type."""
    built = parse_strict(payload, most=(limits or Limits()).json)
    wanted = {field.encode_name: field.default for field in msgspec.structs.fields(kind)}
    for name in ("_type", "predicateType"):
        said = built.get(name) if isinstance(built, dict) else None
        if said != wanted[name]:
            raise UntrustedError("attestation-type", f"{name} is {shown(said, 100)!r}, not {wanted[name]!r}.")
    return _exact(payload, convert(built, kind))


def verify_signature(envelope: Envelope, public: bytes) -> None:
    """Raise UntrustedError `attestation-signature` unless the key signed exactly this type and payload.

    `public` are the 32 bytes of an Ed25519 key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from securesystemslib.dsse import Envelope as Signable
    from securesystemslib.exceptions import VerificationError
    from securesystemslib.signer import Signature, SSlibKey

    key = SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(public), keyid=envelope.keyid)
    signature = Signature(envelope.keyid, envelope.signature.hex())
    try:
        Signable(envelope.payload, envelope.payload_type, {envelope.keyid: signature}).verify([key], 1)
    except VerificationError as problem:
        said = f"the signature of {shown(envelope.keyid, 60)} is not over these bytes."
        raise UntrustedError("attestation-signature", said) from problem


def parse_exact(data: bytes, kind: type[_Struct], limits: Limits | None = None) -> _Struct:
    """Parse strictly; raises UntrustedError `not-canonical` unless the value's RFC 8785 form is these bytes."""
    return _exact(data, convert(parse_strict(data, most=(limits or Limits()).json), kind))


def _exact(data: bytes, value: _Struct) -> _Struct:
    if canonical_bytes(value) != data:
        raise UntrustedError("not-canonical", "the bytes differ from the RFC 8785 form of what they say.")
    return value


def _decoded(text: str, what: str) -> bytes:
    """Standard base64 in its one spelling: padding that could hide bits is refused with the rest."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise UntrustedError("attestation-form", f"its {what} is no standard base64.") from problem
    if base64.b64encode(data).decode() != text:
        raise UntrustedError("attestation-form", f"its {what} is not in the one spelling that base64 gives it.")
    return data
