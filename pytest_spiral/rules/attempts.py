"""Attempts: what a ledger tells of the runs of a criterion, and what earlier ones leave of this one's result.

Entries are those that count, adopted branches included (`rules.entries.with_branches`). Order is the ledger's. Source
of the rules: universal claims keep their worst attempt, a fixed plan is judged once and is spent, a row is the last
runs of all sessions.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from pytest_spiral.model.base import Value
from pytest_spiral.model.entry import (
    AttemptCollected,
    AttemptOpened,
    AttemptRecovered,
    AttemptSealed,
    Entry,
    Word,
)
from pytest_spiral.model.gate import Criterion
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics import WORST_FIRST, Judged, Qualifier, Reason, judge_consecutive_each
from pytest_spiral.rules.statistics.consecutive import BROKEN

PLANNED: Final = frozenset({"quantile", "rate", "mean", "count-rate", "equivalence", "regression"})
"""Statistics of a fixed plan; a limit of any other kind claims something of every case."""

_TOLD: Final[Mapping[str, str]] = {
    Verdict.PASS: "passed",
    Verdict.FAIL: "failed",
    Verdict.INVALID: "invalid",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.NOT_RUN: "not run",
    Verdict.ENVIRONMENT_LIMITED: "environment-limited",
    Verdict.INAPPLICABLE: "inapplicable",
    "abandoned": "abandoned",
    "recovered": "recovered",
    "open": "not ended",
}
_STANDS: Final = (Verdict.FAIL, Verdict.INVALID)


class Attempt(Value, frozen=True, kw_only=True):
    """One run that a ledger has opened. `seq` and `wall` are those of its `opened`; `abandoned` is by ledger time."""

    opened: AttemptOpened
    seq: int
    wall: int
    collected: bool = False
    sealed: AttemptSealed | None = None
    recovered: AttemptRecovered | None = None
    abandoned: bool = False

    def runs(self, criterion: str) -> tuple[Word, ...]:
        """How each run of this session came out for a criterion; one broken run where it came to no end.

        What was recovered of a killed run can only have failed.
        """
        if self.sealed is None:
            told = self.recovered.runs.get(criterion, ()) if self.recovered is not None else ()
            return ("fail",) if "fail" in told else ("broken",)
        return self.sealed.runs.get(criterion) or ("not-run",)

    @property
    def subjects(self) -> Mapping[str, str] | None:
        """The digests that were observed; None where nothing tells of them."""
        told = self.sealed if self.sealed is not None else self.recovered
        return None if told is None else told.subjects

    def word(self, criterion: str) -> str:
        """The attempt as one word: its worst run, or how it was left."""
        if self.sealed is None:
            return "recovered" if self.recovered is not None else "abandoned" if self.abandoned else "open"
        return worst_run(self.runs(criterion))


class Standing(NamedTuple):
    """What other attempts leave of a result. `reason` is a stable code."""

    verdict: Verdict
    reason: str
    sentence: str


def attempts_of(entries: Iterable[Entry]) -> tuple[Attempt, ...]:
    """Every run that was opened, in the ledger's order; of two entries for one nonce the first counts.

    Ledger time is the latest wall time of any entry.
    """
    opened: dict[str, Entry] = {}
    collected: set[str] = set()
    recovered: dict[str, AttemptRecovered] = {}
    sealed: dict[str, AttemptSealed] = {}
    now = 0
    for entry in entries:
        now = max(now, entry.wall)
        record = entry.record
        if isinstance(record, AttemptOpened):
            opened.setdefault(record.nonce, entry)
        elif isinstance(record, AttemptCollected):
            collected.add(record.nonce)
        elif isinstance(record, AttemptSealed):
            sealed.setdefault(record.nonce, record)
        elif isinstance(record, AttemptRecovered):
            recovered.setdefault(record.nonce, record)
    return tuple(
        Attempt(
            opened=entry.record,
            seq=entry.seq,
            wall=entry.wall,
            collected=nonce in collected,
            sealed=sealed.get(nonce),
            recovered=recovered.get(nonce),
            abandoned=nonce not in sealed and entry.record.deadline < now,
        )
        for nonce, entry in opened.items()
    )


def tally_words(words: Iterable[str]) -> str:
    """`1 passed, 2 failed`: how attempts came out; empty for none."""
    counted = Counter(words)
    return ", ".join(f"{counted[word]} {told}" for word, told in _TOLD.items() if counted[word])


def tell_attempts(words: Sequence[str], *, number: int | None = None) -> str:
    """`attempts 3 of 3: 1 passed, 2 failed`; `number` is which of them is meant, the last one unless it is said."""
    if not words:
        return "attempts 0"
    return f"attempts {len(words) if number is None else number} of {len(words)}: {tally_words(words)}"


def tell_drafts(drafts: int) -> str:
    """`; 2 drafts beside`; empty for none."""
    return f"; {drafts} draft{'s' if drafts > 1 else ''} beside" if drafts else ""


class Campaign(Value, frozen=True, kw_only=True):
    """The attempts of one criterion beside this run's: on this target, in the ledger's order.

    `number` of `total` attempts is this run's. `before` and `after` are the runs by the same bar on the same subject,
    and those that came to no end, whatever their subject. `rows` counts all runs by this bar, `words` how the other
    attempts came out; `moved`: an attempt by another bar, on the same subject, was not passed. `here` are attempts on
    this run's subject, itself among them.
    """

    number: int
    total: int
    before: tuple[Word, ...] = ()
    after: tuple[Word, ...] = ()
    rows: int = 0
    words: tuple[str, ...] = ()
    drafts: int = 0
    moved: bool = False
    here: int = 1

    def sentence(self, own: str) -> str:
        """`attempts 3 of 3: 1 passed, 2 failed; 1 on this subject`; `own` is this run's word.

        Subjects are told apart where there are several, so that a changed byte does not reset the count silently.
        """
        here = f"; {self.here} on this subject" if self.here < self.total else ""
        return f"{tell_attempts([*self.words, own], number=self.number)}{here}{tell_drafts(self.drafts)}"


def campaign_of(
    criterion: Criterion, attempts: Sequence[Attempt], own: AttemptOpened, observed: Mapping[str, str]
) -> Campaign:
    """The campaign that a run belongs to. `observed` are the digests of subjects that this run has seen.

    Drafts are counted and nothing else. ValueError where the run is not among the attempts.
    """
    name = criterion.id
    alike = [one for one in attempts if name in one.opened.criteria and one.opened.target == own.target]
    drafts = sum(one.opened.draft and one.opened.nonce != own.nonce for one in alike)
    counted = [one for one in alike if not one.opened.draft or one.opened.nonce == own.nonce]
    place = [one.opened.nonce for one in counted].index(own.nonce)
    others = [(at < place, one) for at, one in enumerate(counted) if at != place]
    bar = own.criteria[name]
    by_bar = [(before, one) for before, one in others if one.opened.criteria[name] == bar]
    same = [(before, words) for before, one in by_bar for words in _alike(criterion, one, own, observed)]
    return Campaign(
        number=place + 1,
        total=len(counted),
        before=tuple(run for before, words in same if before for run in words),
        after=tuple(run for before, words in same if not before for run in words),
        rows=sum(len(one.runs(name)) for _, one in by_bar),
        words=tuple(one.word(name) for _, one in others),
        drafts=drafts,
        here=1 + sum(same_subject(criterion, one, own, observed) for _, one in others),
        moved=any(
            one.opened.criteria[name] != bar
            and one.word(name) != Verdict.PASS
            and one.sealed is not None
            and same_subject(criterion, one, own, observed)
            for _, one in others
        ),
    )


def _alike(
    criterion: Criterion, one: Attempt, own: AttemptOpened, observed: Mapping[str, str]
) -> Iterator[tuple[Word, ...]]:
    """The runs of an attempt on the same subject; one that came to no end is a broken run whatever it was about."""
    if same_subject(criterion, one, own, observed):
        yield one.runs(criterion.id)
    elif one.sealed is None:
        yield ("broken",)


def same_subject(criterion: Criterion, one: Attempt, own: AttemptOpened, observed: Mapping[str, str]) -> bool:
    """Whether two runs were about the same bytes: those of the criterion's subjects, else what was known when opened."""
    mine = {name: observed[name] for name in criterion.subjects if name in observed}
    seen = one.subjects
    if not mine or seen is None:
        return one.opened.subjects == own.subjects
    return mine == {name: seen[name] for name in criterion.subjects if name in seen}


def stand(criterion: Criterion, own: Word, campaign: Campaign, *, pooled: bool = False) -> Standing | None:
    """What other attempts leave of a criterion's own result; None where they change nothing.

    A failed or invalid attempt stands for its subject. A plan that was judged once without deciding is spent, unless
    the result is `pooled` already: then it knows how full the plan was. A later attempt takes a pass away. Never
    better than the own result. Rows of runs are `stand_in_row`'s.
    """
    worst = min((word for word in campaign.before if word in _STANDS), key=_rank, default=None)
    if worst is not None and _rank(worst) < _rank(own):
        told = "failed" if worst == "fail" else "was invalid"
        return Standing(Verdict(worst), Reason.WORST_ATTEMPT, f"an earlier attempt on the same subject {told}")
    if own != "pass":
        return None
    if (
        not pooled
        and Verdict.INCONCLUSIVE in campaign.before
        and any(one.statistic in PLANNED for one in criterion.limits)
    ):
        spent = "an earlier attempt has judged the plan for this subject, and has not decided"
        return Standing(Verdict.INCONCLUSIVE, Reason.PLAN_SPENT, spent)
    if any(word in _STANDS for word in campaign.after):
        later = "a later attempt on the same subject did not pass"
        return Standing(Verdict.INCONCLUSIVE, Reason.ATTEMPTS_DISAGREE, later)
    return None


def stand_in_row(
    criterion: Criterion, own: Sequence[Word], campaign: Campaign, alpha: Fraction | None
) -> tuple[Judged, tuple[Word, ...]]:
    """A row over all sessions, and its runs: the last `consecutive` ones must each have passed alone."""
    runs = (*campaign.before, *own, *campaign.after)
    judged = judge_consecutive_each(
        [_as_judged(word) for word in runs],
        consecutive=criterion.consecutive,
        attempts=max(len(runs), campaign.rows + len(own)),
        alpha=alpha,
    )
    return judged, runs


def disagree(words: Iterable[str]) -> tuple[Qualifier, ...]:
    """`flaky` where attempts disagree."""
    return (Qualifier.FLAKY,) if {str(Verdict.PASS), str(Verdict.FAIL)} <= {str(word) for word in words} else ()


def _as_judged(word: Word) -> Judged | None:
    if word == BROKEN:
        return None
    verdict = Verdict(word)
    return Judged(verdict, None if verdict in (Verdict.PASS, Verdict.FAIL) else Reason.RUN_NOT_PROVEN)


def worst_run(words: Iterable[Word]) -> Word:
    """The worst of several runs; `not-run` for none."""
    return min(words, key=_rank, default="not-run")


def _rank(word: str) -> int:
    """Worst first; a broken run shows nothing and stands with what was not run."""
    return WORST_FIRST.index(Verdict.NOT_RUN if word == BROKEN else Verdict(word))
