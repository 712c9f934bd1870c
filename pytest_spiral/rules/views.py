"""Views of a ledger: what one kind of reader looks for, as rows of plain values, each with the entry it comes from."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from pytest_spiral.model.entry import (
    Acknowledged,
    Artefact,
    AttemptOpened,
    Dissented,
    Entry,
    KeyRevoked,
    SignedOff,
    Waived,
    Withdrawn,
)
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.attempts import Attempt, attempts_of, tally_words

Row = dict[str, Any]

_PEOPLE: Final = (SignedOff, Dissented, Waived, Acknowledged, Withdrawn)


def view_of(name: str, entries: Iterable[Entry]) -> tuple[Row, ...]:
    """The rows of a view (`VIEWS`); KeyError for another name. `entries` are those that count, in order."""
    return tuple(VIEWS[name](list(entries)))


def _artefacts(entries: Sequence[Entry], view: str) -> Iterator[Row]:
    for entry in entries:
        if isinstance(entry.record, Artefact) and entry.record.view == view:
            yield _row(entry, entry.record)


def _rotation(entries: Sequence[Entry]) -> Iterator[Row]:
    """Rotation windows and their traces, in order."""
    yield from _artefacts(entries, "rotation")


def _readiness(entries: Sequence[Entry]) -> Iterator[Row]:
    """Each criterion's newest release result on each target, with its attempts."""
    for (target, criterion), attempts in _by_criterion(entries).items():
        sealed = [one for one in attempts if one.sealed is not None]
        newest = sealed[-1] if sealed else attempts[-1]
        verdict = newest.sealed.verdicts.get(criterion, Verdict.NOT_RUN) if newest.sealed else newest.word(criterion)
        yield {
            "seq": newest.seq,
            "wall": newest.wall,
            "criterion": criterion,
            "target": target,
            "verdict": str(verdict),
            "run": newest.opened.run,
            "manifest": newest.sealed.manifest if newest.sealed else None,
            "attempts": f"{len(attempts)}: {tally_words(one.word(criterion) for one in attempts)}",
        }
    yield from _artefacts(entries, "readiness")


def _bridge(entries: Sequence[Entry]) -> Iterator[Row]:
    """What is owed to another environment, and what people have signed about it."""
    limited = str(Verdict.ENVIRONMENT_LIMITED)
    yield from (row for row in _readiness(entries) if row.get("verdict") == limited)
    for entry in entries:
        if isinstance(entry.record, _PEOPLE):
            yield _row(entry, entry.record)
    yield from _artefacts(entries, "bridge")


def _doctrine(entries: Sequence[Entry]) -> Iterator[Row]:
    """What holds: each bar when it was first registered, revoked keys, documents."""
    seen: set[str] = set()
    for entry in entries:
        if isinstance(entry.record, AttemptOpened) and not entry.record.draft and entry.record.plan not in seen:
            seen.add(entry.record.plan)
            criteria = sorted(entry.record.criteria)
            yield {"seq": entry.seq, "wall": entry.wall, "kind": "bar", "plan": entry.record.plan, "criteria": criteria}
        elif isinstance(entry.record, KeyRevoked):
            yield _row(entry, entry.record)
    yield from _artefacts(entries, "doctrine")


def by_criterion(entries: Iterable[Entry]) -> dict[tuple[str, str], list[Attempt]]:
    """(target, criterion) → all its attempts, drafts too, in the ledger's order."""
    found: dict[tuple[str, str], list[Attempt]] = {}
    for one in attempts_of(entries):
        for name in one.opened.criteria:
            found.setdefault((one.opened.target, name), []).append(one)
    return dict(sorted(found.items()))


def _by_criterion(entries: Iterable[Entry]) -> dict[tuple[str, str], list[Attempt]]:
    """The same of release runs."""
    kept = {key: [one for one in attempts if not one.opened.draft] for key, attempts in by_criterion(entries).items()}
    return {key: attempts for key, attempts in kept.items() if attempts}


def _row(entry: Entry, record: msgspec.Struct) -> Row:
    return {"seq": entry.seq, "wall": entry.wall, "kind": entry.kind, **msgspec.to_builtins(record)}


VIEWS: Final[Mapping[str, Callable[[Sequence[Entry]], Iterator[Row]]]] = {
    "rotation": _rotation,
    "readiness": _readiness,
    "bridge": _bridge,
    "doctrine": _doctrine,
}
"""Every view by name."""
