"""A stand-in for the fabric: a canned list that answers everything and keeps nothing.

It is here to be found out. Its status grows, its audit chain verifies, its answers look right; only an item
that was just added is in none of them.
"""

from collections.abc import Sequence

import numpy as np

from spiral_sandbox.memory.audit import BEFORE_THE_FIRST, AuditRow, audit_row, item_digest
from spiral_sandbox.memory.corpus import corpus
from spiral_sandbox.memory.embedding import EmbeddingName
from spiral_sandbox.memory.fabric import ITEMS, SHARDS
from spiral_sandbox.memory.hashing import HASHING
from spiral_sandbox.memory.port import Hit, Index, NewItem, Status, StoredItem

_CANNED = 50


class Stub:
    """A memory that only pretends; it has the methods of `Memory` and keeps none of their promises."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._corpus_items = ITEMS
        self._shards = SHARDS
        self._count = 0
        self._stored = [
            _item(sequence, text, vector.tobytes()) for sequence, (text, vector) in enumerate(_canned(seed), start=1)
        ]

    def configure(
        self,
        items: int | None,
        shards: int | None,
        index: Index | None = None,
        embedding: EmbeddingName | None = None,
    ) -> None:
        """Remember the numbers, to repeat them."""
        del index, embedding
        self._corpus_items = self._corpus_items if items is None else items
        self._shards = self._shards if shards is None else shards

    def initialise(self) -> str:
        """Say what an honest memory would say."""
        self._count = self._count or self._corpus_items
        return f"{self._count} items in {self._shards} shards"

    def search(self, text: str, top_n: int) -> list[Hit]:
        """The same texts with the same scores, whatever was asked."""
        del text
        return [
            Hit(item.text, float(np.float32(0.99 - 0.01 * place)), _floats(item.embedding))
            for place, item in enumerate(self._stored[:top_n])
        ]

    def add(self, items: Sequence[NewItem]) -> int:
        """Count the items and forget them."""
        self._count += len(items)
        return self._count

    def status(self) -> Status:
        """Numbers that add up."""
        sizes = tuple(len(range(shard, self._count, self._shards)) for shard in range(self._shards))
        name, dims = HASHING.name, HASHING.dims
        return Status(items=self._count, shards=sizes, embedding=name, dims=dims, seed=self._seed)

    def audit(self, after: int, limit: int) -> list[AuditRow]:
        """A chain over the canned items that verifies."""
        rows: list[AuditRow] = []
        for item in self._stored:
            previous = rows[-1].digest if rows else BEFORE_THE_FIRST
            rows.append(audit_row(item.sequence, item.id, item.digest, previous))
        return [row for row in rows if row.sequence > after][:limit]

    def items(self, after: str, limit: int) -> list[StoredItem]:
        """The canned items."""
        return [item for item in self._stored if item.id > after][:limit]

    def close(self) -> None:
        """Nothing is held."""


def _canned(seed: int) -> list[tuple[str, "np.ndarray[tuple[int, ...], np.dtype[np.float32]]"]]:
    canned = corpus(seed, _CANNED)
    return list(zip(canned, HASHING.embed(canned), strict=True))


def _item(sequence: int, text: str, embedding: bytes) -> StoredItem:
    name = f"item-{sequence:08d}"
    return StoredItem(name, sequence, sequence % SHARDS, text, item_digest(name, text, embedding), embedding)


def _floats(embedding: bytes) -> tuple[float, ...]:
    return tuple(np.frombuffer(embedding, dtype="<f4").tolist())
