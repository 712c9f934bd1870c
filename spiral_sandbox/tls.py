"""Certificates of one run: an authority of its own, a server's and a client's certificate."""

import contextlib
import hashlib
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spiral_sandbox.errors import SandboxError

if TYPE_CHECKING:
    import grpc
    import trustme


@dataclass(frozen=True, slots=True)
class Tls:
    """One party's credentials as paths of PEM files: the authority it trusts, its certificate, its key."""

    ca: Path
    cert: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """A context for a server that refuses every client without a certificate of the same authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self.ca)
        context.load_cert_chain(self.cert, self.key)
        return context

    def grpc_credentials(self) -> "grpc.ServerCredentials":
        """The same for a gRPC server."""
        import grpc  # not every component that has credentials speaks gRPC

        return grpc.ssl_server_credentials(
            [(self.key.read_bytes(), self.cert.read_bytes())],
            root_certificates=self.ca.read_bytes(),
            require_client_auth=True,
        )

    def paths(self) -> dict[str, str]:
        """The three paths as plain text, under the names `ca`, `cert` and `key`."""
        return {"ca": str(self.ca), "cert": str(self.cert), "key": str(self.key)}


@dataclass(frozen=True, slots=True)
class Certificates:
    """The certificates of one run; the authority's own key is never written."""

    server: Tls
    client: Tls

    def copy(self, folder: Path) -> "Certificates":
        """The same certificates as files in a new folder, where they may be exchanged."""
        folder.mkdir(mode=0o700)
        for path in self._files():
            write_private(folder / path.name, path.read_bytes())
        return Certificates(
            *(
                Tls(*(folder / path.name for path in (party.ca, party.cert, party.key)))
                for party in (self.server, self.client)
            )
        )

    def _files(self) -> tuple[Path, ...]:
        return (self.server.ca, self.server.cert, self.server.key, self.client.cert, self.client.key)

    def remove(self) -> None:
        """Delete the files and their folder; what is already gone is no matter."""
        for path in self._files():
            path.unlink(missing_ok=True)
        # Files that somebody else put there stay, and the folder with them.
        with contextlib.suppress(OSError):
            self.server.ca.parent.rmdir()


def fingerprint(pem: bytes) -> str:
    """`sha256:` and the hash of the first certificate of a PEM file."""
    first = pem.decode("ascii").partition("-----END CERTIFICATE-----")
    return "sha256:" + hashlib.sha256(ssl.PEM_cert_to_DER_cert(first[0] + first[1])).hexdigest()


def issue_certificates(folder: Path) -> Certificates:
    """Make a new authority and write its certificate and both parties' files into a new folder.

    The folder gets mode 0700, every file 0600. Raises SandboxError if the folder is already there: it
    belongs to another sandbox.
    """
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError as error:
        raise SandboxError(f"The folder {folder} belongs to another sandbox; give each one its own.") from error
    import trustme  # takes a tenth of a second, and components never issue

    authority = trustme.CA()
    ca = write_private(folder / "ca.pem", authority.cert_pem.bytes())
    server = _issue(authority, folder, "server", ca)
    return Certificates(server=server, client=_issue(authority, folder, "client", ca))


def _issue(authority: "trustme.CA", folder: Path, party: str, ca: Path) -> Tls:
    leaf = authority.issue_cert("127.0.0.1", "localhost", common_name=f"spiral-sandbox-{party}")
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    return Tls(
        ca=ca,
        cert=write_private(folder / f"{party}.pem", chain),
        key=write_private(folder / f"{party}.key", leaf.private_key_pem.bytes()),
    )


def write_private(path: Path, content: bytes) -> Path:
    """Write a new file of mode 0600, and give its path; raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return path
