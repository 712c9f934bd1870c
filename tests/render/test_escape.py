"""Escaping: nothing that a test says can act on the reader's terminal, page or CI."""

import re
import unicodedata
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.render import escape

SINKS = {
    "terminal": escape.terminal,
    "markdown": escape.markdown,
    "markdown_code": escape.markdown_code,
    "html": escape.html,
    "xml": escape.xml,
    "allure": escape.allure,
    "ci_property": escape.ci_property,
    "properties_value": escape.properties_value,
    "properties_key": escape.properties_key,
}
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)


def unseen(text):
    """Characters that a reader cannot see."""
    return [one for one in text if unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


def test_the_hostile_text_is_hostile(hostile):
    assert {"\x1b", "\u202e", "\n", "\ud800"} <= set(unseen(hostile))


@pytest.mark.parametrize("sink", SINKS.values(), ids=SINKS)
def test_no_sink_lets_an_unseen_character_through(sink, hostile):
    assert unseen(sink(hostile)) == []


@given(ANY_TEXT)
def test_whatever_the_text_every_sink_gives_one_printable_line(text):
    for sink in SINKS.values():
        assert unseen(sink(text)) == []
        sink(text).encode("utf-8")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain, even é and 語", "plain, even é and 語"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\u202eexe.gpj", "\\u202eexe.gpj"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("\uffff", "\\uffff"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text, seen):
    assert escape.visible(text) == seen


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("::error::forged", "\\::error::forged"),
        ("  ::set-output name=x::y", "  \\::set-output name=x::y"),
        ("##[error]x ##vso[task] ##teamcity[x", "#\\#[error]x #\\#vso[task] #\\#teamcity[x"),
        ("tests/test_x.py::test_y", "tests/test_x.py::test_y"),
        ("# heading #2", "# heading #2"),
    ],
)
def test_a_log_line_holds_no_command_of_a_ci_runner(text, seen):
    assert escape.terminal(text) == seen


@given(ANY_TEXT)
def test_escaping_for_the_terminal_twice_changes_nothing_more(text):
    assert escape.terminal(escape.terminal(text)) == escape.terminal(text)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a | b", "a \\| b"),
        ("a \\| b", "a \\\\\\| b"),
        ("<b>&lt;", "&lt;b&gt;&amp;lt;"),
        ("[x](http://e)", "\\[x\\](http:\\//e)"),
        ("www.evil.example", "www\\.evil.example"),
        ("*a* _b_ snake_case", "\\*a\\* \\_b\\_ snake_case"),
        ("# h", "\\# h"),
    ],
)
def test_markdown_holds_no_markup_of_the_texts_own(text, seen):
    assert escape.markdown(text) == seen


@given(ANY_TEXT)
def test_a_table_row_keeps_its_cells_whatever_they_say(text):
    for sink in (escape.markdown, escape.markdown_code):
        row = f"| {sink(text)} | end |"
        assert cells_of(row) == 2


def cells_of(row):
    """Count the cells of a row as GFM does: bars that no backslash stands before."""
    inner, cells, at = row.strip()[1:-1], 1, 0
    while at < len(inner):
        at += 2 if inner[at] == "\\" else 1
        cells += inner[at : at + 1] == "|"
    return cells


def test_the_counter_of_cells_sees_an_unescaped_bar():
    assert cells_of("| a | b | end |") == 3


@pytest.mark.parametrize("text", ["`", "``x`", "a`b``c```", "x"])
def test_a_code_span_cannot_be_ended_from_inside(text):
    span = escape.markdown_code(text)
    fence = span[: len(span) - len(span.lstrip("`"))]
    inside = span[len(fence) : -len(fence)]
    assert span.endswith(fence)
    assert text in inside
    assert all(len(run) != len(fence) for run in re.findall("`+", inside))


@given(ANY_TEXT)
def test_any_text_makes_well_formed_xml(text):
    tree = ET.fromstring(f'<a b="{escape.xml(text)}">{escape.xml(text)}</a>')  # noqa: S314 - made here
    assert tree.text == (escape.visible(text) or None)
    assert tree.get("b") == escape.visible(text)


@given(ANY_TEXT)
def test_no_text_ends_a_section_of_xml(text):
    for hostile in (text, f"{text}]]>{text}", f"]]{text}>"):
        assert "]]>" not in escape.xml(hostile)
        assert "<" not in escape.xml(hostile)


def test_unescaped_text_would_break_the_page(hostile):
    with pytest.raises(ET.ParseError):
        ET.fromstring(f"<a>{escape.visible(hostile)}</a>")  # noqa: S314 - made here


@pytest.mark.parametrize(
    ("text", "message", "prop"),
    [
        ("50%\nb", "50%25%0Ab", "50%25\\nb"),
        ("a:b,c", "a:b,c", "a%3Ab%2Cc"),
        ("x\r\n::error::y", "x%0A::error::y", "x\\r\\n%3A%3Aerror%3A%3Ay"),
    ],
)
def test_a_workflow_command_cannot_be_ended_from_inside(text, message, prop):
    assert escape.ci_message(text) == message
    assert escape.ci_property(text) == prop


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("Decision stage B", "NO-GO", "Decision\\ stage\\ B=NO-GO"),
        ("a=b", " c:d", "a\\=b=\\ c\\:d"),
        ("#x", "\\u0041", "\\#x=\\\\u0041"),
        ("é", "😀", "\\u00e9=\\ud83d\\ude00"),
    ],
)
def test_a_line_of_properties_is_read_back_as_it_was(key, value, line):
    assert f"{escape.properties_key(key)}={escape.properties_value(value)}" == line
