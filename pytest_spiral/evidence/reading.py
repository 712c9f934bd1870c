"""What every part of reading a bundle needs: where, how much, and whom to tell."""

from collections.abc import Collection
from dataclasses import dataclass

from pytest_spiral.evidence.findings import Note
from pytest_spiral.evidence.folder import Folder
from pytest_spiral.rules.integrity import Limits


@dataclass(frozen=True, slots=True)
class Reading:
    """An opened bundle, its regular files, the limits to hold, and where findings go."""

    folder: Folder
    present: Collection[str]
    limits: Limits
    note: Note
