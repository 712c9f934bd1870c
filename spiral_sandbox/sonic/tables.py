"""Strict reading of the TOML files that lie beside the code.

A key that is missing, misspelled, of another type or out of its range is an error, never a default: an absent
figure must not read as a figure.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable
from importlib import resources
from typing import Annotated, Literal, TypeVar

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of which every key must be there and known."""


class Document(Row, frozen=True):
    """A whole file, of the only format that is read."""

    format: Literal[1]


Text = Annotated[str, msgspec.Meta(min_length=1)]

_Table = TypeVar("_Table", bound=Document)


def packaged(name: str) -> str:
    """The text of one TOML file of this package."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def read(text: str, model: type[_Table], what: str) -> _Table:
    """A TOML text as a `model`; ValueError, saying where, if it is not one."""
    try:
        return msgspec.convert(tomllib.loads(text), model)
    except (ValueError, RecursionError) as error:  # msgspec's and TOML's own are ValueErrors
        raise ValueError(f"{what} cannot be read: {error}") from error


def demand_unique(names: Iterable[str], what: str) -> None:
    """Raise ValueError if a name is there twice."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ValueError(f"{what}: {', '.join(twice)} is there twice")
