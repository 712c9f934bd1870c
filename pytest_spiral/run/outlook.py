"""The outlook of a stage, a gate or a criterion, from the gates files below a folder."""

from fractions import Fraction
from pathlib import Path

from pytest_spiral.errors import UseError
from pytest_spiral.model.outlook import Outlook
from pytest_spiral.rules.outlook import outlook_of
from pytest_spiral.rules.units import UnitError, convert, dimension, parse_quantity
from pytest_spiral.run.selftest import chosen_plan


def look_ahead(root: Path, selector: str, true_rate: str) -> Outlook:
    """What the criteria below `root` that a selector names ask for, and who gets through; raises UseError."""
    plan, chosen = chosen_plan(root, selector)
    return outlook_of(
        selector, [one for one in plan.criteria() if chosen is None or one.id in chosen], read_rate(true_rate)
    )


def read_rate(text: str) -> Fraction:
    """A share such as `99 %`, `99%` or `0.99` as an exact number; raises UseError for anything else."""
    remedy = "Remedy: write it like 99% or 0.99."
    try:
        quantity = parse_quantity(text)
    except UnitError as error:
        raise UseError(f"--true-rate {text!r} is no share ({error}). {remedy}") from error
    if dimension(quantity.unit) != dimension("%"):
        raise UseError(f"--true-rate {text!r} is no share. {remedy}")
    rate = convert(quantity.number, quantity.unit, "1")
    if not 0 <= rate <= 1:
        raise UseError(f"--true-rate {text!r} does not lie between 0 and 1. {remedy}")
    return rate
