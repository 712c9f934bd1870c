from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.rules.units import Quantity, UnitError, convert, decimal_text, dimension, parse_quantity

TIME = ["ns", "us", "ms", "s", "min", "h", "d"]
BYTES = ["B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"]
RATIO = ["1", "%"]
FREQUENCY = ["Hz", "kHz"]
LEVELS = ["dB", "LU", "LUFS", "dBFS"]
COUNTED = ["queries", "items", "boots", "dropouts", "render-callbacks"]
GROUPS = [TIME, BYTES, RATIO, FREQUENCY, *([unit] for unit in LEVELS + COUNTED)]
UNITS = [unit for group in GROUPS for unit in group]

decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6)


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("120 ms", Fraction(120), "ms"),
        ("120ms", Fraction(120), "ms"),
        ("95 %", Fraction(95), "%"),
        ("95%", Fraction(95), "%"),
        ("0.99", Fraction(99, 100), "1"),
        ("64 GiB", Fraction(64), "GiB"),
        ("-14.5 LUFS", Fraction(-29, 2), "LUFS"),
        ("1000 queries", Fraction(1000), "queries"),
        ("  3 s ", Fraction(3), "s"),
        ("0.1 s", Fraction(1, 10), "s"),
    ],
)
def test_a_quantity_is_read_exactly(text: str, number: Fraction, unit: str) -> None:
    assert parse_quantity(text) == Quantity(number, unit)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "ms", "inf ms", "-inf", "nan", "NaN ms", "Infinity s", "0x10 ms", "0xff", "0b11", "0o7", "1e3 ms",
        "1E-3 s", "1e3", "1_000 ms", "1,000 ms", "1'000 ms", "1 000 ms", "5 1", "1.000.000 B", ".5 s", "5. s", "+5 s",
        "--5 s", "- 5 s", "٣ ms", "120 ms ms", "120\u00a0ms", "120\tms", "120items", "1/2 s", "9" * 41, "5 and",
        "120 m s", "3 s!", "5 Items",
    ],
)  # fmt: skip
def test_what_is_no_plain_decimal_with_a_known_unit_is_refused(text: str) -> None:
    with pytest.raises(UnitError):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("msec", "ms"), ("sec", "s"), ("seconds", "s"), ("percent", "%"), ("bytes", "B"), ("Seconds", "s"),
        ("minutes", "min"), ("m", "min"), ("hours", "h"), ("days", "d"), ("µs", "us"), ("usec", "us"), ("KB", "kB"),
        ("mb", "MB"), ("gb", "GB"), ("gib", "GiB"), ("b", "B"), ("hz", "Hz"), ("HZ", "Hz"), ("khz", "kHz"),
        ("db", "dB"), ("lufs", "LUFS"), ("lu", "LU"), ("dbfs", "dBFS"), ("MS", "ms"), ("decibels", "dB"),
    ],
)  # fmt: skip
def test_a_near_miss_of_a_unit_is_refused_with_the_unit_that_was_meant(written: str, meant: str) -> None:
    with pytest.raises(UnitError, match=rf"write {meant}$"):
        parse_quantity(f"5 {written}")


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group[0])
def test_units_of_one_dimension_convert_among_themselves_and_into_no_other(group: list[str]) -> None:
    for unit in group:
        for other in UNITS:
            if other in group:
                assert convert(convert(Fraction(7, 3), unit, other), other, unit) == Fraction(7, 3)
            else:
                with pytest.raises(UnitError) as caught:
                    convert(1, unit, other)
                assert unit in str(caught.value)
                assert other in str(caught.value)


@pytest.mark.parametrize(
    ("number", "source", "target", "result"),
    [
        (1, "s", "ms", Fraction(1000)),
        (1, "ns", "s", Fraction(1, 10**9)),
        (48, "h", "s", Fraction(172800)),
        (2, "d", "h", Fraction(48)),
        (1, "min", "us", Fraction(60_000_000)),
        (64, "GiB", "B", Fraction(68_719_476_736)),
        (1, "TB", "TiB", Fraction(10**12, 2**40)),
        (1, "kB", "B", Fraction(1000)),
        (1, "KiB", "B", Fraction(1024)),
        (95, "%", "1", Fraction(19, 20)),
        (48, "kHz", "Hz", Fraction(48000)),
        (3, "items", "items", Fraction(3)),
    ],
)
def test_conversions_are_exact(number: int, source: str, target: str, result: Fraction) -> None:
    assert convert(number, source, target) == result


@pytest.mark.parametrize("unit", ["", "Items", "items2", "two words", "-items", "and", "or", "not", "GHz", "%%"])
def test_a_word_that_is_neither_a_unit_nor_a_counted_noun_has_no_dimension(unit: str) -> None:
    with pytest.raises(UnitError):
        dimension(unit)


def test_a_quantity_with_no_unit_cannot_be_made() -> None:
    with pytest.raises(UnitError):
        Quantity(Fraction(1), "seconds")


def test_a_number_without_a_finite_decimal_has_no_decimal_text() -> None:
    assert str(Quantity(Fraction(1, 3), "s")) == "1/3 s"
    with pytest.raises(UnitError):
        decimal_text(Fraction(1, 3))


@given(number=decimals, unit=st.sampled_from(UNITS))
def test_what_is_printed_reads_back_as_the_same_quantity(number: Decimal, unit: str) -> None:
    quantity = Quantity(Fraction(number), unit)
    assert parse_quantity(str(quantity)) == quantity


@given(number=st.fractions(), group=st.sampled_from(GROUPS), data=st.data())
def test_a_conversion_over_a_third_unit_gives_the_same(number: Fraction, group: list[str], data: st.DataObject) -> None:
    first, second, third = (data.draw(st.sampled_from(group)) for _ in range(3))
    assert convert(convert(number, first, second), second, third) == convert(number, first, third)


@given(st.text(max_size=30))
def test_any_text_is_a_quantity_or_a_unit_error(text: str) -> None:
    try:
        quantity = parse_quantity(text)
    except UnitError:
        return
    assert parse_quantity(str(quantity)) == quantity
