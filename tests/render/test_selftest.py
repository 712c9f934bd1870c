"""The selftest as lines: nothing that came through is left out, and nothing that does not apply reads as caught."""

import msgspec
import pytest

from pytest_spiral.model.gate import Criterion, Gate, Plan
from pytest_spiral.model.record import Attached
from pytest_spiral.render.layout import plain
from pytest_spiral.render.quarantine import render_quarantined
from pytest_spiral.render.selftest import render_selftest
from pytest_spiral.rules.limits import parse_limit
from pytest_spiral.rules.selftest import selftest


def certificate_of(*limits):
    criteria = tuple(
        Criterion(id=f"S1.c{at}", limits=(parse_limit(limit),), samples=5) for at, limit in enumerate(limits)
    )
    return selftest(Plan(gates=(Gate(id="S1", stage="", criteria=criteria),)))


@pytest.fixture(scope="module")
def sound():
    return certificate_of("failures(x) <= 0", "max(x) <= 1 ms")


@pytest.fixture(scope="module")
def blind():
    return certificate_of("failures(x) <= 0", "failures(x) <= 5")


def text_of(bar, judge, width=100):
    return plain(render_selftest(bar, judge, width))


def test_every_criterion_and_every_defect_has_a_line(sound):
    text = text_of(sound, sound)
    for one in sound.criteria:
        assert f"{one.tried} of {one.tried} caught" in text
    for card in sound.defects:
        assert any(line.startswith(f" {card.id} ") for line in text.splitlines())


def test_what_came_through_is_named_with_its_criterion(sound, blind):
    text = text_of(blind, sound)
    missed = blind.criteria[1].missed
    assert missed
    for miss in missed:
        assert f"{miss.defect} came through" in " ".join(text.split())
    assert "came through: S1.c1" in text
    assert "1 of 2" in next(line for line in text.splitlines() if line.startswith(" all-bad "))


def test_a_broken_judge_is_shown_beside_a_sound_bar(sound, blind):
    text = text_of(sound, blind)
    assert text.rpartition("the judge, on a bar")[2].count("S1.c1") == 1


def test_a_defect_that_applies_nowhere_says_where_it_would(sound):
    line = next(line for line in text_of(sound, sound).splitlines() if line.startswith(" two-figures"))
    assert ("none" in line, "applies to a duration" in line) == (True, True)


@pytest.mark.parametrize("width", [60, 80, 140])
def test_lines_fit(blind, width):
    assert all(len(line) <= width for line in text_of(blind, blind, width).splitlines())


def test_quarantined_files_are_told_and_others_are_not(hostile):
    kept = Attached(
        path="attachments/a.txt", name="a.txt", media_type="text/plain", bytes=1, sha256="sha256:" + "0" * 64
    )
    stub = msgspec.structs.replace(
        kept, path="attachments/b.txt.quarantined", name=hostile, quarantined=("private key",)
    )
    struck = msgspec.structs.replace(kept, path="logs/quarantine.json")
    lines = render_quarantined([kept, stub, struck])
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert "looked like a private key" in lines[0]
