"""Lines as values: widths in cells, wrapping with hanging indentation, nothing unescaped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.render.layout import Line, Piece, Span, ansi, cells, plain, row, rule, shortened, uncoloured

WORDS = st.lists(st.text("abcdefgh é語", max_size=30), max_size=8)


def too_wide(lines, width):
    """Lines that are wider than they may be, though they could have been broken."""
    return [line.text for line in lines if cells(line.text) > width and len(line.text.split()) > 1]


@given(WORDS, st.integers(min_value=20, max_value=60))
def test_no_line_is_wider_than_the_width_unless_one_word_is(texts, width):
    lines = row([Piece(" name")], [Piece(text) for text in texts], width, 8)
    words = [word for text in texts for word in text.split()]
    if all(cells(word) <= width - 8 for word in words):
        assert too_wide(lines, width) == []


def test_the_check_of_widths_sees_a_wide_line():
    assert too_wide([Line((Span("a bc"),))], 3) == ["a bc"]


@given(WORDS)
def test_nothing_is_lost_in_wrapping(texts):
    lines = row([Piece("x")], [Piece(text) for text in texts], 30, 4)
    assert plain(lines).split() == ["x", *(word for text in texts for word in text.split())]


def test_what_does_not_fit_hangs_under_its_column():
    lines = row([Piece(" name")], [Piece("one two three four"), Piece("five")], 22, 8)
    assert plain(lines) == " name   one two three\n        four   five\n"


def test_a_piece_that_fits_a_line_of_its_own_is_not_broken():
    lines = row([Piece("x")], [Piece("aaaa bbbb"), Piece("cccc dddd")], 16, 4)
    assert plain(lines) == "x   aaaa bbbb\n    cccc dddd\n"


def test_a_lead_wider_than_its_column_is_followed_by_a_blank():
    assert plain(row([Piece("longer")], [Piece("x")], 20, 4)) == "longer x\n"


def test_wide_and_combining_characters_take_the_cells_they_take():
    assert [cells(text) for text in ("ab", "語語", "e\u0301")] == [2, 4, 1]


@pytest.mark.parametrize(
    ("text", "width", "cut"), [("short", 5, "short"), ("longer", 5, "long…"), ("語語語", 5, "語語…")]
)
def test_a_text_is_cut_to_its_width(text, width, cut):
    assert shortened(text, width) == cut


def test_a_rule_is_as_wide_as_the_page():
    assert rule("spiral: B1", 30).text == "───────── spiral: B1 ─────────"
    assert cells(rule("語" * 5, 31).text) == 31


def test_hostile_text_is_escaped_on_its_way_into_a_line(hostile):
    text = plain(row([Piece(hostile)], [Piece(hostile)], 60, 4))
    assert "\x1b" not in text
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert "##[" not in text


@pytest.mark.parametrize("span", [("\x1b[31m", ""), ("a\nb", ""), ("x", "blink")])
def test_a_span_refuses_what_was_not_escaped_and_styles_it_does_not_know(span):
    with pytest.raises(ValueError, match=r"not escaped|no style"):
        Span(*span)


def test_styles_become_colours_only_where_asked():
    lines = [Line((Span(" "), Span("fail", "red bold")))]
    assert ansi(lines) == " \x1b[31;1mfail\x1b[0m\n"
    assert plain(lines) == " fail\n"
    assert [span.style for line in uncoloured(lines) for span in line] == [""]
