"""Ledgers in files and in git, and the entries of small runs."""

import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_spiral.ledger.book import Book
from pytest_spiral.ledger.gitref import GitLedger, parse_place
from pytest_spiral.model.entry import AttemptCollected, AttemptOpened, AttemptSealed, RegisteredBar
from pytest_spiral.rules.canonical import digest

BEGAN = 1_795_339_800_000_000
DIGEST = digest(b"anything")


class Entries:
    """Entries of runs that are told apart by a number."""

    @staticmethod
    def opened(number: int = 0, **fields) -> AttemptOpened:
        known = {
            "run": f"run-{number}", "nonce": f"{number:032x}", "plan": DIGEST, "bundle": DIGEST,
            "deadline": BEGAN + 1_000_000, "criteria": {"S1.works": RegisteredBar(bar=DIGEST)}, "target": "sandbox",
        }  # fmt: skip
        return AttemptOpened(**{**known, **fields})

    @staticmethod
    def collected(number: int = 0, **fields) -> AttemptCollected:
        return AttemptCollected(nonce=f"{number:032x}", inventory=DIGEST, **fields)

    @staticmethod
    def sealed(number: int = 0, word: str = "pass", **fields) -> AttemptSealed:
        return AttemptSealed(
            nonce=f"{number:032x}", manifest=DIGEST, verdicts={"S1.works": word}, runs={"S1.works": (word,)}, **fields
        )

    def run(self, number: int = 0, word: str = "pass") -> tuple[AttemptOpened, AttemptCollected, AttemptSealed]:
        return self.opened(number), self.collected(number), self.sealed(number, word)


@pytest.fixture
def entries() -> Entries:
    return Entries()


@pytest.fixture
def wall() -> Callable[[], int]:
    """A clock that moves by a microsecond with each look."""
    return itertools.count(BEGAN).__next__


@pytest.fixture
def book(tmp_path: Path, wall: Callable[[], int]) -> Book:
    return Book(tmp_path / "reports" / "ledger.jsonl", wall)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where `book` keeps its entries."""
    return tmp_path / "reports" / "ledger.jsonl"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Clones:
    """A bare repository, and clones of it with a commit and a changed file each."""

    def __init__(self, folder: Path, wall: Callable[[], int]) -> None:
        self.folder = folder
        self.wall = wall
        self.remote = folder / "remote.git"
        subprocess.run(["git", "init", "-q", "--bare", self.remote], check=True)

    def clone(self, name: str) -> Path:
        clone = self.folder / name
        subprocess.run(["git", "init", "-q", clone], check=True)
        git(clone, "remote", "add", "origin", str(self.remote))
        (clone / "code.py").write_text("x = 1\n")
        git(clone, "add", "code.py")
        git(clone, "-c", "user.name=a", "-c", "user.email=a@b.invalid", "commit", "-qm", "code")
        (clone / "code.py").write_text("x = 2\n")
        (clone / "new.py").write_text("y = 1\n")
        git(clone, "add", "new.py")
        return clone

    def ledger(self, clone: Path, place: str = "git:origin:refs/spiral/ledger") -> GitLedger:
        return GitLedger(clone, parse_place(place), self.wall)


@pytest.fixture
def clones(tmp_path: Path, wall: Callable[[], int]) -> Clones:
    return Clones(tmp_path, wall)


@pytest.fixture
def run_git() -> Callable[..., str]:
    return git
