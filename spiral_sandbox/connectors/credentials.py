"""Bearer credentials: issued, rotated with an overlap, expired, verified in constant time.

What is kept here is the SHA-256 of each token, never a token: reading this state gives nobody access.
"""

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

LIFETIME = timedelta(hours=48)
_TOKEN_BYTES = 32
# RFC 6750, section 2.1: the scheme's name (in any case, RFC 9110), one or more spaces, a token68.
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9\-._~+/]+=*)", re.ASCII)
_LONGEST_HEADER = 1024


class Flaw(StrEnum):
    """Why a presented credential is refused."""

    MISSING = "missing"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    ROTATED_OUT = "rotated-out"
    OTHER_SERVICE = "other-service"


@dataclass(frozen=True, slots=True)
class Credential:
    """One credential of one service: valid from `issued_at` up to, but not at, `ends_at`."""

    service: str
    digest: bytes
    issued_at: datetime
    expires_at: datetime
    overlap_until: datetime | None = None

    @property
    def fingerprint(self) -> str:
        """The first 16 hexadecimal digits of the token's SHA-256: names it, gives no access."""
        return self.digest.hex()[:16]

    @property
    def ends_at(self) -> datetime:
        """When it stops to be valid: at its expiry, or earlier where it was rotated out."""
        return self.expires_at if self.overlap_until is None else min(self.expires_at, self.overlap_until)

    def flaw(self, now: datetime) -> Flaw | None:
        """Why it is not valid now, or None."""
        if now < self.issued_at:
            return Flaw.UNKNOWN
        if now < self.ends_at:
            return None
        return Flaw.EXPIRED if self.ends_at == self.expires_at else Flaw.ROTATED_OUT


@dataclass(frozen=True, slots=True)
class Issued:
    """A fresh credential with its token, on the way to whoever will use it."""

    credential: Credential
    token: str

    def __repr__(self) -> str:
        """Without the token, so that it reaches no log."""
        return f"Issued(credential={self.credential!r})"


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did: the old credential as it now stands, and the fresh one."""

    old: Credential
    fresh: Issued


Admission = Credential | Flaw
"""What verification gives: the credential that was shown, or why it is refused."""


class Register:
    """The credentials of all services, in the order of issue; one of each service is the current one."""

    def __init__(self) -> None:
        self._known: list[Credential] = []
        self._current: dict[str, bytes] = {}

    def issue(self, service: str, now: datetime, lifetime: timedelta = LIFETIME, *, current: bool = True) -> Issued:
        """Issue a credential; `current=False` leaves the service's current one in its place.

        Raises `ValueError` for a lifetime that is not positive or over 48 h.
        """
        if not timedelta(0) < lifetime <= LIFETIME:
            raise ValueError(f"a credential lives up to 48 h, not {lifetime}")
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        credential = Credential(service, digest_of(token), now, now + lifetime)
        self._known.append(credential)
        if current:
            self._current[service] = credential.digest
        return Issued(credential, token)

    def rotate(self, service: str, now: datetime, overlap: timedelta) -> Rotated:
        """Issue a new current credential; the old one stays valid for the overlap, never beyond its expiry.

        Raises `ValueError` for an overlap that is negative or over 48 h.
        """
        check_overlap(overlap)
        old = self.current(service)
        retired = replace(old, overlap_until=min(now + overlap, old.expires_at))
        self._known[self._known.index(old)] = retired
        return Rotated(retired, self.issue(service, now))

    def current(self, service: str) -> Credential:
        """The service's current credential, valid or not; raises `KeyError` where none was issued."""
        digest = self._current[service]
        return next(known for known in self._known if known.digest == digest)

    def verify(self, service: str, authorization: Sequence[str], now: datetime) -> Admission:
        """Judge the values of an `authorization` header or metadata key for a service.

        Who it is comes first, then whether it is valid, then whose it is: a credential of another service that
        has expired is expired.
        """
        found = self.identify(authorization, now)
        return found if isinstance(found, Flaw) or found.service == service else Flaw.OTHER_SERVICE

    def identify(self, authorization: Sequence[str], now: datetime) -> Admission:
        """Whose valid credential the values of an `authorization` header or metadata key show."""
        token = bearer_token(authorization)
        if isinstance(token, Flaw):
            return token
        found = self._find(digest_of(token))
        if found is None:
            return Flaw.UNKNOWN
        return found.flaw(now) or found

    def _find(self, digest: bytes) -> Credential | None:
        # Every known digest is compared, in constant time each: the time taken tells nothing of a match.
        found = None
        for known in self._known:
            if hmac.compare_digest(known.digest, digest):
                found = known
        return found


def check_overlap(overlap: timedelta) -> None:
    """Raise `ValueError` for an overlap that is negative or over 48 h."""
    if not timedelta(0) <= overlap <= LIFETIME:
        raise ValueError(f"an overlap is 0 to 48 h, not {overlap}")


def bearer_token(authorization: Sequence[str]) -> str | Flaw:
    """The token of exactly one `Bearer` value, or the flaw: missing or malformed."""
    if not authorization:
        return Flaw.MISSING
    if len(authorization) > 1 or len(authorization[0]) > _LONGEST_HEADER:
        return Flaw.MALFORMED
    match = _BEARER.fullmatch(authorization[0])
    return match[1] if match else Flaw.MALFORMED


def digest_of(token: str) -> bytes:
    """The SHA-256 of a token, all that is kept of it."""
    return sha256(token.encode()).digest()
