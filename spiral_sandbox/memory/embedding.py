"""What an embedding is, and which there are. The module of one is imported when it is first chosen.

`hashing` is the default. `minilm` compares meanings, and needs the optional extra `semantic`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from spiral_sandbox.memory.errors import InvalidRequestError

EmbeddingName = Literal["hashing", "minilm"]
"""The embeddings that an operator can choose from."""

DEFAULT: EmbeddingName = "hashing"
"""What a new store is made by unless the operator says otherwise."""

Vectors = npt.NDArray[np.float32]
"""One embedding per row, little-endian float32, each of length 1."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """A way to turn texts into vectors: its name, how long a vector is, and the work itself.

    `embed` gives an array of shape `(len(texts), dims)`. Many threads may call it at once. It raises
    InvalidRequestError for a text that it can make nothing of.
    """

    name: str
    dims: int
    embed: Callable[[Sequence[str]], Vectors]


def embedding_of(name: str) -> Embedding:
    """The embedding of this name, ready for work.

    Raises InvalidRequestError for a name that is not known, and where a module that the embedding needs is missing.
    """
    if name not in EMBEDDINGS:
        raise InvalidRequestError(f"There is no embedding {name!r}; there are {', '.join(EMBEDDINGS)}.")
    return EMBEDDINGS[name]()


def _hashing() -> Embedding:
    from spiral_sandbox.memory.hashing import HASHING

    return HASHING


def _minilm() -> Embedding:
    from spiral_sandbox.memory.semantic import minilm

    return minilm()


EMBEDDINGS: Mapping[str, Callable[[], Embedding]] = {"hashing": _hashing, "minilm": _minilm}
"""Name → what loads it: once, if that takes long."""
