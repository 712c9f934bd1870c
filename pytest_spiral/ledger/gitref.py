"""A ledger under a git ref, here or on a remote: append, push, on rejection fetch and append again.

Each append is a commit on the one before; its tree has one file for each 256 entries. Plumbing commands only: neither
the work tree nor the index is looked at or touched, no hook runs, no branch or tag can be named.
"""

import re
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from pytest_spiral.errors import EvidenceError, UntrustedError, UseError
from pytest_spiral.ledger.store import Wall, compose, find_entry
from pytest_spiral.model.base import Value
from pytest_spiral.model.entry import Entry
from pytest_spiral.rules.entries import lines_of
from pytest_spiral.rules.integrity import shown

PER_FILE: Final = 256
PREFIX: Final = "git:"

_REF: Final = re.compile(r"refs/(?!heads/|tags/|remotes/)[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)*")
_TRIES: Final = 200
_STILL: Final = 5  # refusals in a row without anybody else having written, before we give up
_TIMEOUT_S: Final = 120.0
_QUIET: Final = (
    "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
    "-c", "user.name=pytest-spiral", "-c", "user.email=ledger@pytest-spiral.invalid",
)  # fmt: skip


class GitPlace(NamedTuple):
    """A ref, and the remote that it is on (empty: this repository)."""

    remote: str
    ref: str


def parse_place(text: str) -> GitPlace:
    """Read `git:refs/…` or `git:REMOTE:refs/…`; raises UseError for anything else, a branch or a tag among it."""
    remote, found, rest = text.removeprefix(PREFIX).rpartition(":refs/")
    ref = f"refs/{rest}" if found else text.removeprefix(PREFIX)
    if not text.startswith(PREFIX) or not _REF.fullmatch(ref) or remote.startswith("-") or (found and not remote):
        raise UseError(
            f"{text!r} names no ledger in git. Remedy: write git:refs/spiral/ledger, or git:origin:refs/spiral/ledger; "
            "branches and tags are for code."
        )
    return GitPlace(remote, ref)


class GitLedger:
    """A ledger under a ref. Appending is done when the ref has moved, on the remote where one is named."""

    def __init__(self, repository: Path, place: GitPlace, wall: Wall) -> None:
        self._repository = repository
        self._place = place
        self._wall = wall

    @property
    def name(self) -> str:
        """As it is written on the command line."""
        return PREFIX + ":".join(part for part in self._place if part)

    def append(self, *records: Value) -> tuple[Entry, ...]:
        """Append records in one commit; a record that is there already is not written again.

        Raises EvidenceError where git refuses, UntrustedError where the ledger cannot be read.
        """
        refused, before = 0, ""
        for _ in range(_TRIES):
            tip = self._tip()
            refused = refused + 1 if tip == before else 0
            files = self._files(tip)
            data = b"".join(files.values())
            lines = lines_of(data)
            _check_whole(lines)
            written = compose(lines[-1] if lines else None, records, partial(find_entry, data), self._wall)
            if not written.data:
                return written.entries
            problem = self._publish(tip, self._commit(tip, files, lines_of(written.data)))
            if not problem:
                return written.entries
            if refused >= _STILL:
                raise self._trouble(problem)
            before = tip
        raise self._trouble(f"{_TRIES} times somebody else was faster")

    def lines(self) -> Iterator[bytes]:
        """The raw lines as they are now; nothing where there is no such ref yet."""
        for data in self._files(self._tip()).values():
            yield from lines_of(data)

    def _tip(self) -> str:
        """The commit that the ref is at, with its objects here; empty where there is none."""
        remote, ref = self._place
        if not remote:
            done = self._try("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
            return done.stdout.decode().strip() if done.returncode == 0 else self._known_absent()
        listed = self._git("ls-remote", "--quiet", remote, ref).decode().split()
        tip = listed[0] if listed else ""
        if tip and self._try("cat-file", "-e", f"{tip}^{{tree}}").returncode != 0:
            self._git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", remote, ref)
        return tip

    def _known_absent(self) -> str:
        """Nothing, once it is sure that this is a repository."""
        self._git("rev-parse", "--git-dir")
        return ""

    def _files(self, tip: str) -> dict[str, bytes]:
        """The ledger's files in order; empty where there is no commit."""
        if not tip:
            return {}
        listed = [row.partition("\t") for row in self._git("ls-tree", tip).decode().splitlines()]
        blobs = {name: fields.split()[2] for fields, _, name in listed}
        if list(blobs) != [_file_name(number) for number in range(len(blobs))]:
            raise UntrustedError("ledger-start", f"{self.name} holds something else than a ledger.")
        output = self._git("cat-file", "--batch", data="".join(f"{blob}\n" for blob in blobs.values()).encode())
        found, at = {}, 0
        for name in blobs:
            head, end = output[at:].split(b"\n", 1)[0], output.index(b"\n", at) + 1
            size = int(head.split()[2])
            found[name], at = output[end : end + size], end + size + 1
        return found

    def _commit(self, tip: str, files: dict[str, bytes], lines: list[bytes]) -> str:
        """A commit with these lines appended."""
        held = dict(files)
        count = sum(data.count(b"\n") for data in files.values())
        touched = set()
        for number, line in enumerate(lines, start=count):
            name = _file_name(number // PER_FILE)
            held[name] = held.get(name, b"") + line
            touched.add(name)
        blobs = {name: self._git("hash-object", "-w", "--stdin", data=held[name]).decode().strip() for name in touched}
        old = self._git("ls-tree", tip).decode().splitlines() if tip else []
        rows = [row for row in old if row.partition("\t")[2] not in touched]
        rows += [f"100644 blob {blob}\t{name}" for name, blob in blobs.items()]
        tree = self._git("mktree", data="".join(f"{row}\n" for row in rows).encode()).decode().strip()
        parents = ("-p", tip) if tip else ()
        return self._git("commit-tree", tree, *parents, "-m", "ledger").decode().strip()

    def _publish(self, tip: str, commit: str) -> str:
        """Move the ref from the tip to the commit; gives why that was refused, empty where it was not."""
        remote, ref = self._place
        if remote:
            done = self._try("push", "--quiet", "--no-verify", "--no-recurse-submodules", remote, f"{commit}:{ref}")
        else:
            done = self._try("update-ref", "--no-deref", ref, commit, tip or "0" * len(commit))
        return "" if done.returncode == 0 else _said(done) or f"git ends with status {done.returncode}"

    def _git(self, *arguments: str, data: bytes = b"") -> bytes:
        done = self._try(*arguments, data=data)
        if done.returncode != 0:
            raise self._trouble(_said(done) or f"git {arguments[0]} ends with status {done.returncode}")
        return done.stdout

    def _try(self, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", "-C", str(self._repository), *_QUIET, *arguments],
                input=data,
                capture_output=True,
                check=False,
                timeout=_TIMEOUT_S,
                start_new_session=True,  # away from the terminal: git must fail, and not ask for a password
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise self._trouble(f"git does not answer ({type(problem).__name__})") from problem

    def _trouble(self, why: str) -> EvidenceError:
        return EvidenceError(f"the ledger {self.name} cannot be used: {shown(why)}.")


def _file_name(number: int) -> str:
    return f"{number:08}.jsonl"


def _check_whole(lines: list[bytes]) -> None:
    if lines and not lines[-1].endswith(b"\n"):
        raise UntrustedError("ledger-torn", "its last line is cut off, which no commit of ours is.")


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    """The line in which git says what is wrong."""
    lines = [line.strip() for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "!", "remote:"))]
    return next(iter(telling or lines), "").rstrip(".")
