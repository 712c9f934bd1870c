"""What moved between two bars: spelling is no change, and every way of loosening one is told first."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.model.gate import Control, Criterion
from pytest_spiral.rules.bar import bar_of, judging_fields, what_moved
from pytest_spiral.rules.limits import parse_limit


def a_criterion(*limits, **fields):
    known = {"id": "S1.latency", "samples": 100, "confidence": "0.95"}
    return Criterion(limits=tuple(map(parse_limit, limits or ("p95(search) <= 120 ms",))), **{**known, **fields})


BASE = a_criterion(
    blocks=20, consecutive=3, exposure="20 s", margin="10 ms", seed=1, requires="memory >= 64 GiB", warm_up=5,
    fidelity="staging", assurance="E2", subjects=("memory", "sonic"), sampling="open-loop", census=True, tests=("tests/a", "tests/b"),
    control=Control(of="S1.x", fault="memory.slow"),
)  # fmt: skip


def moved(before, after):
    return [(one.course, one.field) for one in what_moved([before], [after])]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (a_criterion("p95(search) <= 120 ms"), a_criterion("p95(search) <= 0.12 s")),
        (a_criterion("p95( search )<=120 ms"), a_criterion("p95(search) <= 120.0 ms")),
        (a_criterion("rate(x) >= 95 %"), a_criterion("rate(x) >= 95.0 %")),
        (a_criterion("equivalence(a, b) <= 5 ms"), a_criterion("equivalence(a,b) <= 0.005 s")),
        (a_criterion("p95-regression(a, b) <= 5 ms"), a_criterion("p95.0-regression(a, b) <= 5000 us")),
        (a_criterion(confidence="0.95"), a_criterion(confidence="0.950")),
        (a_criterion(exposure="60 s"), a_criterion(exposure="1 min")),
        (a_criterion(margin="0.01 s"), a_criterion(margin="10 ms")),
        (a_criterion(subjects=("a", "b")), a_criterion(subjects=("b", "a"))),
        (a_criterion("max(a) <= 1 s", "max(b) <= 1 s"), a_criterion("max(b) <= 1 s", "max(a) <= 1000 ms")),
        (a_criterion(requires="memory >= 64 GiB"), a_criterion(requires="memory>=64 GiB")),
        (a_criterion(confidence_reason=""), a_criterion(confidence_reason="an old habit")),
    ],
)
def test_another_spelling_is_no_change(one, other):
    assert bar_of(one) == bar_of(other)
    assert moved(one, other) == []


@pytest.mark.parametrize("word", ["equivalence", "p95-regression"])
def test_a_wider_limit_on_a_difference_is_loosened_and_another_baseline_is_another_limit(word):
    before, wider = a_criterion(f"{word}(a, b) <= 5 ms"), a_criterion(f"{word}(a, b) <= 6 ms")
    assert (moved(before, wider), moved(wider, before)) == ([("loosened", "limit")], [("tightened", "limit")])
    assert ("loosened", "limit") in moved(before, a_criterion(f"{word}(b, a) <= 5 ms"))


LOOSER = [
    ("limit", {"limits": (parse_limit("p95(search) <= 121 ms"),)}),
    ("limit", {"limits": ()}),
    ("samples", {"samples": 99}),
    ("samples", {"samples": None}),
    ("confidence", {"confidence": "0.9"}),
    ("confidence", {"confidence": "none"}),
    ("blocks", {"blocks": 0}),
    ("consecutive", {"consecutive": 2}),
    ("exposure", {"exposure": "19 s"}),
    ("exposure", {"exposure": None}),
    ("level", {"level": "advisory"}),
    ("fidelity", {"fidelity": "sandbox"}),
    ("fidelity", {"fidelity": None}),
    ("assurance", {"assurance": "E1"}),
    ("assurance", {"assurance": None}),
    ("subjects", {"subjects": ("memory",)}),
    ("tests", {"tests": ("tests/a", "tests/c")}),
    ("sampling", {"sampling": "closed-loop"}),
    ("planned", {"planned": True}),
    ("control", {"control": None}),
]


@pytest.mark.parametrize(("field", "change"), LOOSER)
def test_each_way_of_loosening_is_told_as_one_and_the_way_back_as_tightening(field, change):
    looser = msgspec.structs.replace(BASE, **change)
    assert moved(BASE, looser) == [("loosened", field)]
    assert moved(looser, BASE)[-1] == ("loosened" if field == "tests" else "tightened", field)
    assert bar_of(looser) != bar_of(BASE)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("seed", {"seed": 2}),
        ("margin", {"margin": None}),
        ("warm_up", {"warm_up": 6}),
        ("census", {"census": False}),
        ("requires", {"requires": "memory >= 32 GiB"}),
        ("control", {"control": Control(of="S1.x", fault="memory.slower")}),
        ("method", {"method": "examine"}),
    ],
)
def test_what_has_no_direction_is_told_as_changed(field, change):
    other = msgspec.structs.replace(BASE, **change)
    assert moved(BASE, other) == moved(other, BASE) == [("changed", field)]


def test_a_need_that_is_added_may_excuse_so_it_loosens():
    free = msgspec.structs.replace(BASE, requires=None)
    assert (moved(free, BASE), moved(BASE, free)) == ([("loosened", "requires")], [("tightened", "requires")])


def test_a_bound_from_below_is_loosened_downward():
    assert moved(a_criterion("rate(x) >= 95 %"), a_criterion("rate(x) >= 94 %")) == [("loosened", "limit")]
    assert moved(a_criterion("rate(x) >= 95 %"), a_criterion("rate(x) >= 96 %")) == [("tightened", "limit")]


def test_a_lower_quantile_is_told_first_as_a_limit_that_is_gone():
    told = what_moved([a_criterion("p95(search) <= 120 ms")], [a_criterion("p90(search) <= 120 ms")])
    assert [(one.course, one.before, one.after) for one in told] == [
        ("loosened", "p95(search) <= 120 ms", "none"),
        ("tightened", "none", "p90(search) <= 120 ms"),
    ]


def test_a_wider_bound_with_a_larger_plan_of_its_own_is_still_loosened():
    narrow = msgspec.structs.replace(parse_limit("max(x) <= 1 s"), samples=5)
    wide = msgspec.structs.replace(parse_limit("max(x) <= 2 s"), samples=50)
    one, other = (msgspec.structs.replace(BASE, limits=(limit,)) for limit in (narrow, wide))
    assert moved(one, other) == [("loosened", "limit")]


def test_loosened_stands_first_whatever_its_name():
    before = [a_criterion(id="S1.a"), a_criterion(id="S1.z"), a_criterion(id="S1.gone")]
    after = [a_criterion(id="S1.a", samples=200), a_criterion(id="S1.z", samples=50), a_criterion(id="S1.new")]
    told = [(one.course, one.criterion) for one in what_moved(before, after)]
    assert told == [("loosened", "S1.gone"), ("loosened", "S1.z"), ("tightened", "S1.a"), ("tightened", "S1.new")]


def test_every_field_of_a_criterion_judges_but_the_reason():
    assert set(judging_fields(BASE)) == set(Criterion.__struct_fields__) - {"confidence_reason"}


@given(st.sets(st.sampled_from(range(len(LOOSER)))))
def test_two_bars_differ_exactly_where_something_moved(chosen):
    fields = {}
    for number in sorted(chosen):
        fields.update(LOOSER[number][1])
    other = msgspec.structs.replace(BASE, **fields)
    assert bool(what_moved([BASE], [other])) == (bar_of(BASE) != bar_of(other)) == bool(chosen)
