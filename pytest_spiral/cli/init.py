"""`spiral init`: the two files of the smallest gate."""

import argparse
from pathlib import Path

from pytest_spiral.cli.command import Answer, Command, plain
from pytest_spiral.errors import UseError

GATES = """\
# gates.toml
format = 1
[[gate]]
id = "S1"
title = "Search answers in time"
owner = "@search"
no_control = "first steps"
[[gate.criterion]]
id = "S1.latency"
limit = "p95(search) <= 120 ms"
samples = 100
confidence = 0.95
"""

TEST = """\
import pytest


class Client:
    \"\"\"Stands in for your own client; replace it by one that calls your system.\"\"\"

    def search(self, text):
        return sorted(text)


@pytest.fixture
def client():
    return Client()


@pytest.mark.criterion("S1.latency")
def test_search_is_fast(spiral, client):
    with spiral.measure("search", unit="ms") as m:
        for _ in range(100):
            with m.timed():
                client.search("x")
"""

FILES = {"gates.toml": GATES, "test_search.py": TEST}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", default=".", type=Path, help="where to write them (default: here)")


def _run(options: argparse.Namespace) -> Answer:
    folder: Path = options.folder
    there = [name for name in FILES if (folder / name).exists()]
    if there:
        raise UseError(f"{folder / there[0]} is already there; nothing was written.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in FILES.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UseError(f"cannot write to {folder}: {error.strerror}.") from error
    return plain(
        *(f"wrote {folder / name}" for name in FILES),
        "next: pytest --spiral-evidence",
        "then: point the fixture `client` at your own system",
    )


COMMAND = Command(
    "init",
    "write gates.toml and a first test",
    "Two small files to begin with: a gate with one limit, and the test that proves it. Nothing is overwritten.",
    _add_arguments,
    _run,
)
