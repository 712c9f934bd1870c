"""Figures for people: digits enough, rounded to the safe side."""

from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pytest_spiral.model.judgement import LimitVerdict
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.render.figures import counted, counts_of, figures_of, grouped, quantity, rounded
from pytest_spiral.rules.figures import Rounding

FINITE = st.floats(min_value=-1e12, max_value=1e12, allow_nan=False)


def read(text):
    """The number that a written figure says."""
    return Fraction(text.replace(",", "").partition(" ")[0])


def exact(number):
    return Fraction(repr(number))


def judged(text, verdict=Verdict.PASS, **figures):
    statistic = "quantile" if text.startswith("p9") else text.partition("(")[0]
    return LimitVerdict(limit=text, statistic=statistic, verdict=verdict, **figures)


@pytest.mark.parametrize(
    ("number", "rounding", "apart", "text"),
    [
        (4.8123, Rounding.NEAREST, 120, "4.81"),
        (5.1001, Rounding.UP, 120, "5.11"),
        (98.7654, Rounding.DOWN, 95, "98.7"),
        (74.9996, Rounding.NEAREST, 75, "74.9996"),
        (94.99996, Rounding.DOWN, 95, "94.99996"),
        (0.0, Rounding.NEAREST, 0, "0"),
        (-0.0, Rounding.NEAREST, None, "0"),
        (1234567, Rounding.NEAREST, None, "1,234,567"),
        (12345.678, Rounding.NEAREST, None, "12,346"),
        (-1234.5, Rounding.DOWN, None, "-1,235"),
        (1e300, Rounding.NEAREST, None, "1E+300"),
        (1.25e-12, Rounding.NEAREST, None, "1.25E-12"),
        (float("inf"), Rounding.NEAREST, 1, "infinite"),
    ],
)
def test_a_number_reads_as_people_write_it(number, rounding, apart, text):
    assert rounded(number, rounding, apart) == text


def test_what_is_not_a_number_is_not_shown():
    with pytest.raises(ValueError, match="not a number"):
        rounded(float("nan"))


@given(FINITE, FINITE, st.sampled_from(Rounding))
@example(75.0, 74.99999999999999, Rounding.NEAREST)
@example(0.0, 5e-324, Rounding.DOWN)
def test_a_figure_that_differs_from_its_limit_never_reads_the_same(limit, figure, rounding):
    assume(exact(limit) != exact(figure))
    shown, bar = read(rounded(figure, rounding, limit)), exact(limit)
    assert shown != bar
    assert (shown < bar) == (exact(figure) < bar)


def test_plain_rounding_would_read_the_same():
    assert f"{74.9996:.3g}" == f"{75:.3g}"


@given(FINITE, st.none() | FINITE)
def test_bounds_are_rounded_to_the_safe_side(figure, apart):
    assert read(rounded(figure, Rounding.DOWN, apart)) <= exact(figure) <= read(rounded(figure, Rounding.UP, apart))


@given(st.integers(min_value=-(10**14), max_value=10**14))
def test_whole_numbers_are_written_out_in_full(number):
    assert rounded(number).replace(",", "") == str(number)
    assert grouped(number) == rounded(number)


@pytest.mark.parametrize(
    ("number", "unit", "text"), [(4.8, "ms", "4.8 ms"), (95, "%", "95 %"), (3, "", "3"), (0.5, "1", "0.5")]
)
def test_a_quantity_has_its_unit(number, unit, text):
    assert quantity(number, unit) == text


def test_things_are_counted_in_words():
    assert [counted(one, "debt") for one in (0, 1, 5000)] == ["0 debts", "1 debt", "5,000 debts"]
    assert counted(2, "criterion", "criteria") == "2 criteria"


def test_a_passed_quantile_shows_the_upper_bound_that_had_to_hold():
    limit = judged(
        "p95(x) <= 120 ms", value=4.8, lower=4.6, upper=5.1, bound=120, unit="ms", samples=1000, margin=114.9
    )
    figures = figures_of(limit)
    assert (figures.value, figures.bound, figures.relation, figures.limit) == ("4.8 ms", "5.1 ms", "<=", "120 ms")
    assert (figures.margin, figures.samples) == ("114.9 ms", "n=1000")


def test_a_failed_quantile_shows_the_lower_bound_that_breaks_the_limit():
    limit = judged("p95(x) <= 120 ms", Verdict.FAIL, value=131, lower=126, upper=140, bound=120, unit="ms")
    assert (figures_of(limit).bound, figures_of(limit).relation) == ("126 ms", ">")


def test_an_inconclusive_rate_shows_the_bound_that_did_not_hold_as_it_is():
    limit = judged(
        "rate(boot) >= 95 %", Verdict.INCONCLUSIVE, value=1, lower=0.8608, bound=0.95, unit="1", samples=20, planned=59
    )
    figures = figures_of(limit)
    assert (figures.value, figures.bound, figures.relation, figures.limit) == ("100 %", "86 %", "<", "95 %")
    assert figures.samples == "n=20 of 59"


def test_a_share_is_shown_in_the_unit_of_its_limit_exactly():
    limit = judged("rate(boot) >= 99.9 %", value=0.9990001, bound=0.999, unit="1", samples=10)
    assert figures_of(limit).value == "99.90001 %"
    assert figures_of(judged("rate(boot) >= 0.5", value=0.75, bound=0.5, unit="1")).value == "0.75"


def test_a_quantile_of_failed_calls_is_infinite():
    assert (
        figures_of(judged("p95(x) <= 1 s", Verdict.FAIL, bound=1, unit="s", samples=10, failed=9)).value == "infinite"
    )


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (judged("failures(x) <= 0", value=10, bound=0, samples=1000), "10 of 1,000 failed"),
        (judged("equal(a, b)", value=0, bound=0, samples=240), "0 of 240 differ"),
        (judged("count(x) <= 0", value=0, bound=0), ""),
    ],
)
def test_exceptions_are_counted_out_of_what_they_were_found_in(limit, text):
    assert counts_of(limit) == text


@given(
    st.floats(min_value=0.001, max_value=1e6, allow_nan=False),
    st.floats(min_value=0.001, max_value=1e6, allow_nan=False),
)
def test_a_margin_never_promises_more_than_there_is(upper, bar):
    margin = float(exact(bar) - exact(upper))
    limit = judged("p95(x) <= 1 ms", value=upper, upper=upper, bound=bar, unit="ms", margin=margin)
    assert read(figures_of(limit).margin) <= exact(margin)
    assert (read(figures_of(limit).margin) == 0) == (margin == 0)
