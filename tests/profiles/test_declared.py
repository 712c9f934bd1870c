"""Declared profiles: read strictly, compared fact by fact, and their checks run with what they print as evidence."""

from pathlib import Path

import pytest

from pytest_spiral.errors import UseError
from pytest_spiral.model.profile import Fact
from pytest_spiral.profiles.declared import load_declared, validate

PROJECT = Path(__file__).resolve().parents[2] / "profiles"
GOOD = """
format = 1
name = "rack"
title = "A rack"
[[fact]]
is = "cpu.cores >= 12"
why = "that is what was bought"
[[check]]
name = "first"
promise = "It is well."
run = ["{python}", "{folder}/check.py"]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "check.py").write_text("print('well')\n")
    return tmp_path


def load(folder, text=GOOD, name="rack"):
    (folder / f"{name}.toml").write_text(text)
    return load_declared(folder, name)


def cores(value):
    if value is None:
        return {"cpu.cores": Fact(name="cpu.cores", state="unknown", kind="hardware", evidence="none", command="ask")}
    return {
        "cpu.cores": Fact(
            name="cpu.cores", state="present", kind="hardware", evidence=str(value), command="ask", value=value
        )
    }


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000, ".".join("a" * 5000) + " = 1"])
def test_a_hostile_profile_is_refused_in_one_sentence(folder, text):
    with pytest.raises(UseError, match="cannot be taken"):
        load(folder, text)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (cores(12), ()),
        (cores(64), ()),
        (cores(11), ("This machine is not rack, which has cpu.cores >= 12: cpu.cores is 11.",)),
        (cores(None), ("This machine is not rack, which has cpu.cores >= 12: cpu.cores: unknown (none).",)),
        ({}, ("This machine is not rack, which has cpu.cores >= 12: cpu.cores: unknown (it was not probed).",)),
    ],
)
def test_each_mismatch_is_one_sentence(folder, facts, told):
    assert load(folder).mismatches(facts) == told


def test_facts_and_checks_are_validated_with_their_evidence(folder):
    facts, first = validate(load(folder), cores(12))
    assert (facts.name, facts.passed, facts.evidence) == ("facts", True, "cpu.cores: present 12")
    assert (first.name, first.passed, first.promise) == ("first", True, "It is well.")
    assert "check.py: ended with status 0\nwell" in first.evidence
    assert str(folder) not in first.evidence


@pytest.mark.parametrize(
    ("script", "within", "words"),
    [
        ("print('ill'); raise SystemExit(1)", 10, "ended with status 1\nill"),
        ("import os; os.kill(os.getpid(), 9)", 10, "ended by signal 9"),
        ("import time; time.sleep(60)", 0.3, "no answer within 0.3 s"),
    ],
)
def test_a_check_that_does_not_end_well_does_not_pass(folder, script, within, words):
    (folder / "check.py").write_text(script)
    _, first = validate(load(folder, f"{GOOD}within_s = {within}\n"), cores(12))
    assert not first.passed
    assert words in first.evidence


def test_a_program_that_is_not_there_does_not_pass(folder):
    _, first = validate(load(folder, GOOD.replace("{python}", "no-such-program")), cores(12))
    assert (first.passed, "not on PATH" in first.evidence) == (False, True)


def test_the_digest_is_of_the_file_and_its_scripts(folder):
    first = load(folder).digest
    assert load(folder).digest == first
    (folder / "check.py").write_text("print('ill')\n")
    assert load(folder).digest != first
    assert load(folder, GOOD + "\n").digest not in (first, load(folder).digest)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("format = 1", "format = 2", "format"),
        ('title = "A rack"', "", "title"),
        ('is = "cpu.cores >= 12"', 'is = "cpu.cors >= 12"', "cpu.cores"),
        ('is = "cpu.cores >= 12"', 'is = "cpu.cores >="', "position"),
        ('is = "cpu.cores >= 12"', 'was = "cpu.cores >= 12"', "was"),
        ('name = "rack"', 'name = "shelf"', "file and name are the same word"),
        ('name = "first"', 'name = "facts"', "has a check 'facts'"),
        ('name = "first"', 'name = "First"', "has a check 'First'"),
        ("[[check]]", "[[checks]]", "checks"),
        ("[[fact]]", "[[facts]]", "fact"),
        ('run = ["{python}", "{folder}/check.py"]', "run = []", "run"),
        ("format = 1", "format = ", "Invalid value"),
    ],
)
def test_what_cannot_be_taken_is_one_sentence(folder, old, new, words):
    assert old in GOOD
    with pytest.raises(UseError, match=words) as caught:
        load(folder, GOOD.replace(old, new))
    assert "\n" not in str(caught.value)


def test_a_check_stands_once(folder):
    with pytest.raises(UseError, match="each name once"):
        load(folder, GOOD + GOOD.partition("[[check]]")[2].join(("[[check]]", "")))


@pytest.mark.parametrize("name", ["sandbox", "gate-runner-02", "production-rack"])
def test_the_projects_profiles_can_be_taken_and_have_the_same_checks(name):
    declared = load_declared(PROJECT, name)
    assert [check.name for check in declared.checks] == ["loopback", "processes", "open-files", "space"]


def test_the_gate_runner_is_what_was_promised():
    facts = {str(fact) for fact in load_declared(PROJECT, "gate-runner-02").facts}
    assert {"cpu.cores >= 12", "cpu.threads >= 24", "memory >= 120 GiB", "not accelerator"} <= facts
