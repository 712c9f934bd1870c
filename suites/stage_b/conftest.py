"""What the tests of Stage B share: the memory loaded with its corpus, and calls in the words of the contract."""

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_spiral.model.exchange import Request

PAGE = 5000
LOADING_S = 1200.0
"""What a service may take to load its corpus and to build an index of it: a million items are minutes."""


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


def ask(transport: Any, operation: str, within_s: float = 10.0, **payload: Any) -> dict[str, Any]:
    """Call an operation of the contract and give its payload; an answer that is no success raises."""
    request = Request(operation=operation, payload=payload, deadline_s=within_s)
    reply: dict[str, Any] = transport.exchange(request).payload
    return reply


def pages(transport: Any, operation: str, start: Any, position: str, **fields: Any) -> list[dict[str, Any]]:
    """All rows of a paged operation, `position` being the row's field that the next page starts after."""
    return [row for page in each_page(transport, operation, start, position, **fields) for row in page]


def each_page(
    transport: Any, operation: str, start: Any, position: str, **fields: Any
) -> Iterator[list[dict[str, Any]]]:
    """The pages of a paged operation, one at a time."""
    while page := ask(transport, operation, after=start, limit=PAGE, **fields)["rows"]:
        yield page
        start = page[-1][position]


def initialise(memory: Any) -> tuple[int, int]:
    """Have a memory component load what is missing; gives the items and the shards that it says it has."""
    message = ask(memory.transport("grpc"), "vector_init", LOADING_S)["message"]
    said = re.match(r"(\d+) items in (\d+) shards?", message)
    assert said, f"the service does not say what it holds: {message!r}"
    return int(said[1]), int(said[2])


def load(memory: Any, items: int, shards: int) -> Corpus:
    """Load the seeded corpus into a memory component and export what it then holds."""
    memory.ask("configure", items=items, shards=shards)
    said = initialise(memory)
    rows = pages(memory.transport("rest"), "vector_items", "", "id", embeddings=1)
    return Corpus(*said, rows)


def load_indexed(memory: Any, items: int) -> tuple[int, list[str]]:
    """Load a corpus of that size and index it; gives the items held, and some of their texts to search for."""
    memory.ask("configure", items=items, index="ivf-sq8")
    held, _ = initialise(memory)
    page = ask(memory.transport("rest"), "vector_items", after="", limit=PAGE)["rows"]
    return held, [str(row["text"]) for row in page]


def held_bytes(memory: Any) -> int:
    """Memory that a component's process holds for itself, without what it has mapped of files (proc(5), RssAnon)."""
    process = Path("/proc", str(memory.ask("process")["pid"]))
    ran = process.joinpath("cmdline").read_text(encoding="utf-8").split("\0")
    assert ran[-2:-1] == ["memory"], f"that is no process of the memory: {ran}"
    told = process.joinpath("status").read_text(encoding="utf-8")
    found = re.search(r"^RssAnon:\s*([0-9]+) kB$", told, re.MULTILINE)
    assert found, "the system does not say how much memory the component holds"
    return int(found[1]) * 1024


@pytest.fixture
def corpus(spiral: Any) -> Corpus:
    """The memory under test, loaded with the seeded corpus in four shards (once; loading again changes nothing)."""
    return load(spiral.target.memory, spiral.items, 4)


@pytest.fixture
def contract() -> Any:
    """Calls in the contract's words: `contract.ask`, `contract.pages`, `contract.load`, and those for many items."""
    return SimpleNamespace(
        ask=ask, pages=pages, each_page=each_page, load=load, load_indexed=load_indexed, held_bytes=held_bytes
    )
