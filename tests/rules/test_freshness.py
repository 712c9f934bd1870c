"""Freshness: an unchanged tree is never stale, any changed byte in a matched file is, and age is nothing."""

import os

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_spiral.model.gate import Criterion, Gate, Plan
from pytest_spiral.model.profile import Fact, profile_of
from pytest_spiral.rules.criteria import criterion_faults
from pytest_spiral.rules.freshness import changes_of, stale_of
from pytest_spiral.rules.judge import judge
from pytest_spiral.rules.limits import parse_limit
from pytest_spiral.run.inputs import changed_since, read_inputs

SETTINGS = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = st.sampled_from(["a.py", "b.py", "sub/c.py", "sub/deep/d.py", "note.txt", "sub/note.txt"])
TREES = st.dictionaries(NAMES, st.binary(max_size=8), min_size=1)


def bar(**inputs):
    criteria = [
        Criterion(id=f"S1.{word}", limits=(parse_limit("failures(x) <= 0"),), samples=3, inputs=tuple(names))
        for word, names in inputs.items()
    ]
    return Plan(gates=(Gate(id="S1", stage="", criteria=tuple(criteria)),))


def write(root, files):
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@pytest.fixture
def start(bench):
    return bench.criterion("S1.x", "failures(x) <= 0", samples=1).evidence().bundle


def recorded(start, plan, root):
    names = sorted({name for one in plan.criteria() for name in one.inputs} - {"profile"})
    return msgspec.structs.replace(start, inputs=read_inputs(root, names, root / "reports"))


PLAN = bar(python=["**/*.py"], top=["*.py"], notes=["**/*.txt"])


@given(before=TREES, after=TREES)
@SETTINGS
def test_exactly_the_dependants_of_what_changed_are_stale(tmp_path_factory, start, before, after):
    root = tmp_path_factory.mktemp("tree")
    write(root, before)
    known = recorded(start, PLAN, root)
    for name in before:
        (root / name).unlink()
    write(root, after)
    matched = {
        "S1.python": lambda name: name.endswith(".py"),
        "S1.top": lambda name: name.endswith(".py") and "/" not in name,
        "S1.notes": lambda name: name.endswith(".txt"),
    }
    expected = {
        criterion
        for criterion, of in matched.items()
        if {name: data for name, data in before.items() if of(name)}
        != {name: data for name, data in after.items() if of(name)}
        or not any(map(of, before))  # nothing was there, so nobody can tell
    }
    found = changed_since(PLAN, known, root, root / "reports")
    assert {one.criterion for one in found} == expected == set(stale_of(found))


@given(tree=TREES)
@SETTINGS
def test_an_unchanged_tree_is_never_stale_whatever_its_times(tmp_path_factory, start, tree):
    root = tmp_path_factory.mktemp("tree")
    write(root, {**tree, "z.py": b"1", "z.txt": b"2"})
    known = recorded(start, PLAN, root)
    for path in root.rglob("*"):
        os.utime(path, (0, 2**31))
    (root / "__pycache__").mkdir()
    write(root, {"__pycache__/a.py": b"x", "reports/run/a.py": b"y"})
    assert changed_since(PLAN, known, root, root / "reports") == ()


def test_each_change_is_named(tmp_path, start):
    plan = bar(it=["src/*.py", "artifact:dist/*.whl"])
    write(tmp_path, {"src/a.py": b"a", "src/b.py": b"b", "dist/one.whl": b"w"})
    known = recorded(start, plan, tmp_path)
    write(tmp_path, {"src/a.py": b"A", "src/c.py": b"c"})
    (tmp_path / "src/b.py").unlink()
    (tmp_path / "dist/one.whl").unlink()
    found = changed_since(plan, known, tmp_path, tmp_path / "reports")
    assert [one.sentence for one in found] == [
        "src/a.py changed (src/*.py)",
        "src/b.py is gone (src/*.py)",
        "src/c.py is new (src/*.py)",
        "dist/one.whl is gone (artifact:dist/*.whl)",
    ]
    assert stale_of(found)["S1.it"].endswith("; and 1 more")


def test_what_was_not_recorded_is_stale(start):
    plan = bar(it=["src/*.py", "profile"])
    found = changes_of(plan, start, {"src/*.py": {"src/a.py": "sha256:0"}}, None)
    assert [one.what for one in found] == ["unrecorded", "unrecorded"]


def test_another_machine_makes_what_rests_on_the_machine_stale(start):
    def machine(**values):
        facts = {
            name: Fact(name=name, state="present", kind=kind, value=value, evidence="e", command="c")
            for name, (kind, value) in values.items()
        }
        return profile_of("detected", facts)

    plan, before = bar(it=["profile"]), machine(cores=("hardware", 2), load=("environment", 1))
    known = msgspec.structs.replace(start, profile=before)
    same = machine(cores=("hardware", 2), load=("environment", 9))
    assert changes_of(plan, known, {}, same) == ()
    other = changes_of(plan, known, {}, machine(cores=("hardware", 4)))
    assert [one.sentence for one in other] == ["cores changed (profile)"]


def test_a_stale_pass_counts_as_not_run_and_keeps_what_it_was(bench):
    bench.criterion("S1.it", "failures(x) <= 0", samples=3).criterion("S1.other", "failures(x) <= 0", samples=3)
    for name in ("S1.it", "S1.other"):
        bench.measure(name, "x", bench.hits(3), test=f"test_{name[3:]}")
    fresh, stale = judge(bench.evidence()), judge(bench.evidence(), stale={"S1.it": "src/a.py changed"})
    assert [str(one.verdict) for one in fresh.criteria] == ["pass", "pass"]
    assert [(str(one.verdict), str(one.original), one.qualifiers) for one in stale.criteria] == [
        ("not-run", "pass", (*fresh.criteria[0].qualifiers, "stale")),
        ("pass", "pass", fresh.criteria[1].qualifiers),
    ]
    assert (fresh.decision, stale.decision) == ("GO", "NO-GO")
    assert stale.criteria[0].sentence == "src/a.py changed"


@pytest.mark.parametrize(
    "name", ["", " ", "/etc/passwd", "../x.py", "a/../b", "a//b", "src/**", "a**b/c.py", "c:/x", "artifact:", "./a.py"]
)
def test_what_is_no_input_is_refused(name):
    (one,) = bar(it=[name]).criteria()
    assert [fault.key for fault in criterion_faults(one)] == ["inputs"]
