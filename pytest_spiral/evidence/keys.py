"""Keys that sign bundles: made, written so that only their owner can read them, and read back.

Files are OpenSSH's or PKCS#8 PEM, so `ssh-keygen` reads ours and we read its. cryptography is imported when a key is
made or read.
"""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_spiral.errors import EvidenceError, UseError
from pytest_spiral.evidence.folder import Folder
from pytest_spiral.evidence.store import BLOCK, sync_folder
from pytest_spiral.rules.integrity import Limits
from pytest_spiral.rules.trust import parse_public_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from securesystemslib.signer import CryptoSigner

PUBLIC_SUFFIX: Final = ".pub"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MOST: Final = 64 * 1024
_NEW: Final = "Remedy: spiral key new FILE."


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key in memory. `keyid` is its OpenSSH fingerprint, `public` its line without comment.

    `traces` are lines of its file by which a copy of it is known.
    """

    keyid: str
    public: str
    _private: "Ed25519PrivateKey" = field(repr=False, compare=False)
    traces: tuple[bytes, ...] = field(default=(), repr=False, compare=False)

    @property
    def raw_public(self) -> bytes:
        """The public key's 32 bytes."""
        return self._private.public_key().public_bytes_raw()

    def signer(self) -> "CryptoSigner":
        """The key as securesystemslib signs with it, under its fingerprint."""
        from securesystemslib.signer import CryptoSigner, SSlibKey

        public = SSlibKey.from_crypto(self._private.public_key(), keyid=self.keyid)
        return CryptoSigner(self._private, public)

    def pem(self) -> bytes:
        """The private key in OpenSSH's format, unencrypted."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        return self._private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def make_key() -> SigningKey:
    """A new Ed25519 key, from the operating system's randomness."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return _signing_key(Ed25519PrivateKey.generate())


def write_key(path: Path, key: SigningKey, comment: str = "") -> Path:
    """Write a private key with mode 0600, and its public line beside it; gives the public file's path.

    Raises UseError where one of the two exists, or cannot be written.
    """
    public = path.with_name(path.name + PUBLIC_SUFFIX)
    line = f"{key.public} {comment}".rstrip() + "\n"
    _write_new(path, key.pem(), 0o600)
    try:
        _write_new(public, line.encode(), 0o644)
    except UseError:
        path.unlink()
        raise
    sync_folder(path.parent)
    return public


def load_key(path: Path) -> SigningKey:
    """Read a private key. Raises UseError for one that is missing, readable by others, encrypted or not Ed25519."""
    data = _read_private(path)
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    load = load_ssh_private_key if b"-----BEGIN OPENSSH PRIVATE KEY-----" in data else load_pem_private_key
    try:
        private = load(data, None)
    except TypeError as problem:
        raise UseError(f"{path} is encrypted, and a job cannot be asked for a passphrase. {_NEW}") from problem
    except (ValueError, UnsupportedAlgorithm) as problem:
        encrypted = "password" in str(problem).lower() or b"ENCRYPTED" in data
        what = "is encrypted, and a job cannot be asked for a passphrase" if encrypted else "holds no private key"
        raise UseError(f"{path} {what}. {_NEW}") from problem
    if not isinstance(private, Ed25519PrivateKey):
        raise UseError(f"{path} is no Ed25519 key. {_NEW}")
    return _signing_key(private, _traces(data))


def refuse_copies(folder: Path, key: SigningKey, limits: Limits | None = None) -> None:
    """Raise EvidenceError where a file below the folder holds a copy of the key's file, or its later lines."""
    with Folder(folder) as opened:
        for entry in opened.entries((limits or Limits()).files):
            if entry.kind == "file" and _holds(opened, entry.path, key.traces):
                raise EvidenceError(
                    f"the private key that signs stands in {entry.path}; such a run is not sealed. "
                    "Remedy: keep tests away from the key, and make another one."
                )


def _holds(folder: Folder, path: str, traces: tuple[bytes, ...]) -> bool:
    overlap = max(map(len, traces), default=1) - 1
    tail = b""
    with folder.stream(path) as file:
        while block := file.read(BLOCK):
            if any(trace in tail + block for trace in traces):
                return True
            tail = block[-overlap:] if overlap else b""
    return False


def _traces(data: bytes) -> tuple[bytes, ...]:
    """The base64 lines of a private key's file, but for a first one that only says what kind of file it is."""
    lines = tuple(line for line in data.splitlines() if line and not line.startswith(b"-----"))
    return lines[1:] or lines


def _signing_key(private: "Ed25519PrivateKey", traces: tuple[bytes, ...] = ()) -> SigningKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return SigningKey(parse_public_key(line, "the key").keyid, line, private, traces)


def _read_private(path: Path) -> bytes:
    """The file's bytes, from the descriptor whose mode was looked at."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as problem:
        raise UseError(f"The key {path} cannot be read: {os.strerror(problem.errno or 0)}. {_NEW}") from problem
    try:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            raise UseError(f"The key {path} is no regular file. {_NEW}")
        if mode & _OTHERS:
            said = f"(mode {stat.S_IMODE(mode):04o})"
            raise UseError(f"The key {path} can be read or written by others {said}. Remedy: chmod 600.")
        return os.read(fd, _MOST)
    finally:
        os.close(fd)


def _write_new(path: Path, data: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(path, flags, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)  # whatever the umask says
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as problem:
        raise UseError(f"{path} exists already; a key is never overwritten. Remedy: another name.") from problem
    except OSError as problem:
        raise UseError(f"{path} cannot be written: {os.strerror(problem.errno or 0)}.") from problem


__all__ = ["PUBLIC_SUFFIX", "SigningKey", "load_key", "make_key", "refuse_copies", "write_key"]
