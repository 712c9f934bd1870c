"""Pictures of limits: standalone, deterministic, and showing what the figures say."""

import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_spiral.model.judgement import LimitVerdict
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.render.svg import HEIGHT, WIDTH, can_be_drawn, render_picture

SVG = "{http://www.w3.org/2000/svg}"


def tree_of(picture):
    return ET.fromstring(picture)  # noqa: S314 - made here


def texts(picture):
    return [element.text for element in tree_of(picture).iter(f"{SVG}text")]


def at(picture, kind):
    """Where the upright line of a kind stands in the plot."""
    lines = [one for one in tree_of(picture).iter(f"{SVG}line") if one.get("class") == kind]
    return float(lines[0].get("x1"))


def quantile(**changes):
    figures = {"value": 4.8, "lower": 4.6, "upper": 5.1, "bound": 120, "margin": 114.9, "samples": 1000}
    picture = tuple(1 + rank / 50 for rank in range(200))
    return LimitVerdict(
        **{
            "limit": "p95(retrieval) <= 120 ms",
            "statistic": "quantile",
            "verdict": Verdict.PASS,
            "unit": "ms",
            "confidence": "0.95",
            "picture": picture,
            **figures,
            **changes,
        }
    )


def rate(**changes):
    figures = {"value": 0.9856, "lower": 0.9533, "bound": 0.95, "margin": 0.0033, "samples": 208, "unit": "1"}
    return LimitVerdict(
        **{"limit": "rate(boot) >= 95 %", "statistic": "rate", "verdict": Verdict.PASS, **figures, **changes}
    )


KINDS = {
    "distribution": quantile(),
    "share": rate(),
    "failures": LimitVerdict(
        limit="failures(x) <= 0",
        statistic="failures",
        verdict=Verdict.FAIL,
        value=10,
        bound=0,
        samples=1000,
        margin=-10,
    ),
    "equal": LimitVerdict(limit="equal(a, b)", statistic="equal", verdict=Verdict.PASS, value=0, bound=0, samples=9),
    "negative": LimitVerdict(
        limit="min(level) >= -30 dBFS", statistic="min", verdict=Verdict.PASS, value=-12.5, bound=-30, unit="dBFS"
    ),
}


@pytest.mark.parametrize("limit", KINDS.values(), ids=KINDS)
def test_a_picture_stands_alone(limit):
    picture = render_picture(limit)
    tree = tree_of(picture)
    assert (tree.get("width"), tree.get("height")) == (str(WIDTH), str(HEIGHT))
    assert {element.tag.removeprefix(SVG) for element in tree.iter()} <= {
        "svg", "title", "desc", "style", "rect", "line", "circle", "path", "text",
    }  # fmt: skip
    outside = re.findall(r"url\(|href|@import|https?://(?!www\.w3\.org/2000/svg)", picture.decode())
    assert outside == []


@pytest.mark.parametrize("limit", KINDS.values(), ids=KINDS)
def test_equal_limits_give_equal_bytes(limit):
    assert render_picture(limit) == render_picture(
        LimitVerdict(**{one: getattr(limit, one) for one in limit.__struct_fields__})
    )


def test_the_picture_says_limit_value_bound_samples_and_verdict():
    told = texts(render_picture(quantile()))
    for part in ("p95 4.8 ms", "bound 5.1 ms", "limit <= 120 ms", "pass", "retrieval, ms (logarithmic)"):
        assert part in told
    assert "1,000 samples, at 95 % confidence, margin 114.9 ms" in told


def test_a_share_is_drawn_in_the_unit_of_its_limit():
    told = texts(render_picture(rate()))
    assert {"rate 98.6 %", "bound 95.3 %", "limit >= 95 %", "boot, %", "100"} <= set(told)


def test_the_bound_stands_on_the_side_of_the_limit_that_it_is_on():
    passed, failed = rate(), rate(verdict=Verdict.FAIL, value=0.88, upper=0.919, lower=0.83)
    assert at(render_picture(passed), "bound") > at(render_picture(passed), "limit")
    assert at(render_picture(failed), "bound") < at(render_picture(failed), "limit")


def test_failed_calls_keep_the_curve_below_all_samples():
    whole, short = (render_picture(quantile(failed=failed)).decode() for failed in (0, 500))
    top = [
        min(float(y) for y in re.findall(r"V([0-9.]+)", re.search(r'class="curve" d="([^"]*)"', one)[1]))
        for one in (whole, short)
    ]
    assert top[0] < top[1]


def test_figures_far_apart_are_drawn_on_powers_of_ten_and_near_ones_are_not():
    near = quantile(bound=6, limit="p95(retrieval) <= 6 ms")
    assert "retrieval, ms" in texts(render_picture(near))
    assert "retrieval, ms (logarithmic)" in texts(render_picture(quantile()))


def test_a_picture_is_readable_on_light_and_on_dark():
    style = tree_of(render_picture(quantile())).find(f"{SVG}style").text
    light, dark = style.split("@media (prefers-color-scheme:dark)")
    names = re.findall(r"\.([a-z]+)\{", light)
    assert names == re.findall(r"\.([a-z]+)\{", dark)
    for name in ("ink", "soft", "good", "bad", "open"):
        for part in (light, dark):
            assert contrast(colour(part, name), colour(part, "panel")) >= 4.5, name  # WCAG 2.2, 1.4.3


def colour(style, name):
    found = re.search(rf"\.{name}\{{fill:#([0-9a-f]{{6}})", style)[1]
    return [int(found[at : at + 2], 16) / 255 for at in (0, 2, 4)]


def contrast(one, other):
    """Contrast ratio of two colours by WCAG 2.2."""
    bright = sorted(luminance(each) for each in (one, other))
    return (bright[1] + 0.05) / (bright[0] + 0.05)


def luminance(colour):
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_measure_of_contrast_finds_grey_on_grey():
    assert contrast([0.5] * 3, [0.6] * 3) < 4.5 < contrast([0] * 3, [1] * 3)


def test_hostile_text_stays_text(hostile):
    picture = render_picture(rate(), title=hostile)
    assert "<script" not in picture.decode()
    assert tree_of(picture).find(f"{SVG}title").text.endswith("&amp; \"'")


@pytest.mark.parametrize(
    "limit", [LimitVerdict(limit="all-pass", statistic="all-pass", verdict=Verdict.PASS), rate(bound=None)]
)
def test_what_has_no_figures_is_not_drawn(limit):
    assert can_be_drawn(rate(bound=None, value=None, lower=None)) is False
    with pytest.raises(ValueError, match="no figures to draw"):
        render_picture(limit)


FIGURE = st.none() | st.floats(min_value=-1e9, max_value=1e9) | st.floats(min_value=0, max_value=1e-6)


@settings(max_examples=60, deadline=None)
@given(FIGURE, FIGURE, FIGURE, st.floats(-1e9, 1e9), st.lists(st.floats(-1e9, 1e9), max_size=12).map(sorted))
@example(None, None, 5e-324, 0.0, [])
def test_any_figures_give_a_well_formed_picture_inside_its_frame(value, lower, upper, bound, samples):
    limit = quantile(value=value, lower=lower, upper=upper, bound=bound, picture=tuple(samples), margin=None)
    if not can_be_drawn(limit):
        return
    for element in tree_of(render_picture(limit)).iter():
        for name in ("x", "x1", "x2", "cx", "y", "y1", "y2", "cy"):
            place = float(element.get(name, "1"))
            assert math.isfinite(place)
            assert 0 <= place <= (WIDTH if "x" in name else HEIGHT) or element.get("text-anchor") == "start"


def test_the_package_of_pictures_reads_no_clock_and_no_file():
    source = Path(render_picture.__code__.co_filename).read_text(encoding="utf-8")
    assert not re.search(r"^(import|from) (time|datetime|random|os|pathlib|io)\b", source, re.MULTILINE)
