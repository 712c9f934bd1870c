"""The manifest: what was sealed, file by file."""

from typing import Literal

from pytest_spiral.model.base import Value


class ManifestFile(Value, frozen=True, kw_only=True):
    """One sealed file: its path in the bundle, how many bytes it has, their SHA-256."""

    path: str
    bytes: int
    sha256: str


class Manifest(Value, frozen=True, kw_only=True):
    """`manifest.json`: every file but itself and the attestation, by path in strict order."""

    format: Literal["spiral-manifest/1"] = "spiral-manifest/1"
    files: tuple[ManifestFile, ...]
