"""What a bar asks for before anything is measured: how many samples, and who gets through."""

from typing import Final

from pytest_spiral.model.base import Value

OUTLOOK_FORMAT: Final = "spiral-outlook/1"


class Point(Value, frozen=True, kw_only=True):
    """One point of an operating characteristic.

    `quality` is the share of samples that are good in truth; for events, how many of them are expected over the exposure
    in truth. `chance` is that of a pass.
    """

    quality: float
    chance: float


class PlanOffer(Value, frozen=True, kw_only=True):
    """Another plan for the same limit: so many samples a run allow for so many failures."""

    samples: int
    failures: int
    chance: float
    row: float


class LimitOutlook(Value, frozen=True, kw_only=True):
    """One limit of a criterion before anything is measured.

    `samples` is its plan (of one run), `exposure` what events are counted over, `least` the least number of samples (or
    units of exposure) that can prove it, `allowed` how many bad samples (or events) still pass: in one run, or in all of
    them where `pooled`. `chance` is that of the whole row of `runs` at the true rate asked for, `once` that of one run
    alone; None where no share of good samples says anything of it, and `left_out` says why. `at_the_limit` is the chance of a system
    that is exactly as good as the limit. `expected` is how many samples a sequential plan takes on average.
    """

    limit: str
    statistic: str
    samples: int | None = None
    exposure: str | None = None
    confidence: str = ""
    runs: int = 1
    pooled: bool = False
    sequential: str | None = None
    least: int | None = None
    allowed: int | None = None
    once: float | None = None
    chance: float | None = None
    at_the_limit: float | None = None
    expected: float | None = None
    left_out: str = ""
    curve: tuple[Point, ...] = ()
    offers: tuple[PlanOffer, ...] = ()


class CriterionOutlook(Value, frozen=True, kw_only=True):
    """A criterion: the product over its limits, taken as independent; None where one of them has no chance to tell.

    `strict`: its limits bound how many samples may be bad, whatever their share, such as `failures(query) <= 0`.
    """

    id: str
    level: str
    limits: tuple[LimitOutlook, ...] = ()
    chance: float | None = None
    strict: bool = False
    left_out: str = ""


class Outlook(Value, frozen=True, kw_only=True):
    """Several criteria, and what their chances add up to.

    `chance` is the product over the `counted` blockers, those that bound a share; with those that are `strict` as well it
    is `chance_strict`. `left_out` are the other ones.
    `true_rate` is the share of samples that are good in truth, an exact decimal. `chance` is None where none is counted.
    """

    format: str = OUTLOOK_FORMAT
    selector: str
    true_rate: str
    criteria: tuple[CriterionOutlook, ...]
    counted: tuple[str, ...] = ()
    strict: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    chance: float | None = None
    chance_strict: float | None = None
