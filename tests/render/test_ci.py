"""Annotations: one line for each blocker in the way, worst first, escaped, at its place in the gates file."""

import pytest

from pytest_spiral.render.ci import render_annotations, render_trouble


def kinds(lines):
    return [line.partition(" ")[0].removeprefix("::") for line in lines]


def test_each_blocker_in_the_way_has_one_line(broken_b1):
    lines = render_annotations(broken_b1.judgement, broken_b1.cards)
    standing = [one for one in broken_b1.judgement.criteria if one.level == "blocker" and str(one.verdict) != "pass"]
    assert len(lines) == len(standing) > 0
    for one in standing:
        assert sum(f"title={one.id} " in line for line in lines) == 1


def test_what_lacks_only_its_environment_is_a_warning_and_comes_last(broken_b1):
    lines = render_annotations(broken_b1.judgement, broken_b1.cards)
    limited = {one.id for one in broken_b1.judgement.criteria if str(one.verdict) == "environment-limited"}
    warned = {line.partition("title=")[2].partition(" ")[0] for line in lines if line.startswith("::warning")}
    assert warned <= limited
    assert kinds(lines) == sorted(kinds(lines))


def test_an_advisory_criterion_is_not_annotated(broken_b1):
    advisory = [one.id for one in broken_b1.judgement.criteria if one.level == "advisory"]
    lines = render_annotations(broken_b1.judgement, broken_b1.cards)
    assert advisory
    assert [line for line in lines for name in advisory if f"title={name} " in line] == []


def test_hostile_words_stay_inside_their_line(broken_b1, hostile):
    name = next(one.id for one in broken_b1.judgement.criteria if str(one.verdict) != "pass" and one.level == "blocker")
    (line,) = [
        line
        for line in render_annotations(broken_b1.but(name, sentence=hostile, limits=()).judgement, broken_b1.cards)
        if f"title={name} " in line
    ]
    assert line.isprintable()
    assert len(line.splitlines()) == 1
    assert "\\x1b[2J" in line


@pytest.mark.parametrize(
    ("why", "line"),
    [
        ("a\nb", "::error title=spiral%3A no evidence::a\\nb"),
        ("100 % ::error::x", "::error title=spiral%3A no evidence::100 %25 ::error::x"),
    ],
)
def test_trouble_is_one_line(why, line):
    assert render_trouble("spiral: no evidence", why) == line
