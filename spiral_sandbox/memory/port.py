"""What a memory can do: the values that cross its edge, and the port behind both transports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from spiral_sandbox.memory.audit import AuditRow
from spiral_sandbox.memory.embedding import EmbeddingName

Index = Literal["exact", "ivf-sq8"]
"""How the nearest are found: by looking at all of them, or at those that an approximate index names."""


class NewItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text to store, under an id of the caller's or, without one, of the store's."""

    text: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One text found: its cosine similarity as a float32 value, and its embedding."""

    text: str
    score: float
    embedding: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class StoredItem:
    """One item as the store has it now; the digest is computed from what is stored, not kept beside it."""

    id: str
    sequence: int
    shard: int
    text: str
    digest: str
    embedding: bytes


@dataclass(frozen=True, slots=True)
class Status:
    """How much is stored, and how: items in each shard, what made the vectors and how long, the corpus's seed."""

    items: int
    shards: tuple[int, ...]
    embedding: str
    dims: int
    seed: int


class Memory(Protocol):
    """The port behind REST, gRPC and the control channel; every method may block."""

    def configure(
        self,
        items: int | None,
        shards: int | None,
        index: Index | None = None,
        embedding: EmbeddingName | None = None,
    ) -> None:
        """Choose how many items `initialise` loads; shards and embedding, while nothing is stored; how to search.

        With another index than `exact`, the next `initialise` builds it over all that is stored.
        """
        ...

    def initialise(self) -> str:
        """Load what is missing of the corpus, and say in a sentence what is stored now.

        Items that others added before are left as they are; so is a corpus that is there already.
        """
        ...

    def search(self, text: str, top_n: int) -> list[Hit]:
        """The nearest stored texts, best first, ties in the order of their ids."""
        ...

    def add(self, items: Sequence[NewItem]) -> int:
        """Store the items, all or none, and return how many are stored now."""
        ...

    def status(self) -> Status:
        """How much is stored, and how."""
        ...

    def audit(self, after: int, limit: int) -> list[AuditRow]:
        """Rows of the audit chain that follow a sequence number."""
        ...

    def items(self, after: str, limit: int) -> list[StoredItem]:
        """Stored items that follow an id, in the order of their ids."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...
