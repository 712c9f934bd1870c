"""Limit strings: one spelling for one meaning, exact numbers, and a remedy in every refusal."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.model.gate import Limit
from pytest_spiral.rules.limits import LimitError, bound_of, parse_limit
from pytest_spiral.rules.units import decimal_text

GOOD = {
    "p95(search) <= 120 ms": ("quantile", ("search",), "0.95", "<=", "120", "ms"),
    "p99.9(search) <= 0.5 s": ("quantile", ("search",), "0.999", "<=", "0.5", "s"),
    "p99.9999(search) <= 0.5 s": ("quantile", ("search",), "0.999999", "<=", "0.5", "s"),
    "p50(frames) >= 48 kHz": ("quantile", ("frames",), "0.5", ">=", "48", "kHz"),
    "rate(first-attempt) >= 95 %": ("rate", ("first-attempt",), None, ">=", "95", "%"),
    "rate(late) <= 0 %": ("rate", ("late",), None, "<=", "0", "%"),
    "rate(boot) >= 100 %": ("rate", ("boot",), None, ">=", "100", "%"),
    "mean(recall) >= 95 %": ("mean", ("recall",), None, ">=", "95", "%"),
    "failures(query) <= 0": ("failures", ("query",), None, "<=", "0", None),
    "failures(query) <= 3 queries": ("failures", ("query",), None, "<=", "3", "queries"),
    "count(dropouts) <= 0": ("count", ("dropouts",), None, "<=", "0", None),
    "count(clipped) <= 0 samples": ("count", ("clipped",), None, "<=", "0", "samples"),
    "min(items) >= 10000 items": ("min", ("items",), None, ">=", "10000", "items"),
    "min(offset) >= -125 ms": ("min", ("offset",), None, ">=", "-125", "ms"),
    "max(offset) <= 45 ms": ("max", ("offset",), None, "<=", "45", "ms"),
    "max(share) <= 200 %": ("max", ("share",), None, "<=", "200", "%"),
    "duration(window) >= 48 h": ("duration", ("window",), None, ">=", "48", "h"),
    "equal(rest, grpc)": ("equal", ("rest", "grpc"), None, None, None, None),
    "equivalence(grpc, rest) <= 5 ms": ("equivalence", ("grpc", "rest"), None, "<=", "5", "ms"),
    "equivalence(new, old) <= 0.5 dB": ("equivalence", ("new", "old"), None, "<=", "0.5", "dB"),
    "p95-regression(mixed, rest-alone) <= 25 ms": (
        "regression",
        ("mixed", "rest-alone"),
        "0.95",
        "<=",
        "25",
        "ms",
    ),
    "p99.9-regression(new, old) <= 2 MB": ("regression", ("new", "old"), "0.999", "<=", "2", "MB"),
    "all-pass": ("all-pass", (), None, None, None, None),
}


@pytest.mark.parametrize("text", GOOD)
def test_a_limit_is_read_as_it_is_written(text):
    statistic, names, quantile, comparison, bound, unit = GOOD[text]
    assert parse_limit(text) == Limit(
        text=text, statistic=statistic, measurements=names, quantile=quantile, comparison=comparison, bound=bound,
        unit=unit,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("  p95( search )<=120 ms ", "p95(search) <= 120 ms"),
        ("p95.0(search) <= 120.00 ms", "p95(search) <= 120 ms"),
        ("p095(search) <= 0120 ms", "p95(search) <= 120 ms"),
        ("p95(search) <= 120ms", "p95(search) <= 120 ms"),
        ("failures(query)<=007", "failures(query) <= 7"),
        ("equal(a,b)", "equal(a, b)"),
        ("equal( a , b )", "equal(a, b)"),
        (" all-pass ", "all-pass"),
        ("equivalence( a,b )<=5.0ms", "equivalence(a, b) <= 5 ms"),
        ("p95.0-regression(a,b) <= 025 ms", "p95-regression(a, b) <= 25 ms"),
        ("min(offset) >= -0 ms", "min(offset) >= 0 ms"),
    ],
)
def test_two_texts_that_mean_the_same_are_one_limit(text, spelled):
    assert parse_limit(text) == parse_limit(spelled)
    assert parse_limit(text).text == spelled


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("", "is not understood", "write it like"),
        ("fast", "is not understood", "write it like"),
        ("p95 <= 120 ms", "is not understood", "write it like"),
        ("p95() <= 120 ms", "is not understood", "write it like"),
        ("p95(Search) <= 120 ms", "is not understood", "write it like"),
        ("p95(search) <= 120 ms or so\n", "is no unit", "write a number and a unit"),
        ("all-pass <= 0", "is not understood", "all-pass"),
        ("p95(search)", "has no bound", "write it like"),
        ("p95(search) <= ms", "has no bound that can be read", "write a number and a unit"),
        ("p95(search) <= 1e3 ms", "has no bound that can be read", "write a number and a unit"),
        ("p95(search) <= 1,5 s", "has no bound that can be read", "write a number and a unit"),
        ("p95(search) <= nan ms", "has no bound that can be read", "write a number and a unit"),
        ("p95(search) <= inf ms", "has no bound that can be read", "write a number and a unit"),
        ("p95(search) <= 120 msec", "write ms", "write a number and a unit"),
        ("p95(search) <= 120", "has no unit", "add one"),
        ("p95(search) <= 120 1", "has no bound", "write a number and a unit"),
        ("rate(boot) >= 0.95", "has no unit", "`>= 95 %`"),
        ("p95(search) < 120 ms", "compares with `<`", "use `<=` or `>=`"),
        ("p95(search) > 120 ms", "compares with `>`", "use `<=` or `>=`"),
        ("p95(search) == 120 ms", "compares with `==`", "use `<=` or `>=`"),
        ("p95(search) = 120 ms", "compares with `=`", "use `<=` or `>=`"),
        ("p95(a, b) <= 120 ms", "names two measurements", "only `equal(a, b)`, `equivalence"),
        ("equivalence(a) <= 5 ms", "compares one measurement with nothing", "name two"),
        ("p95-regression(a) <= 5 ms", "compares one measurement with nothing", "name two"),
        ("equivalence(a, a) <= 5 ms", "compares a with itself, which cannot fail", "name two"),
        ("equivalence(a, b)", "has no bound", "write it like"),
        ("equivalence(a, b) <= 5", "has no unit", "add one"),
        ("equivalence(a, b) >= 5 ms", "bounds equivalence from below", "use `<=`"),
        ("equivalence(a, b) <= 0 ms", "can never be proven", "allow for some difference"),
        ("p95-regression(a, b) <= -1 ms", "can never be proven", "allow for some difference"),
        ("p95-regression(a, b) <= 10 %", "bounds a difference in %", "in the measurements' own unit"),
        ("equivalence(a, b) <= 10 %", "bounds a difference in %", "in the measurements' own unit"),
        ("no-regression(a, b) <= 10 ms", "says not of which quantile", "`p95-regression(new, old) <= 25 ms`"),
        ("regression(a, b) <= 10 ms", "says not of which quantile", "`p95-regression(new, old) <= 25 ms`"),
        ("p100-regression(a, b) <= 10 ms", "asks for p100-regression", "p50 over p95"),
        ("p95-growth(a, b) <= 10 ms", "is not understood", "write it like"),
        ("p100(search) <= 120 ms", "asks for p100", "p50 over p95"),
        ("p5(search) <= 120 ms", "asks for p5", "p50 over p95"),
        ("p0(search) <= 120 ms", "asks for p0", "p50 over p95"),
        ("p99.99999(search) <= 120 ms", "asks for p99.99999", "p99.9999"),
        ("median(search) <= 120 ms", "unknown statistic 'median'", "write it like"),
        ("median-rate(search) <= 1 Hz", "unknown statistic 'median-rate'", "write it like"),
        ("count-rate(search) <= 1 Hz", "bounds a count-rate in Hz", "<= 2 per h"),
        ("count-rate(search) <= 1 s", "bounds a count-rate in s", "<= 2 per h"),
        ("count-rate(search) <= 1", "has no unit", "add one"),
        ("count-rate(search) <= 0 per h", "can never be proven", "limit the `count`"),
        ("count-rate(search) >= 1 per h", "bounds count-rate from below", "use `<=`"),
        ("count-rate(search) <= 1 per %", "is no exposure", "number and a unit"),
        ("count-rate(search) <= 1 per per h", "is no exposure", "number and a unit"),
        ("equal(a)", "is no comparison of two", "write `equal(a, b)`"),
        ("equal(a, b) <= 0", "is no comparison of two", "without a bound"),
        ("equal(a, a)", "compares a with itself", "name two measurements"),
        ("rate(boot) >= 95 ms", "bounds a rate in ms", "in %"),
        ("mean(recall) >= 5 items", "bounds a mean in items", "in %"),
        ("duration(window) >= 48 MB", "bounds a duration in MB", "unit of time"),
        ("failures(query) <= 1.5", "bounds failures by 1.5", "a whole number"),
        ("failures(query) <= 1.5 queries", "bounds failures by 1.5 queries", "a whole number"),
        ("failures(query) <= -1 queries", "bounds failures by -1 queries", "a whole number"),
        ("failures(query) <= 0 %", "bounds failures in %", "whole number of things"),
        ("count(dropouts) <= 0 ms", "bounds count in ms", "whole number of things"),
        ("failures(query) >= 0", "bounds failures from below", "use `<=`"),
        ("count(dropouts) >= 1", "bounds count from below", "use `<=`"),
        ("rate(boot) >= 0 %", "is kept by every rate, or by none", "between 0 % and 100 %"),
        ("rate(boot) >= 101 %", "is kept by every rate, or by none", "between 0 % and 100 %"),
        ("rate(boot) <= 100 %", "is kept by every rate, or by none", "between 0 % and 100 %"),
        ("mean(recall) <= -1 %", "is kept by every mean, or by none", "between 0 % and 100 %"),
        ("duration(window) >= 0 h", "is kept by every duration, or by none", "more than no time"),
        ("duration(window) <= -1 h", "is kept by every duration, or by none", "more than no time"),
    ],
)  # fmt: skip
def test_a_limit_that_cannot_be_taken_says_why_and_what_to_write(text, problem, remedy):
    with pytest.raises(LimitError) as caught:
        parse_limit(text)
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy
    assert repr(text) in str(caught.value)


names = st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True)
decimals = st.decimals(0, 10**6, allow_nan=False, allow_infinity=False, places=3).map(Fraction)
positive = decimals.filter(bool).map(decimal_text)
shares = st.fractions(0, 100, max_denominator=1).filter(lambda one: 0 < one < 100).map(decimal_text)
blanks = st.sampled_from(["", " ", "  "])
quantiles = st.integers(500_000, 999_999).map(lambda one: decimal_text(Fraction(one, 10_000)))
sides = st.sampled_from(["<=", ">="])
units = st.sampled_from(["ns", "ms", "s", "h", "MB", "GiB", "Hz", "dB", "items", "shards", "%"])
texts = st.one_of(
    st.builds("p{}({}) {} {} {}".format, quantiles, names, sides, positive, units),
    st.builds("{}({}) {} {} {}".format, st.sampled_from(["min", "max"]), names, sides, positive, units),
    st.builds("{}({}) {} {} %".format, st.sampled_from(["rate", "mean"]), names, sides, shares),
    st.builds("{}({}) <= {}".format, st.sampled_from(["count", "failures"]), names, st.integers(0, 10**9)),
    st.builds("duration({}) {} {} h".format, names, sides, positive),
    st.builds("equal({}, x{})".format, names, names).filter(lambda one: "equal(x" not in one),
    st.just("all-pass"),
)


@given(texts)
def test_a_limits_own_text_means_the_limit(text):
    limit = parse_limit(text)
    assert limit.text == text
    assert parse_limit(limit.text) == limit


@given(texts, blanks, blanks, blanks)
def test_blanks_change_no_limit(text, first, second, third):
    spread = text.replace("(", "(" + first).replace(")", second + ")")
    for sign in ("<=", ">="):
        spread = spread.replace(f" {sign} ", third + sign + first)
    assert parse_limit(spread) == parse_limit(text)


def read(text):
    """The limit, or None where it is refused with a remedy."""
    try:
        return parse_limit(text)
    except LimitError as error:
        return None if error.remedy and error.problem else pytest.fail(f"{error} has no remedy")


@given(texts, st.data())
def test_a_mutilated_limit_is_refused_or_means_what_it_says(text, data):
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 3))
    piece = data.draw(st.sampled_from(["", "0", "-", ".", "%", "(", "\n", "é", ",", "p", " <= "]))
    limit = read(text[:at] + piece + text[at + cut :])
    assert limit is None or parse_limit(limit.text) == limit


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_remedy(text):
    limit = read(text)
    assert limit is None or limit.text


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("p95(search) <= 120 ms", None, 120),
        ("p95(search) <= 120 ms", "s", Fraction(12, 100)),
        ("rate(boot) >= 95 %", "1", Fraction(95, 100)),
        ("failures(query) <= 3", None, 3),
        ("failures(query) <= 3", "items", 3),
    ],
)
def test_the_bound_is_exact_in_any_unit_that_fits(text, unit, number):
    assert bound_of(parse_limit(text), unit) == number


def test_a_limit_without_a_bound_has_none():
    with pytest.raises(ValueError, match=r"equal\(a, b\) has no bound"):
        bound_of(parse_limit("equal(a, b)"))
