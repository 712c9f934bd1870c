"""SSH signatures: what `ssh-keygen -Y sign` writes, checked by sshsig, read as bytes that have one spelling only.

The format is OpenSSH's PROTOCOL.sshsig. sshsig is imported when a signature is checked. It knows Ed25519 and RSA keys.
"""

import base64
import re
from typing import TYPE_CHECKING, Final

from pytest_spiral.errors import UntrustedError, UseError
from pytest_spiral.model.examination import SIGNOFF, Examination
from pytest_spiral.model.record import DocumentSeen
from pytest_spiral.rules.examination import parse_statement
from pytest_spiral.rules.trust import parse_public_key

if TYPE_CHECKING:
    from sshsig.sshsig import SshsigSignature

_ARMOUR: Final = re.compile(r"-----BEGIN SSH SIGNATURE-----\n((?:[A-Za-z0-9+/=]+\n)+)-----END SSH SIGNATURE-----\n?")
RSA_LEAST: Final = 2048
"""Bits of an RSA key that nobody factors (NIST SP 800-131A)."""
_HASHES: Final = (b"sha256", b"sha512")
_LENGTH: Final = 4  # bytes that say how long an SSH string is
_BROKEN: Final = (ValueError, TypeError, AssertionError, OverflowError)
"""What sshsig lets through of a signature that is none."""


def verify_sshsig(message: bytes, armoured: str, namespace: str) -> str:
    """The fingerprint of the key whose signature over exactly these bytes, in that namespace, this is.

    Raises UntrustedError `signature-broken`, also for a weak key, and for a second spelling of a signature. Whose key it
    is, is not asked.
    """
    from sshsig.sshsig import InvalidSignature, check_signature

    try:
        read = _read(_dearmoured(armoured))
        key = check_signature(message, armoured, namespace).openssh_str()
        known = parse_public_key(key, "its key")
    except NotImplementedError as problem:
        said = "the signature is of a kind that is not known here; sign with an Ed25519 or an RSA key."
        raise UntrustedError("signature-broken", said) from problem
    except UseError as problem:
        raise UntrustedError("signature-broken", str(problem)) from problem
    except (InvalidSignature, *_BROKEN) as problem:
        said = "the signature is not of this key over these bytes for this purpose."
        raise UntrustedError("signature-broken", said) from problem
    if base64.b64decode(known.public) != read.public_key:
        raise UntrustedError("signature-broken", "its key is not in its one spelling.")
    if known.kind == "ssh-rsa" and _rsa_bits(read.public_key) < RSA_LEAST:
        raise UntrustedError("signature-broken", f"its RSA key has less than {RSA_LEAST:,} bits, which is weak.")
    return known.keyid


def check_document(seen: DocumentSeen) -> Examination:
    """A document as a run found it, its statement read and its signature checked; never raises for what it says."""
    if not (seen.statement and seen.signature):
        return Examination(seen=seen)
    try:
        data = seen.statement.encode()
        statement = parse_statement(data)
        return Examination(seen=seen, statement=statement, keyid=verify_sshsig(data, seen.signature, SIGNOFF))
    except UntrustedError as problem:
        return Examination(seen=seen, fault=str(problem).removesuffix("."))


def _rsa_bits(public: bytes) -> int:
    """The size of an RSA key in OpenSSH's form, which is three SSH strings: its kind, exponent and modulus."""
    from sshsig.binary_io import SshReader

    parts = SshReader(public)
    for _ in range(2):
        parts.read_string()
    return parts.read_mpint().bit_length()


def _dearmoured(text: str) -> bytes:
    """The bytes in the armour; ValueError for what is no standard base64 in its one spelling."""
    found = _ARMOUR.fullmatch(text)
    inner = found[1].replace("\n", "") if found else ""
    blob = base64.b64decode(inner, validate=True)
    if not blob or base64.b64encode(blob).decode() != inner:
        raise ValueError("no armoured SSH signature")
    return blob


def _read(blob: bytes) -> "SshsigSignature":
    """Read a signature; ValueError for what sshsig passes over: reserved and trailing bytes, hashes beyond the format's two."""
    from sshsig.sshsig import SshsigSignature

    read = SshsigSignature(blob)
    kind = int.from_bytes(read.signature[:_LENGTH], "big")
    inner = read.signature[_LENGTH + kind :]  # by hand: sshsig's reader takes a string that is cut short
    whole = len(inner) >= _LENGTH and len(inner) == _LENGTH + int.from_bytes(inner[:_LENGTH], "big")
    if bytes(read) != blob or read.hash_algo not in _HASHES or not whole:
        raise ValueError("not the form that ssh-keygen writes")
    return read
