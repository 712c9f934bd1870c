"""What items claim: criteria by marker or by binding, needs by marker; and the marks that follow from them."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import pytest

from pytest_spiral.model.gate import Criterion
from pytest_spiral.plugin.keys import CLAIM
from pytest_spiral.run.gates import GateFile

_NEED_MARKERS = {"environment_limited": "environment-limited", "hardware_required": "hardware-required"}
_TELLING = frozenset({"criterion", *_NEED_MARKERS})
_PLACE = attrgetter("parent", "path")


@dataclass(frozen=True)
class Claim:
    """The criteria that an item claims to prove, and every requirement of it: its criteria's and its markers'."""

    criteria: tuple[Criterion, ...] = ()
    requirements: tuple[str, ...] = ()

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The claimed criteria's ids."""
        return tuple([criterion.id for criterion in self.criteria])


NO_CLAIM = Claim()
"""What an ordinary test claims. It stands on none of them: a suite can have tens of thousands, all of which the
garbage collector would have to look into more often."""


def claim_of(item: pytest.Item) -> Claim:
    """What was found out of an item by `claim_all`."""
    if CLAIM not in item.stash:  # asking first is a tenth of what `get` takes to raise and catch
        return NO_CLAIM
    return item.stash[CLAIM]


@dataclass(frozen=True, slots=True)
class Book:
    """All gates files, ready to answer what an item claims."""

    root: Path
    files: tuple[GateFile, ...]
    criteria: Mapping[str, Criterion]
    bound: tuple[Criterion, ...]
    stage_folders: Mapping[Path, GateFile]

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that have a gates file."""
        return tuple(sorted({gate.stage for file in self.files for gate in file.gates if gate.stage}))

    @property
    def gates(self) -> dict[str, str]:
        """Gate id → title."""
        return {card.id: card.title for file in self.files for card in file.cards}

    @property
    def stage_of(self) -> dict[str, str]:
        """Gate id → stage, of the gates that have one."""
        return {gate.id: gate.stage for file in self.files for gate in file.gates if gate.stage}


def make_book(root: Path, files: Sequence[GateFile]) -> Book:
    """Index the gates files."""
    criteria = {one.id: one for file in files for gate in file.gates for one in gate.criteria}
    folders = {file.folder: file for file in files if any(gate.stage for gate in file.gates)}
    bound = tuple(one for one in criteria.values() if one.tests)
    return Book(root, tuple(files), criteria, bound, folders)


def claim_all(items: Iterable[pytest.Item], book: Book) -> list[str]:
    """Find out what each item claims, and add the marks and words that follow; gives every mistake as a sentence."""
    problems: list[str] = []
    stage_of = book.stage_of
    for item, folder in _telling(items, book):
        try:
            claim = _claim(item, book, folder)
        except ValueError as error:
            problems.append(f"{_where(item)}: {error}")
            continue
        if claim != NO_CLAIM:
            item.stash[CLAIM] = claim
            _mark(item, claim, folder, stage_of)
    return problems


def _telling(items: Iterable[pytest.Item], book: Book) -> Iterator[tuple[pytest.Item, Path | None]]:
    """The items that may claim something, and the stage's folder in which each stands. Asks once what they share."""
    folders: dict[Path, Path | None] = {}
    silent: dict[pytest.Collector | None, bool] = {}
    for (above, path), siblings in groupby(items, key=_PLACE):
        if path not in folders:
            folders[path] = next((one for one in path.parents if one in book.stage_folders), None)
        if above not in silent:
            silent[above] = above is not None and not _tells(above.iter_markers())
        ordinary = silent[above] and folders[path] is None and not book.bound
        for item in siblings:
            if not ordinary or _tells(item.own_markers):
                yield item, folders[path]


def _tells(markers: Iterable[pytest.Mark]) -> bool:
    """Whether one of the markers is ours."""
    return any(marker.name in _TELLING for marker in markers)


def _claim(item: pytest.Item, book: Book, folder: Path | None) -> Claim:
    names: list[str] = []
    for marker in item.iter_markers("criterion"):
        names.extend(_criterion_ids(marker))
    names += [one.id for one in book.bound if _bound(item, one, book)]
    for name in names:
        if name not in book.criteria:
            close = difflib.get_close_matches(name, book.criteria, 1)
            hint = f"did you mean {close[0]}?" if close else "no gates file declares it."
            raise ValueError(f"unknown criterion {name!r}; {hint}")
    for name in names:
        if book.criteria[name].method == "examine":
            raise ValueError(
                f"{name} is a document that a person examines, so no test proves it: spiral examine {name}"
            )
    if folder is not None and not names:
        raise ValueError(
            f"this test stands under {folder.name}/ and claims no criterion; "
            'mark it `@pytest.mark.criterion("…")`, or move it to another folder.'
        )
    criteria = tuple(book.criteria[name] for name in dict.fromkeys(names))
    required = [one.requires for one in criteria if one.requires]
    return Claim(criteria, tuple(dict.fromkeys([*required, *_needs(item)])))


def _criterion_ids(marker: pytest.Mark) -> list[str]:
    if not marker.args or marker.kwargs or not all(isinstance(one, str) for one in marker.args):
        raise ValueError('the marker criterion takes ids, as in `@pytest.mark.criterion("B1.recall")`.')
    return list(marker.args)


def _bound(item: pytest.Item, criterion: Criterion, book: Book) -> bool:
    """Whether the criterion's `tests` name this item: a folder, a file or a node id, relative to the root."""
    return any(
        item.nodeid == one or item.nodeid.startswith((one.rstrip("/") + "/", one + "::", one + "["))
        for one in criterion.tests
    ) and item.path.is_relative_to(book.root)


def _needs(item: pytest.Item) -> Iterable[str]:
    from pytest_spiral.model.profile import KNOWN_FACTS
    from pytest_spiral.rules.requirements import RequirementError, check_names, parse_requirement

    for name in _NEED_MARKERS:
        for marker in item.iter_markers(name):
            text = marker.args[0] if marker.args else marker.kwargs.get("needs")
            if not isinstance(text, str) or not text:
                raise ValueError(f'the marker {name} takes what is needed, as in `{name}("module.faiss")`.')
            try:
                requirement = parse_requirement(text)
            except RequirementError as error:
                raise ValueError(f"marker {name}: {error}") from error
            strangers = check_names(requirement, KNOWN_FACTS)
            if strangers:
                raise ValueError(f"marker {name}: {'; '.join(strangers)}")
            yield str(requirement)


def _mark(item: pytest.Item, claim: Claim, folder: Path | None, stage_of: Mapping[str, str]) -> None:
    item.extra_keyword_matches.update(claim.ids)  # `-k B1.recall`, or `-k recall`, selects what claims the criterion
    for criterion in claim.criteria:
        item.add_marker(pytest.mark.gate(criterion.gate))
        item.add_marker(getattr(pytest.mark, criterion.gate))
    stages = {stage_of[one.gate] for one in claim.criteria if one.gate in stage_of}
    if folder is not None:
        stages.add(folder.name)
    for stage in sorted(stages):
        item.add_marker(getattr(pytest.mark, stage))
    for marker, twin in _twins(item, claim):
        if not item.get_closest_marker(marker):
            item.add_marker(getattr(pytest.mark, marker)(claim.requirements[0]))
        item.add_marker(getattr(pytest.mark, twin))


def _twins(item: pytest.Item, claim: Claim) -> list[tuple[str, str]]:
    """The spelled and the hyphenated mark of each kind of need that the item carries."""
    from pytest_spiral.model.profile import KNOWN_FACTS
    from pytest_spiral.rules.requirements import parse_requirement

    kinds = {name for name in _NEED_MARKERS if item.get_closest_marker(name)}
    for text in claim.requirements:
        hardware = any(KNOWN_FACTS.get(one) == "hardware" for one in parse_requirement(text).names)
        kinds.add("hardware_required" if hardware else "environment_limited")
    return [(name, _NEED_MARKERS[name]) for name in sorted(kinds)]


def _where(item: pytest.Item) -> str:
    path, line, _ = item.location
    return f"{path}:{line + 1 if line is not None else '?'}: {item.name}"
