"""JSON Pointer (RFC 6901): naming a place in a document, and finding it."""

from collections.abc import Iterator
from typing import Any, Final


class _Absent:
    """What stands at a place where nothing does."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


def below(pointer: str, key: str | int) -> str:
    """The pointer to a member or an item."""
    if isinstance(key, int):
        return f"{pointer}/{key}"
    return f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"


def tokens(pointer: str) -> list[str]:
    """The steps of a pointer, unescaped; ValueError for a text that is none."""
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is no JSON Pointer")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def found(document: Any, pointer: str) -> Any:
    """What the pointer leads to, `ABSENT` where it leads nowhere."""
    for step in tokens(pointer):
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        else:
            return ABSENT
    return document


def replaced(document: Any, pointer: str, value: Any) -> Any:
    """A copy with another value at a place that is there; `ABSENT` takes a member away."""
    first, *rest = tokens(pointer)
    inner = "".join(below("", step) for step in rest)
    if isinstance(document, dict):
        made = {key: replaced(one, inner, value) if rest else value for key, one in document.items() if key == first}
        return {key: made.get(key, one) for key, one in document.items() if made.get(key) is not ABSENT}
    return [
        (replaced(one, inner, value) if rest else value) if str(at) == first else one for at, one in enumerate(document)
    ]


def leaves(document: Any, pointer: str = "") -> Iterator[str]:
    """Pointers to everything in a document that holds nothing else."""
    if isinstance(document, dict) and document:
        for key, one in document.items():
            yield from leaves(one, below(pointer, key))
    elif isinstance(document, list) and document:
        for at, one in enumerate(document):
            yield from leaves(one, below(pointer, at))
    else:
        yield pointer
