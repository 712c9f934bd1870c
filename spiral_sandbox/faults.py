"""Fault plans: what can be broken on purpose, read strictly from faults.toml."""

import difflib
import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, get_args

import msgspec

from spiral_sandbox.errors import FaultFileError

Component = Literal["memory", "sonic", "connectors", "operator", "boot", "crown"]
COMPONENTS: tuple[str, ...] = get_args(Component)
"""The components of the sandbox, each with a process of its own."""

_NAME = re.compile(r"[a-z]+\.[a-z0-9]+(-[a-z0-9]+)*")
_CRITERION = re.compile(r"[A-Z][0-9]+\.[a-z0-9]+(-[a-z0-9]+)*")


class FaultPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault: the component it is put into, what it does, and the criteria it must show in.

    `breaks` are ids of criteria that must not pass while the fault is in; `blocks` are ids of criteria
    that can no longer be judged because of it, and `starves` of those that get too little to be judged on.
    """

    name: str
    component: Component
    what: Annotated[str, msgspec.Meta(min_length=1)]
    breaks: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    blocks: tuple[str, ...]
    starves: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal[1]
    fault: Annotated[tuple[FaultPlan, ...], msgspec.Meta(min_length=1)]


@functools.cache
def known_faults() -> Mapping[str, FaultPlan]:
    """Every fault plan of this sandbox by name, in the order of the file."""
    return parse_faults(Path(__file__).with_name("faults.toml").read_text(encoding="utf-8"))


def parse_faults(text: str) -> Mapping[str, FaultPlan]:
    """The fault plans in a text in the format of faults.toml, by name.

    Raises FaultFileError on anything that is not understood: a key, a type, a name, an id, a repetition.
    """
    try:
        plans = msgspec.convert(tomllib.loads(text), _File).fault
    except (ValueError, RecursionError) as error:  # msgspec's and TOML's own are ValueErrors
        raise FaultFileError(f"faults.toml cannot be read: {error}.") from error
    known: dict[str, FaultPlan] = {}
    for plan in plans:
        if plan.name in known:
            raise FaultFileError(f"faults.toml has the fault {plan.name!r} twice.")
        known[plan.name] = _checked(plan)
    return MappingProxyType(known)


def _checked(plan: FaultPlan) -> FaultPlan:
    if not _NAME.fullmatch(plan.name) or not plan.name.startswith(f"{plan.component}."):
        raise FaultFileError(f"The fault {plan.name!r} is not named {plan.component}.some-words.")
    criteria = plan.breaks + plan.blocks + plan.starves
    for criterion in criteria:
        if not _CRITERION.fullmatch(criterion):
            raise FaultFileError(f"The fault {plan.name!r} names {criterion!r}, which is no id of a criterion.")
    if len(set(criteria)) != len(criteria):
        raise FaultFileError(f"The fault {plan.name!r} names a criterion twice.")
    return plan


def chosen_faults(names: Iterable[str]) -> frozenset[str]:
    """The given names, each checked to be a known fault.

    Raises ValueError on an unknown name, with the nearest known ones.
    """
    known = known_faults()
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3) or list(known)
            raise ValueError(f"There is no fault {name!r}; did you mean {' or '.join(near)}?")
    return frozenset(names)


def faults_of(component: str, names: Iterable[str]) -> frozenset[str]:
    """Those of the given known faults that belong into one component."""
    return frozenset(name for name in names if known_faults()[name].component == component)
