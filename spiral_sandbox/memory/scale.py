"""An index for many items: inverted lists of 8-bit codes (faiss IVF-SQ8), derived from the store and kept in memory.

It names candidates; the store's own vectors rank them. So it can leave an item out, and never gives a wrong score.
faiss is the optional extra `scale`. Names: faiss wiki, "Faiss indexes"; Jégou et al., "Product Quantization for
Nearest Neighbor Search", IEEE TPAMI 2011.
"""

import math
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spiral_sandbox.memory.embedding import Vectors
from spiral_sandbox.memory.errors import InvalidRequestError

Keys = npt.NDArray[np.int64]
"""One key per vector, the caller's own."""

_SAMPLES_EACH = 64
_MOST_PROBED = 333
_CANDIDATES_EACH = 4
_FEWEST = 5000


@dataclass(frozen=True, slots=True)
class Batch:
    """Vectors with their keys."""

    keys: Keys
    vectors: Vectors


class ScaleIndex:
    """Candidates for a search among many vectors; safe for many threads. One thread computes for one search."""

    def __init__(self, index: Any) -> None:
        self._index = index
        self._lock = threading.Lock()

    def add(self, batch: Batch) -> None:
        """Take in vectors whose keys are new."""
        with self._lock:
            self._index.add_with_ids(np.ascontiguousarray(batch.vectors, dtype=np.float32), batch.keys)

    def candidates(self, vector: Vectors, count: int) -> list[int]:
        """The keys of the vectors that are most likely the nearest, several times as many as asked for."""
        with self._lock:
            _, keys = self._index.search(vector.reshape(1, -1), count * _CANDIDATES_EACH)
        return [int(key) for key in keys[0] if key >= 0]


def build_index(sample: Iterable[Batch], batches: Iterable[Batch], count: int) -> ScaleIndex:
    """An index of `count` vectors, its lists trained on a sample of them and filled batch by batch.

    Raises InvalidRequestError where faiss is not installed, or where there are too few vectors for lists.
    """
    if count < _FEWEST:
        raise InvalidRequestError(f"An index needs at least {_FEWEST} items, and {count} are stored.")
    try:
        import faiss
    except ImportError as error:
        text = "There is no faiss here, so there is no index. Remedy: pip install 'pytest-spiral[scale]'."
        raise InvalidRequestError(text) from error
    faiss.omp_set_num_threads(1)
    lists = lists_for(count)
    inner = faiss.METRIC_INNER_PRODUCT  # vectors have length 1: this is the cosine
    training = np.concatenate([batch.vectors for batch in sample])
    dims = training.shape[1]
    coarse = faiss.IndexFlatIP(dims)
    index = faiss.IndexIVFScalarQuantizer(coarse, dims, lists, faiss.ScalarQuantizer.QT_8bit, inner)
    # Hashed words do not gather as learnt meanings do: 62 of 1,000 lists find 83 % of what is near, 250 find 96 %.
    index.nprobe = min(_MOST_PROBED, lists * 3 // 4)
    index.train(training)
    made = ScaleIndex(index)
    for batch in batches:
        made.add(batch)
    return made


def lists_for(count: int) -> int:
    """How many inverted lists: the root of the number of vectors, as many lists as a list has vectors."""
    return math.isqrt(count)


def sample_of(batches: Iterable[Batch], count: int) -> Iterator[Batch]:
    """Every n-th of `count` vectors: some for each list, spread over all."""
    step = max(1, count // (_SAMPLES_EACH * lists_for(count)))
    for batch in batches:
        yield Batch(batch.keys[::step], batch.vectors[::step])
