"""Paths that lead elsewhere, in the manifest and in records."""

import json

import pytest

from pytest_spiral.rules.canonical import canonical_bytes

ELSEWHERE = [
    "../secret",
    "a/../../secret",
    "/etc/hostname",
    "a//b",
    "./a",
    "a\\b",
    "a\x00b",
    "~/x",
    "",
    ".git/config",
    "é",
]


@pytest.fixture
def secret(forger):
    """A file beside the bundle, with the digest that the forgery names."""
    path = forger.folder.parent / "secret"
    path.write_bytes(b"hello\n")
    return path


@pytest.mark.parametrize("path", ELSEWHERE)
def test_a_manifest_names_nothing_outside(forger, secret, verify, path):
    document = json.loads((forger.folder / "manifest.json").read_bytes())
    entry = next(one for one in document["files"] if one["path"] == "log.txt")
    document["files"] = sorted([*document["files"], {**entry, "path": path}], key=lambda one: one["path"])
    (forger.folder / "manifest.json").write_bytes(canonical_bytes(document))
    answer = verify(forger.folder)
    assert answer.refused
    assert {"path-name", "file-missing"} <= answer.codes & answer.second_codes


@pytest.mark.parametrize("path", ELSEWHERE)
def test_an_attachment_is_nothing_outside(forger, secret, verify, path):
    forger.change("main", lambda records: next(one for kind, one in records if kind == "attached").update(path=path))
    answer = verify(forger.folder)
    assert answer.refused
    assert "attachment-missing" in answer.codes & answer.second_codes


@pytest.mark.parametrize("path", ELSEWHERE)
def test_a_sample_file_is_nothing_outside(forger, secret, verify, path):
    def lead(records):
        for kind, body in records:
            if kind in ("measure-opened", "range", "measure-closed"):
                body["file"] = path

    forger.change("gw0", lead)
    answer = verify(forger.folder)
    assert answer.refused
    assert "samples-missing" in answer.codes & answer.second_codes
