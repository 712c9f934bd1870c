"""Programs made for a test on a PATH of its own, and file trees that stand in for a machine's."""

from collections.abc import Callable
from pathlib import Path

import pytest

MakeProgram = Callable[..., Path]
MakeTree = Callable[..., Path]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeProgram:
    """Write a shell script and put it on PATH, alone unless the script needs the system's programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(name: str, body: str, *, mode: int = 0o755, system: bool = False) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(mode)
        if system:
            monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return path

    return make


@pytest.fixture
def tree(tmp_path: Path) -> MakeTree:
    """Write a root folder: texts become files, None a character device (a link to /dev/null), `->x` a link."""
    root = tmp_path / "root"

    def make(entries: dict[str, str | None] | None = None) -> Path:
        for name, text in {"proc/version": "Linux", **(entries or {})}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.symlink_to("/dev/null")
            elif text.startswith("->"):
                path.symlink_to(text[2:])
            else:
                path.write_text(text, encoding="utf-8")
        return root

    return make
