"""The trust root as values: which keys may sign what."""

import base64
from typing import Final

from pytest_spiral.model.attestation import BUNDLE_ROLES, Signed
from pytest_spiral.model.base import Value

ED25519: Final = "ssh-ed25519"


class TrustedKey(Value, frozen=True, kw_only=True):
    """One line of the trust root.

    `keyid` is the OpenSSH fingerprint, `public` the base64 of the key's SSH wire form. Times are microseconds since
    1970-01-01 UTC, both ends included; None: no end.
    """

    keyid: str
    kind: str
    public: str
    principals: tuple[str, ...]
    roles: tuple[str, ...]
    valid_after: int | None = None
    valid_before: int | None = None

    @property
    def raw(self) -> bytes:
        """The 32 bytes of an Ed25519 key; ValueError for another kind."""
        if self.kind != ED25519:
            raise ValueError(f"a {self.kind} key has no 32 bytes")
        return base64.b64decode(self.public)[-32:]

    @property
    def signs(self) -> Signed:
        """What a bundle signed with this key is: the least of its roles that sign bundles decides.

        A key that jobs hold could have been read by tests, whatever else it is used for.
        """
        for role in BUNDLE_ROLES:
            if role in self.roles:
                return "job" if role == "spiral-job" else "recorder"
        return "none"


class TrustRoot(Value, frozen=True, kw_only=True):
    """A trust root as values. `superseded` and `compromised`: fingerprint to ledger position."""

    keys: tuple[TrustedKey, ...] = ()
    superseded: dict[str, int] = {}
    compromised: dict[str, int] = {}

    def key(self, keyid: str) -> TrustedKey | None:
        """The key with that fingerprint, or None."""
        return next((one for one in self.keys if one.keyid == keyid), None)
