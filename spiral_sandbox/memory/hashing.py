"""Embedding of texts by feature hashing: no model, no download, the same bytes every time.

The features of a text are its words, its pairs of neighbouring words, and the character trigrams of each
word between `<` and `>`. The CRC-32 of a feature chooses a dimension (remainder) and a sign (highest bit);
the signs are summed and the vector is scaled to length 1. See Weinberger et al., "Feature Hashing for Large
Scale Multitask Learning", ICML 2009. It is lexical: it knows nothing about meaning.
"""

import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from zlib import crc32

import numpy as np

from spiral_sandbox.memory.embedding import Embedding, Vectors
from spiral_sandbox.memory.errors import InvalidRequestError

DIMS = 128
"""Length of an embedding."""

_ROWS_AT_ONCE = 1000
_LONGEST_REMEMBERED = 64
"""Characters of a word whose features are remembered: callers choose the words, and 65,536 long ones are gigabytes."""
_TOKEN = re.compile(r"\w+|[^\w\s]+")


def embed(texts: Sequence[str]) -> Vectors:
    """The embeddings of the texts, shape `(len(texts), DIMS)`.

    Raises InvalidRequestError for a text without any feature (blank), or whose features cancel out.
    """
    blocks = [_embed_block(texts[at : at + _ROWS_AT_ONCE]) for at in range(0, len(texts), _ROWS_AT_ONCE)]
    return np.concatenate(blocks) if blocks else np.empty((0, DIMS), dtype="<f4")


def _embed_block(texts: Sequence[str]) -> Vectors:
    # A negative feature is counted DIMS columns to the right, so one count of integers takes in both signs.
    places = [list(_places(text)) for text in texts]
    row = np.repeat(np.arange(len(texts)), [len(of_text) for of_text in places])
    column = np.fromiter(itertools.chain.from_iterable(places), dtype=np.int64, count=len(row))
    counts = np.bincount(row * (2 * DIMS) + column, minlength=len(texts) * 2 * DIMS).reshape(len(texts), 2 * DIMS)
    sums = counts[:, :DIMS] - counts[:, DIMS:]
    # Whole numbers up to here: the only roundings are one root, one division and one narrowing.
    lengths = np.sqrt((sums * sums).sum(axis=1))
    if not lengths.all():
        raise InvalidRequestError(f"The text {texts[int(lengths.argmin())]!r} has no features to embed.")
    vectors: Vectors = (sums / lengths[:, None]).astype("<f4")
    return vectors


def _places(text: str) -> Iterator[int]:
    words = _TOKEN.findall(text.casefold())
    for word in words:
        yield from (_remembered_places if len(word) <= _LONGEST_REMEMBERED else _places_of_word)(word)
    for first, second in itertools.pairwise(words):
        yield _place(f"{first} {second}")


def _places_of_word(word: str) -> tuple[int, ...]:
    framed = f"<{word}>"
    trigrams = (framed[at : at + 3] for at in range(len(framed) - 2))
    return (_place(word), *map(_place, trigrams))


_remembered_places = functools.lru_cache(maxsize=1 << 16)(_places_of_word)


def _place(feature: str) -> int:
    number = crc32(feature.encode())
    return number % DIMS + DIMS * (number >> 31)


HASHING = Embedding("hashing", DIMS, embed)
"""The embedding that a memory has unless its operator chooses another."""
