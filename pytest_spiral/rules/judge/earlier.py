"""Which earlier attempts fill a plan together with this one, and what a bundle has to carry of them."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from pytest_spiral.model.entry import AttemptOpened
from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.gate import Criterion
from pytest_spiral.rules.attempts import PLANNED, Attempt, campaign_of, same_subject
from pytest_spiral.rules.judge.context import Carried, Context, make_context

POOLED: Final = frozenset({"quantile", "rate", "mean"})
"""Statistics of samples that may come from several attempts."""

_SETTLED: Final = frozenset({"fail", "invalid"})
_ASIDE: Final = frozenset({"environment-limited", "inapplicable"})


class Wanted(NamedTuple):
    """An earlier attempt to carry: which run it was, what its ledger says was sealed, and for which criteria."""

    nonce: str
    run: str
    manifest: str
    criteria: tuple[str, ...]


def is_pooled(criterion: Criterion, context: Context) -> bool:
    """Whether attempts of a criterion fill one plan: of samples that stand in no run block, and are no census.

    Runs in a row are judged each by itself, and a control must fail each time anew. Where a level of assurance is asked
    for, that of this run says nothing of what others measured. A limit that no other attempt can fill (events, two
    sides compared) is judged once: beside one that is filled further, it would be judged again and again.
    """
    statistics = {limit.statistic for limit in criterion.limits}
    if criterion.assurance is not None or statistics & (PLANNED - POOLED):
        return False
    plain = criterion.consecutive == 1 and not criterion.census and criterion.control is None
    in_blocks = any(one.run for one in context.own(criterion))
    return plain and not in_blocks and bool(statistics & POOLED)


def attempts_before(criterion: Criterion, context: Context) -> tuple[Attempt, ...]:
    """The release runs before this one that may have measured for the same plan: same bar, target and subject.

    None where one of them failed or was invalid, since that stands and nothing is pooled to it; none in a draft, and
    none where the ledger does not hold. A run whose tests were never collected has measured nothing.
    """
    history = context.history
    if history is None or history.faults or history.own is None or history.own.draft:
        return ()
    own = history.own
    if _SETTLED & set(campaign_of(criterion, history.attempts, own, context.observed).before):
        return ()
    before = history.attempts[: [one.opened.nonce for one in history.attempts].index(own.nonce)]
    return tuple(one for one in before if _is_alike(criterion, one, own, context))


def _is_alike(criterion: Criterion, one: Attempt, own: AttemptOpened, context: Context) -> bool:
    began = one.collected or one.sealed is not None
    over = one.sealed is None and one.recovered is not None and one.recovered.manifest is None
    told = one.sealed or one.recovered
    aside = told is not None and set(told.runs.get(criterion.id, ("",))) <= _ASIDE  # proved nothing where it ran
    registered = one.opened.criteria.get(criterion.id) == own.criteria[criterion.id]
    if one.opened.draft or one.opened.target != own.target or not registered or not began or over or aside:
        return False
    return same_subject(criterion, one, own, context.observed)


def manifest_of(one: Attempt) -> str | None:
    """The manifest of what an attempt left, as the ledger has it; None for one that came to no end."""
    if one.sealed is not None:
        return one.sealed.manifest
    return one.recovered.manifest if one.recovered is not None else None


def wanted(evidence: Evidence) -> tuple[Wanted, ...]:
    """What a bundle must carry of earlier attempts, in the ledger's order, so that its plans can be judged."""
    if evidence.ledger is None:
        return ()
    context = make_context(evidence)
    found: dict[str, tuple[Attempt, list[str]]] = {}
    for criterion in evidence.plan.criteria():
        if context.own(criterion) and is_pooled(criterion, context):
            for one in attempts_before(criterion, context):
                found.setdefault(one.opened.nonce, (one, []))[1].append(criterion.id)
    return tuple(_wanted(found))


def _wanted(found: dict[str, tuple[Attempt, list[str]]]) -> Iterator[Wanted]:
    for nonce, (one, criteria) in sorted(found.items(), key=lambda pair: pair[1][0].seq):
        manifest = manifest_of(one)
        if manifest is not None:
            yield Wanted(nonce, one.opened.run, manifest, tuple(criteria))


def carried(criterion: Criterion, one: Attempt, context: Context) -> Carried | None:
    """What the bundle carries of an attempt, whole for that criterion; None where that is missing."""
    found = context.earlier.get(one.opened.nonce)
    return None if found is None or manifest_of(one) is None or criterion.id in found.attempt.left else found


def is_that(criterion: Criterion, one: Attempt, found: Carried, context: Context) -> bool:
    """Whether what is carried is the run that the ledger registered and sealed, by the same bar on the same subject."""
    evidence = found.attempt.evidence
    if (found.attempt.bundle, found.attempt.manifest) != (one.opened.bundle, manifest_of(one)):
        return False
    if evidence.bundle.plan != one.opened.plan or criterion not in evidence.plan.criteria():
        return False
    seen, mine = found.context.observed, context.observed
    return all(mine.get(name) == seen.get(name) for name in criterion.subjects)
