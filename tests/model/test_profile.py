from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.model.profile import (
    EVIDENCE_LIMIT,
    KNOWN_FACTS,
    Fact,
    Profile,
    bounded_evidence,
    is_fact_name,
    profile_of,
)


def fact(**changes: Any) -> Fact:
    sound: dict[str, Any] = {
        "name": "memory",
        "state": "present",
        "kind": "hardware",
        "evidence": "MemTotal: 1 kB",
        "command": "open /proc/meminfo",
        "value": 1024,
        "unit": "B",
    }
    return Fact(**{**sound, **changes})


@pytest.mark.parametrize("name", [*KNOWN_FACTS, "tool.ssh-keygen", "tool.g++", "tool.7z", "module.PIL", "module.a.b_"])
def test_a_well_formed_name_is_taken(name: str) -> None:
    assert is_fact_name(name)
    assert fact(name=name).name == name


@pytest.mark.parametrize(
    "name", ["", "Memory", "1st", "a b", "a/b", "tool.", "tool.a.", ".a", "a.", "a\n", "tööl", "cpu.Cores", "g++"]
)
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no fact name"):
        fact(name=name)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"state": "maybe"}, "no state"),
        ({"kind": "software"}, "no kind"),
        ({"state": "absent"}, "neither value nor unit"),
        ({"state": "unknown", "value": None}, "neither value nor unit"),
        ({"state": "absent", "unit": None}, "neither value nor unit"),
        ({"value": None}, "a present fact has a value"),
        ({"value": "", "unit": None}, "a present fact has a value"),
        ({"value": float("nan")}, "no value of a fact"),
        ({"value": float("inf")}, "no value of a fact"),
        ({"value": 2**53}, "JSON keeps exact"),
        ({"value": -(2**53)}, "JSON keeps exact"),
        ({"value": True}, "only a number has a unit"),
        ({"value": "64"}, "only a number has a unit"),
        ({"unit": ""}, "is no unit"),
        ({"unit": "G B"}, "is no unit"),
        ({"evidence": ""}, "without evidence is a claim"),
        ({"evidence": "x" * (EVIDENCE_LIMIT + 1)}, "4097 bytes of evidence"),
        ({"evidence": "é" * (EVIDENCE_LIMIT // 2 + 1)}, "4098 bytes of evidence"),
        ({"evidence": "\udcff"}, "not valid Unicode"),
        ({"command": " "}, "states the command"),
    ],
)
def test_a_fact_that_says_more_or_less_than_its_state_allows_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        fact(**changes)


def test_a_refused_fact_cannot_come_from_json_either() -> None:
    good = msgspec.to_builtins(fact())
    assert msgspec.convert(good, Fact) == fact()
    for change in ({"state": "absent"}, {"state": "odd"}, {"extra": 1}, {"value": [1]}, {"evidence": ""}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({**good, **change}, Fact)


def test_facts_are_frozen() -> None:
    with pytest.raises(AttributeError):
        fact().state = "absent"  # type: ignore[misc]


@pytest.mark.parametrize("names", [["b", "a"], ["a", "a"]])
def test_a_profile_out_of_order_or_with_a_name_twice_is_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match="sorted by name"):
        Profile(name="detected", facts=tuple(fact(name=name) for name in names))


def test_a_profile_is_looked_up_by_name() -> None:
    facts = {name: fact(name=name) for name in ("memory", "cpu.cores")}
    profile = profile_of("gate-runner-02", facts)
    assert [each.name for each in profile.facts] == ["cpu.cores", "memory"]
    assert profile["memory"] is facts["memory"]
    assert profile.get("memory") is facts["memory"]
    assert profile.get("disk.free") is None
    assert dict(profile.by_name) == facts


def test_a_fact_under_another_name_makes_no_profile() -> None:
    with pytest.raises(ValueError, match=r"memory holds the fact cpu\.cores"):
        profile_of("detected", {"memory": fact(name="cpu.cores")})


@pytest.mark.parametrize("name", ["", "Rack", "a b", "../x"])
def test_a_malformed_profile_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no profile name"):
        Profile(name=name, facts=())


@given(st.one_of(st.text(min_size=1), st.text(st.characters(), min_size=1).map(lambda text: text * 500)))
def test_any_raw_text_becomes_evidence_that_a_fact_takes(raw: str) -> None:
    kept = bounded_evidence(raw)
    assert fact(evidence=kept).evidence == kept
    whole = raw.encode("utf-8", "backslashreplace")
    if len(whole) <= EVIDENCE_LIMIT:
        assert kept.encode() == whole
    else:
        assert kept.endswith(f"\n[cut: the whole was {len(whole)} bytes]")
        assert whole.startswith(kept.rpartition("\n[cut")[0].encode())
