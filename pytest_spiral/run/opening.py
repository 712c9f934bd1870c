"""What a bundle says of its own making, gathered once at the start."""

import hashlib
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytest_spiral.errors import UseError
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.integrity import shown

_HEADER = re.compile(r"^(Name|Version):[ \t]*(.*?)[ \t\r]*$", re.MULTILINE)
_GIT_TIMEOUT_S = 5.0
_NAMED = 3


def packages() -> dict[str, str]:
    """Installed distributions, name → version, sorted by name; of two with one name the one that is imported."""
    from importlib.metadata import distributions  # brings a mail parser with it, and nobody else needs it

    found: dict[str, str] = {}
    for one in distributions():
        # Its own parser reads all of the metadata as a mail, which takes ten times as long.
        text = one.read_text("METADATA") or one.read_text("PKG-INFO") or ""
        said = dict(_HEADER.findall(text.partition("\n\n")[0]))
        if "Name" in said and "Version" in said:
            found.setdefault(said["Name"], said["Version"])
    return dict(sorted(found.items(), key=lambda pair: pair[0].lower()))


def git_state(root: Path) -> dict[str, Any]:
    """Commit, its time (seconds since 1970), and whether the tree is dirty; `why` where git does not say."""
    try:
        commit, stamp = _git(root, "log", "-1", "--format=%H %ct").split()
        changes = _git(root, "status", "--porcelain", "--untracked-files=normal")
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return {"why": f"git does not say: {type(error).__name__}"}
    return {"commit": commit, "committed": int(stamp), "dirty": bool(changes.strip())}


def release_commit(root: Path, aside: Iterable[str]) -> str:
    """The commit that a release run is about; raises UseError where the tree is not exactly that commit.

    `aside` are paths relative to `root` that runs write, and that are not looked at.
    """
    try:
        commit = _git(root, "rev-parse", "--verify", "HEAD").strip()
        away = [f":(exclude){path}" for path in aside]
        changes = _git(root, "status", "--porcelain", "--untracked-files=normal", "--", ".", *away).splitlines()
    except (OSError, subprocess.SubprocessError) as error:
        raise UseError(
            f"--spiral-release needs to know what it is about, and git does not say ({type(error).__name__}). "
            "Remedy: run it in a git repository with at least one commit."
        ) from error
    if changes:
        named = ", ".join(shown(line[3:], 60) for line in changes[:_NAMED])
        more = f" and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
        raise UseError(
            f"--spiral-release is about one commit, and the tree has changes beside it: {named}{more}. "
            "Remedy: commit them, or have git ignore what is not part of it."
        )
    return commit


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, check=True, timeout=_GIT_TIMEOUT_S, text=True
    )
    return done.stdout


def code_digests(root: Path, package: Path) -> dict[str, str]:
    """Digest of this plugin's source files, and of the root folder's conftest.py where there is one."""
    whole = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        whole.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    digests = {"pytest_spiral": f"sha256:{whole.hexdigest()}"}
    conftest = root / "conftest.py"
    if conftest.is_file():
        digests["conftest.py"] = digest(conftest.read_bytes())
    return digests
