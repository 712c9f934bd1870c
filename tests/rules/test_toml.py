"""TOML from outside: every way to be refused is one error."""

import pytest

from pytest_spiral.rules.toml import TomlError, read_toml


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = ", "Invalid value"),
        ("x = " + "[" * 5_000, "nested too deep"),
        ("x = " + "[" * 5_000 + "]" * 5_000, "nested too deep"),
        (f"x = {2**1024}", "more than 1024 bits"),
        (f"x = [{{ y = {-(2**1024)} }}]", "more than 1024 bits"),
        ("x = 0x" + "f" * 50_000, "more than 1024 bits"),
        ("x = 1\n" + "a." * 16 + "a = 1", r"more than 16 parts \(at line 2\)"),
        ("[" + "a . " * 16 + "a]", "more than 16 parts"),
        ("[[" + "'a'.\"b\"." * 8 + "a]]", "more than 16 parts"),
        ("x = { " + "a." * 5_000 + "a = 1 }", "more than 16 parts"),
    ],
)
def test_what_cannot_be_taken_is_one_error(text, words):
    with pytest.raises(TomlError, match=words):
        read_toml(text)


def test_an_integer_of_thousands_of_digits_is_refused():
    with pytest.raises(ValueError, match="digits"):
        read_toml("x = " + "9" * 5_000)


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 2**64])
def test_integers_that_somebody_may_mean_are_left_to_the_reader(value):
    assert read_toml(f"x = {value}") == {"x": value}


def test_dots_in_a_text_and_keys_of_sixteen_parts_are_taken():
    said = "a." * 50
    assert read_toml(f'x = "{said}"') == {"x": said}
    assert list(read_toml("a." * 15 + "a = 1")) == ["a"]
