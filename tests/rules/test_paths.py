"""Which names a bundle may hold."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.rules.paths import (
    SEGMENT_LENGTH,
    case_twins,
    check_path,
    clean_segment,
    journal_file,
    journal_process,
    path_faults,
    run_id,
    sample_file,
)

PATHS = [
    ("plan.json", set()),
    ("samples/B1.retrieval-latency/main-0.jsonl", set()),
    ("a/b/c/d/e/f/g/h", set()),
    ("a/b/c/d/e/f/g/h/i", {"path-depth"}),
    ("x" * 100, set()),
    ("x" * 101, {"path-length"}),
    ("/".join(["x" * 79] * 3), set()),
    ("/".join(["x" * 80] * 3), {"path-length"}),
    ("", {"path-name"}),
    ("/etc/passwd", {"path-name"}),
    ("a//b", {"path-name"}),
    ("a/", {"path-name"}),
    ("../a", {"path-name"}),
    ("a/./b", {"path-name"}),
    (".hidden", {"path-name"}),
    ("-rf", {"path-name"}),
    ("a b", {"path-name"}),
    ("a\\b", {"path-name"}),
    ("a:b", {"path-name"}),
    ("ä", {"path-name"}),
    ("a\n", {"path-name"}),
    ("a\0b", {"path-name"}),
    ("\u202egpj.exe", {"path-name"}),
    ("CON", {"path-device"}),
    ("logs/aux.txt", {"path-device"}),
    ("nul.tar.gz", {"path-device"}),
    ("Com1", {"path-device"}),
    ("lpt9.log", {"path-device"}),
    ("console", set()),
    ("com", set()),
    ("com10", set()),
    ("a.con", set()),
]


@pytest.mark.parametrize(("path", "codes"), PATHS, ids=[ascii(path[:30]) for path, _ in PATHS])
def test_a_path_is_judged_by_each_of_its_segments(path, codes):
    assert {code for code, _ in path_faults(path)} == codes
    assert all(sentence.isascii() and sentence.isprintable() for _, sentence in path_faults(path))


@pytest.mark.parametrize(("path", "codes"), PATHS, ids=[ascii(path[:30]) for path, _ in PATHS])
def test_a_path_is_checked_before_it_is_written(path, codes):
    if codes:
        with pytest.raises(ValueError, match="no path of a bundle"):
            check_path(path)
    else:
        assert check_path(path) == path


@pytest.mark.parametrize(
    ("paths", "twins"),
    [
        (["a/x", "a/y"], []),
        (["a/x", "A/y"], [("A", "a")]),
        (["a/x", "a/X"], [("a/X", "a/x")]),
        (["Read.me", "read.me", "README"], [("read.me", "Read.me")]),
        (["a/x", "A/x"], [("A", "a"), ("A/x", "a/x")]),
    ],
)
def test_names_that_differ_by_case_only_are_found(paths, twins):
    assert list(case_twins(paths)) == twins


def test_a_run_id_tells_time_stage_and_nonce():
    assert run_id(1_795_339_800_999_999, "stage_b", "3f9c1a77") == "20261122T093000Z-stage_b-3f9c1a"


@pytest.mark.parametrize("nonce", ["", "3f9c1", "3F9C1A", "../../etc"])
def test_a_run_id_needs_a_nonce(nonce):
    with pytest.raises(ValueError, match="nonce"):
        run_id(0, "stage_b", nonce)


@given(st.integers(0, 10**16), st.text(max_size=200), st.text("0123456789abcdef", min_size=6))
def test_a_run_id_is_always_a_clean_segment(wall, slug, nonce):
    assert not list(path_faults(run_id(wall, slug, nonce)))


@given(st.text(max_size=300) | st.text(string.printable, max_size=300))
def test_every_foreign_name_has_a_clean_segment(name):
    segment = clean_segment(name)
    assert not list(path_faults(segment))
    assert "/" not in segment
    assert clean_segment(segment) == segment


@pytest.mark.parametrize(
    ("name", "segment"),
    [
        ("rest_trace.json", "rest_trace.json"),
        ("Größe der Datei.txt", "Groe_der_Datei.txt"),
        ("../../etc/passwd", "etc_passwd"),
        ("NUL", "x-NUL"),
        ("日本", "file"),
        ("a" * 200 + ".png", "a" * (SEGMENT_LENGTH - 4) + ".png"),
    ],
)
def test_a_foreign_name_stays_recognisable(name, segment):
    assert clean_segment(name) == segment


def test_journals_and_samples_lie_where_the_format_says():
    assert journal_file("gw0") == "journal/gw0.jsonl"
    assert journal_process(journal_file("gw0.x")) == "gw0.x"
    assert sample_file("B1.recall", "gw0", 3) == "B1.recall/gw0-3.jsonl"
    assert re.fullmatch(r"[A-Za-z0-9./_-]+", sample_file("B1.recall", "gw0", 3))
