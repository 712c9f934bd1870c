"""The history of one run: whether the ledger it carries is the one it was registered in, and whole."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pytest_spiral.errors import UntrustedError
from pytest_spiral.model.entry import AttemptCollected, AttemptOpened, Entry, LedgerHead
from pytest_spiral.model.evidence import BundleStart, Evidence
from pytest_spiral.rules.attempts import Attempt, attempts_of
from pytest_spiral.rules.bar import bars_of
from pytest_spiral.rules.entries import check_link, with_branches


class History(NamedTuple):
    """What a run's ledger tells: its own `opened` (None: it does not tell), all attempts, and what is wrong."""

    own: AttemptOpened | None
    attempts: tuple[Attempt, ...]
    faults: tuple[tuple[str, str], ...]


def history_of(evidence: Evidence) -> History | None:
    """The history of a run; None for a draft that was registered nowhere.

    With faults, nothing of it may be used: whoever takes entries away must not gain by it.
    """
    start = evidence.bundle
    if start.ledger is None and start.mode == "draft":
        return None
    if start.ledger is None or evidence.ledger is None:
        missing = "the run says that it was registered in a ledger, and carries none."
        return History(None, (), (("ledger-missing", missing),))
    try:
        counted = _counted(evidence.ledger)
    except UntrustedError as problem:
        return History(None, (), ((problem.code, str(problem)),))
    faults = [*_pin_faults(start.ledger, counted), *_own_faults(evidence, counted)]
    own = next((one.record for one in counted if _is_own(one, start)), None)
    return History(own, attempts_of(counted), tuple(faults))


def _counted(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    last: Entry | None = None
    for entry in entries:
        check_link(last, entry)
        last = entry
    return tuple(with_branches(entries))


def _is_own(entry: Entry, start: BundleStart) -> bool:
    return isinstance(entry.record, AttemptOpened) and entry.record.nonce == start.nonce


def _pin_faults(pin: LedgerHead, counted: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    if not counted or counted[0].digest != pin.id:
        yield "ledger-other", "it is another ledger than the one that the run was registered in."
    elif not any((one.seq, one.digest) == (pin.seq, pin.digest) for one in counted):
        yield "ledger-rewritten", f"entry {pin.seq} is not the one that stood there when the run was opened."


def _own_faults(evidence: Evidence, counted: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    start = evidence.bundle
    opened = [at for at, one in enumerate(counted) if _is_own(one, start)]
    collected = [
        at
        for at, one in enumerate(counted)
        if isinstance(one.record, AttemptCollected) and one.record.nonce == start.nonce
    ]
    if len(opened) != 1 or len(collected) != 1 or collected[0] < opened[0]:
        told = f"it has {len(opened)} entries that open this run and {len(collected)} that its tests were collected."
        yield "ledger-unregistered", told
        return
    record = counted[opened[0]].record
    said = (record.run, record.plan, record.draft, record.target, record.criteria)
    plan = bars_of(evidence.plan)
    if said != (start.run, start.plan, start.mode == "draft", start.target.name, plan):
        yield "ledger-differs", "what it registered of this run (name, bar, target, draft) is not what the run says."
