import platform
import threading
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_spiral.model.profile import EVIDENCE_LIMIT, KNOWN_FACTS, NAME_PATTERN, Fact, Profile
from pytest_spiral.profiles import probe as probes
from pytest_spiral.profiles.probe import STANDARD, detect, probe


def replaced(monkeypatch: pytest.MonkeyPatch, name: str, broken: Callable[[], Fact]) -> None:
    monkeypatch.setattr(probes, "STANDARD", MappingProxyType({**STANDARD, name: broken}))


def test_the_standard_facts_are_all_that_are_known_but_what_a_target_states() -> None:
    assert set(STANDARD) == set(KNOWN_FACTS) - {"clock.trusted"}


@pytest.mark.timeout(60)
def test_a_detected_profile_is_whole_and_reads_back_from_its_bytes() -> None:
    profile = detect()
    assert [fact.name for fact in profile.facts] == sorted(STANDARD)
    assert all(fact.evidence and fact.command for fact in profile.facts)
    assert msgspec.json.decode(msgspec.json.encode(profile), type=Profile, strict=True) == profile


@pytest.mark.timeout(60)
def test_this_machine_answers_for_what_every_linux_has() -> None:
    profile = detect(["cpu.affinity", "memory", "memory.available", "disk.free", "python.version", "os.name"])
    assert {fact.state for fact in profile.facts} == {"present"}
    assert profile["python.version"].value == platform.python_version()
    memory, available = profile["memory"], profile["memory.available"]
    assert (memory.unit, available.unit) == ("B", "B")
    assert isinstance(memory.value, int)
    assert isinstance(available.value, int)
    assert 0 < available.value <= memory.value


def test_the_host_is_not_named() -> None:
    assert detect(["os.kernel"])["os.kernel"].evidence == platform.release()
    assert not any("hostname" in name or "node" in name for name in STANDARD)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("clock.trusted", "a target states this fact"),
        ("memry", "did you mean memory?"),
        ("frobnication", "no probe answers for frobnication"),
        ("tool", "no probe answers for tool"),
    ],
)
def test_a_name_that_no_probe_answers_for_is_unknown(name: str, told: str) -> None:
    fact = probe(name)
    assert fact.state == "unknown"
    assert told in fact.evidence


@pytest.mark.parametrize("name", ["", "Memory", "tool.", "tool.a/b", "tool.a b", "module.a\0b", "a\n", "-x"])
def test_a_text_that_is_no_fact_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no fact name"):
        probe(name)


def test_a_probe_that_breaks_gives_an_unknown_fact_with_what_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Fact:
        raise RuntimeError("the bus is on fire")

    replaced(monkeypatch, "memory", broken)
    profile = detect(["memory", "os.name"])
    assert profile["memory"].state == "unknown"
    assert "RuntimeError: the bus is on fire" in profile["memory"].evidence
    assert profile["os.name"].state == "present"


@pytest.mark.timeout(60)
def test_a_probe_that_hangs_is_left_behind_and_its_fact_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hung() -> Fact:
        release.wait(30)
        raise RuntimeError("too late to count")

    replaced(monkeypatch, "disk.free", hung)
    try:
        profile = detect(["disk.free", "os.name"])
    finally:
        release.set()
    assert profile["disk.free"].state == "unknown"
    assert "no answer within" in profile["disk.free"].evidence
    assert profile["os.name"].state == "present"


def test_more_names_than_run_at_once_all_get_their_fact() -> None:
    names = [f"module.no_such_module_{number}" for number in range(20)]
    assert {fact.state for fact in detect(names).facts} == {"absent"}


@settings(max_examples=60, deadline=None)
@given(name=st.from_regex(NAME_PATTERN, fullmatch=True), tool=st.booleans())
def test_no_well_formed_name_makes_a_probe_raise(tmp_path_factory: Any, name: str, tool: bool) -> None:
    folder = _program_folder(tmp_path_factory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(folder))
        fact = probe(f"tool.{name}" if tool else f"module.{name}")
    assert fact.state in ("present", "absent", "unknown")
    assert len(fact.evidence.encode()) <= EVIDENCE_LIMIT


@settings(max_examples=60, deadline=None)
@given(name=st.text(max_size=12))
def test_any_text_after_tool_is_a_fact_or_refused_as_no_name(tmp_path_factory: Any, name: str) -> None:
    folder = _program_folder(tmp_path_factory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(folder))
        try:
            fact = probe(f"tool.{name}")
        except ValueError as problem:
            assert "no fact name" in str(problem)  # noqa: PT017 - both ways out are right
            return
    assert fact.name == f"tool.{name}"


def _program_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples, with programs of one letter so that some names are found."""
    folder = tmp_path_factory.getbasetemp() / "letters"
    if not folder.exists():
        folder.mkdir()
        for letter in "abcdefgh":
            path = folder / letter
            path.write_text(f"#!/bin/sh\necho {letter} 1.2\n", encoding="utf-8")
            path.chmod(0o755)
    return folder
