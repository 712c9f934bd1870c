"""Uploads: streamed to disk within a limit, visible all at once or not at all."""

import hashlib
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from spiral_sandbox.connectors.refusal import Code, Refusal, unreadable
from spiral_sandbox.operator.call import FileStart, Part
from spiral_sandbox.operator.messages import check_file_name

MOST_BYTES = 8 << 20
"""Bytes of all files of one upload, unless the rig says otherwise."""

MOST_FILES = 64


@dataclass(frozen=True, slots=True)
class Taken:
    """One file as it lies on disk."""

    name: str
    size: int
    sha256: str

    def record(self) -> dict[str, Any]:
        """Its values as JSON."""
        return {"name": self.name, "bytes": self.size, "sha256": self.sha256}


class Intake:
    """One upload on its way in. Nothing of it is to be seen until `keep`, and nothing remains after `discard`."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.taken: list[Taken] = []
        self._folder = folder
        self._left = self._most = most_bytes
        self._open: IO[bytes] | None = None
        self._name = ""
        self._size = 0
        self._digest = hashlib.sha256()
        folder.mkdir(parents=True)

    def take(self, part: Part) -> None:
        """Take the next piece; raises `Refusal` for one that is out of order, ill-named or too much."""
        if isinstance(part, FileStart):
            self._start(part.name)
        elif isinstance(part, bytes):
            self._write(part)
        else:
            raise unreadable("an upload has one header, and it comes first")

    def finish(self) -> None:
        """The last piece was taken."""
        if self._open is not None:
            self._open.close()
            self.taken.append(Taken(self._name, self._size, self._digest.hexdigest()))
            self._open = None

    def keep(self, target: Path) -> None:
        """Move the files to where they are seen, all at once."""
        self._folder.rename(target)

    def discard(self) -> None:
        """Throw away what was not kept."""
        if self._open is not None:
            self._open.close()
            self._open = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, name: str) -> None:
        self.finish()
        check_file_name(name)
        if name in {one.name for one in self.taken}:
            raise unreadable("two files of an upload have the same name")
        if len(self.taken) == MOST_FILES:
            raise Refusal(Code.RESOURCE_EXHAUSTED, "too-many-files", f"an upload has at most {MOST_FILES} files")
        self._name, self._size, self._digest = name, 0, hashlib.sha256()
        self._open = (self._folder / name).open("xb")

    def _write(self, chunk: bytes) -> None:
        if self._open is None:
            raise unreadable("content comes before the start of its file")
        if len(chunk) > self._left:
            raise Refusal(Code.RESOURCE_EXHAUSTED, "too-large", f"an upload has at most {self._most} bytes")
        self._left -= len(chunk)
        self._size += len(chunk)
        self._digest.update(chunk)
        self._open.write(chunk)


class Uploads:
    """The folder of uploads: `incoming` for what is on its way, one folder a command for what has arrived."""

    def __init__(self, folder: Path) -> None:
        self.most_bytes = MOST_BYTES
        self._incoming = folder / "incoming"
        self._kept = folder / "uploads"
        for each in (self._incoming, self._kept):
            each.mkdir()

    def intake(self) -> Intake:
        """A new upload."""
        return Intake(self._incoming / uuid.uuid4().hex, self.most_bytes)

    def keep(self, intake: Intake, command_id: str) -> list[str]:
        """Keep an upload under a command's id; gives its files' paths, relative to the folder of uploads."""
        intake.keep(self._kept / command_id)
        return [f"{command_id}/{one.name}" for one in intake.taken]

    def report(self) -> dict[str, Any]:
        """What lies on disk now: kept files with their sizes, and how many uploads are still on their way."""
        files = sorted(path for path in self._kept.rglob("*") if path.is_file())
        listed = [{"path": str(path.relative_to(self._kept)), "bytes": path.stat().st_size} for path in files]
        return {"files": listed, "incoming": len(list(self._incoming.iterdir()))}
