"""What the tests of Stage B share: the memory loaded with its corpus, and calls in the words of the contract."""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_spiral.model.exchange import Request

PAGE = 5000


@dataclass(frozen=True)
class Corpus:
    """The stored items as the service exports them, and the number that it says it holds."""

    said: int
    shards: int
    rows: list[dict[str, Any]]

    def query(self, number: int) -> str:
        """The text of the n-th query: an item's own text, far enough from its neighbours in the list."""
        return str(self.rows[(number * 7919) % len(self.rows)]["text"])

    def digest(self, row: dict[str, Any]) -> str:
        """What the audit must say of an item, from its exported content."""
        content = (str(row["id"]).encode(), str(row["text"]).encode(), base64.b64decode(row["embedding"]))
        return hashlib.sha256(b"\0".join(content)).hexdigest()


def ask(transport: Any, operation: str, **payload: Any) -> dict[str, Any]:
    """Call an operation of the contract and give its payload; an answer that is no success raises."""
    reply: dict[str, Any] = transport.exchange(Request(operation=operation, payload=payload, deadline_s=10.0)).payload
    return reply


def pages(transport: Any, operation: str, start: Any, position: str, **fields: Any) -> list[dict[str, Any]]:
    """All rows of a paged operation, `position` being the row's field that the next page starts after."""
    rows: list[dict[str, Any]] = []
    while page := ask(transport, operation, after=start, limit=PAGE, **fields)["rows"]:
        rows += page
        start = page[-1][position]
    return rows


def load(memory: Any, items: int, shards: int) -> Corpus:
    """Load the seeded corpus into a memory component and export what it then holds."""
    memory.ask("configure", items=items, shards=shards)
    message = ask(memory.transport("grpc"), "vector_init")["message"]
    said = re.match(r"(\d+) items in (\d+) shards?", message)
    assert said, f"the service does not say what it holds: {message!r}"
    rows = pages(memory.transport("rest"), "vector_items", "", "id", embeddings=1)
    return Corpus(int(said[1]), int(said[2]), rows)


@pytest.fixture
def corpus(spiral: Any) -> Corpus:
    """The memory under test, loaded with the seeded corpus in four shards (once; loading again changes nothing)."""
    return load(spiral.target.memory, spiral.items, 4)


@pytest.fixture
def contract() -> Any:
    """Calls in the contract's words: `contract.ask`, `contract.pages`, `contract.load`."""
    return __import__("types").SimpleNamespace(ask=ask, pages=pages, load=load)
