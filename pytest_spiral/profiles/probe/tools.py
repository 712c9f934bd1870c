"""Programs on PATH: there, executable, and able to say which version they are."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_spiral.model.profile import Fact
from pytest_spiral.profiles.probe.findings import absent, present, unknown
from pytest_spiral.profiles.probe.sources import Answer, ask


@dataclass(frozen=True, slots=True)
class _Question:
    """How a program is asked for its version, and how it ends and what it says where it does not end with 0."""

    arguments: tuple[str, ...] = ("--version",)
    status: int = 0
    says: str = ""


# Programs that do not take `--version`, or do not end with 0 after it; from their manual pages and sources.
_QUESTIONS: Final = {
    "ffmpeg": _Question(("-version",)),
    "ffplay": _Question(("-version",)),
    "ffprobe": _Question(("-version",)),
    "go": _Question(("version",)),
    "helm": _Question(("version", "--short")),
    "jackd": _Question(("--version",), 255, "version"),
    "java": _Question(("-version",)),
    "kubectl": _Question(("version", "--client")),
    "openssl": _Question(("version",)),
    "ssh": _Question(("-V",)),
    "ssh-keygen": _Question(("-?",), 1, "usage: ssh-keygen"),  # it has no version to tell, only its usage
    "tmux": _Question(("-V",)),
    "unzip": _Question(("-v",)),
    "zip": _Question(("-v",)),
}
_VERSION: Final = re.compile(r"[0-9]+(?:\.[0-9]+)+[0-9A-Za-z.+~_-]*")


def tool(name: str) -> Fact:
    """Find a program on PATH and make it say its version; the value is that, or True where it tells none.

    A program that cannot be started, hangs, ends with an error or prints nothing is there without being proven
    to work: unknown.
    """
    fact = f"tool.{name}"
    path = shutil.which(name)
    if path is None:
        return absent(fact, _not_found(name), command=f"which {name}")
    question = _QUESTIONS.get(name, _Question())
    answer = ask(name, *question.arguments)
    if not _is_proof(answer, question):
        return unknown(fact, f"{answer.told}\n{path}", command=answer.command)
    return present(fact, _version(answer) or True, evidence=f"{answer.raw}\n{path}", command=answer.command)


def _is_proof(answer: Answer, question: _Question) -> bool:
    if answer.status == 0:
        return bool(answer.raw)
    return answer.status is not None and answer.status == question.status and question.says in answer.raw


def _version(answer: Answer) -> str:
    """Read the version from the first line: further lines name libraries and compilers with theirs."""
    text = answer.output if answer.output.strip() else answer.errors
    first = text.strip().splitlines()[0]
    found = _VERSION.search(first)
    return found.group().rstrip(".+~_-") if found else ""


def _not_found(name: str) -> str:
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    dead = [str(folder / name) for folder in folders if (folder / name).is_file()]
    if dead:
        return f"not executable: {', '.join(dead)}"
    return f"no {name} in the {len(folders)} folders of PATH"
