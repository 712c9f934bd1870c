"""The memory fabric itself: embeds texts, keeps them in the store, finds them again."""

import itertools
import threading
from collections.abc import Sequence
from pathlib import Path

from spiral_sandbox.memory.audit import AuditRow
from spiral_sandbox.memory.corpus import texts
from spiral_sandbox.memory.disturbance import Disturbance
from spiral_sandbox.memory.embedding import EmbeddingName
from spiral_sandbox.memory.port import Hit, Index, NewItem, Status, StoredItem
from spiral_sandbox.memory.scale import Batch, ScaleIndex, build_index, sample_of
from spiral_sandbox.memory.store import Store, newest_of

ITEMS = 10_000
"""How many items the corpus has unless the operator says otherwise."""

SHARDS = 4
"""How many shards a new store has unless the operator says otherwise."""

_BATCH = 1000


class Fabric:
    """The real memory; see `Memory` for what each method promises."""

    def __init__(self, folder: Path, seed: int, disturbance: Disturbance) -> None:
        self._seed = seed
        self._disturbance = disturbance
        self._corpus_items = ITEMS
        self._store = Store(folder / "memory.sqlite", SHARDS, disturbance)
        self._initialising = threading.Lock()
        self._wanted: Index = "exact"
        self._index: ScaleIndex | None = None
        self._indexed = 0
        self._indexing = threading.Lock()
        self._choosing = threading.Lock()

    def configure(
        self,
        items: int | None,
        shards: int | None,
        index: Index | None = None,
        embedding: EmbeddingName | None = None,
    ) -> None:
        """See Memory; InvalidRequestError when shards or embedding cannot be changed any more, or not be had."""
        self._store.lay_out(shards, embedding)
        if items is not None:
            self._corpus_items = items
        if index is not None:
            with self._choosing:
                self._wanted, self._index = index, None

    def initialise(self) -> str:
        """See Memory; a second caller waits for the first and then finds the corpus loaded."""
        with self._initialising:
            self._load_missing()
            if self._wanted != "exact" and self._index is None:
                self._build_index()
            sizes = self._store.sizes()
        return f"{sum(sizes)} items in {len(sizes)} shards"

    def search(self, text: str, top_n: int) -> list[Hit]:
        """See Memory."""
        self._disturbance.before_search()
        made_by, index = self._store.embedding, self._index
        vector = made_by.embed([text])[0]
        if index is None or not self._disturbance.uses_index():
            return self._store.nearest(vector.tobytes(), made_by, top_n)
        return self._store.ranked(index.candidates(vector, top_n), vector.tobytes(), top_n)

    def add(self, items: Sequence[NewItem]) -> int:
        """See Memory; InvalidRequestError when an id is taken."""
        self._ingest(items)
        self._follow()
        return sum(self._store.sizes())

    def status(self) -> Status:
        """See Memory."""
        laid_out, sizes = self._store.counted()
        name, dims = laid_out.embedding, laid_out.dims
        return Status(items=sum(sizes), shards=sizes, embedding=name, dims=dims, seed=self._seed)

    def audit(self, after: int, limit: int) -> list[AuditRow]:
        """See Memory."""
        return self._store.audit(after, limit)

    def items(self, after: str, limit: int) -> list[StoredItem]:
        """See Memory."""
        return self._store.items(after, limit)

    def close(self) -> None:
        """See Memory."""
        self._store.close()

    def _ingest(self, items: Sequence[NewItem], *, of_corpus: bool = False) -> None:
        embedding = self._store.embedding
        self._store.ingest(items, embedding.embed([item.text for item in items]), embedding, of_corpus=of_corpus)

    def _build_index(self) -> None:
        with self._indexing:
            self._indexed, count = 0, sum(self._store.sizes())
            sample = sample_of(self._store.vectors(), count)
            made = build_index(sample, map(self._noted, self._store.vectors()), count)
            with self._choosing:  # building takes long, and another choice may have been made
                self._index = None if self._wanted == "exact" else made

    def _follow(self) -> None:
        """Take into the index what was stored since: an item is found as soon as it is there."""
        with self._indexing:
            if self._index is not None:
                self._index.add(self._noted(self._store.vectors_after(self._indexed)))

    def _noted(self, batch: Batch) -> Batch:
        """The batch, once the newest item of it is known to be in the index: none is taken in twice."""
        self._indexed = max(self._indexed, newest_of(batch))
        return batch

    def _load_missing(self) -> None:
        loaded = self._store.loaded()
        if loaded >= self._corpus_items:
            return  # the texts need not be drawn again to find that none is missing
        numbered = enumerate(itertools.islice(texts(self._seed), self._corpus_items), start=1)
        missing = itertools.islice(numbered, loaded, None)
        while batch := [NewItem(text, id=f"corpus-{number:08d}") for number, text in itertools.islice(missing, _BATCH)]:
            self._ingest(batch, of_corpus=True)
        self._store.settle()
