"""What the tests of Stage A share: reading crown's logs by oneself, changing them, replaying one with nothing else."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ALONE = Path(__file__).with_name("alone.py")


def _digest(value: Any) -> str:
    data = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    return hashlib.sha256(data).hexdigest()


def read(log: str) -> list[dict[str, Any]]:
    """The lines of a log."""
    return [json.loads(line) for line in log.splitlines()]


def steps(log: str) -> dict[str, str]:
    """What a log says of each step, read without crown: its place and route, its state, the digest of its result."""
    told = {}
    for number, line in enumerate(read(log)):
        body = line["body"]
        route = "/".join(str(body[key]) for key in ("by", "agent", "to", "model", "preset") if key in body)
        told[f"{number:03d}"] = f"{route} {line['state']} {_digest([line['kind'], body])}"
    return told


def side_by_side(log: str, replay: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Each step with what the log says of it and what the replay did; `nothing` where one of them has no such step."""
    told = steps(log)
    done = {f"{one['step']:03d}": f"{one['route']} {one['state']} {one['result']}" for one in replay["steps"]}
    return [(step, told.get(step, "nothing"), done.get(step, "nothing")) for step in sorted({*told, *done})]


def altered(log: str, number: int, chained: bool) -> str:
    """A log with one figure or word of one line changed; `chained`: with the chain behind it made good again."""
    lines = read(log)
    lines[number]["body"] = _other(lines[number]["body"])
    for place, line in enumerate(lines) if chained else ():
        line["before"] = lines[place - 1]["digest"] if place else "0" * 64
        line["digest"] = _digest({key: line[key] for key in ("step", "kind", "body", "state", "before")})
    written = (json.dumps(line, sort_keys=True, ensure_ascii=False, separators=(",", ":")) for line in lines)
    return "".join(f"{line}\n" for line in written)


def _other(value: Any) -> Any:
    """The value with its last text or number changed; a name that is chosen from stays a text, a figure a figure."""
    if isinstance(value, dict):
        last = max(key for key in value if not isinstance(value[key], list | dict) or value[key])
        return {**value, last: _other(value[last])}
    if isinstance(value, list):
        return [*value[:-1], _other(value[-1])]
    return f"{value} or not" if isinstance(value, str) else int(value) + 1


def alone(log: str, folder: Path) -> dict[str, Any]:
    """Replay a log in a fresh process, in an empty folder, with every way to the outside shut."""
    environment = {"PYTHONPATH": os.environ.get("PYTHONPATH", ""), "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-P", str(ALONE)],
        input=log.encode(), cwd=folder, env=environment, stdout=subprocess.PIPE, check=True, timeout=60,
    )  # fmt: skip
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.fixture
def logs() -> Any:
    """Crown's logs in a test's hands: `logs.read`, `.side_by_side`, `.altered`, `.alone`."""
    return SimpleNamespace(read=read, side_by_side=side_by_side, altered=altered, alone=alone)
