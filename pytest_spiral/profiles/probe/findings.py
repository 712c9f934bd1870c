"""Facts as probes make them: the kind by the name, the evidence cut to size."""

from pytest_spiral.model.profile import KNOWN_FACTS, Fact, Kind, bounded_evidence


def present(
    name: str,
    value: bool | float | str,
    *,
    evidence: str,
    command: str,
    unit: str | None = None,
) -> Fact:
    """Make a fact that was found, with its value."""
    return Fact(
        name=name,
        state="present",
        value=value,
        unit=unit,
        kind=_kind(name),
        evidence=bounded_evidence(evidence),
        command=command,
    )


def absent(name: str, evidence: str, *, command: str) -> Fact:
    """Make a fact that was looked for, by means that would have shown it, and not found."""
    return Fact(name=name, state="absent", kind=_kind(name), evidence=bounded_evidence(evidence), command=command)


def unknown(name: str, evidence: str, *, command: str) -> Fact:
    """Make a fact that could not be decided, with what stood in the way."""
    return Fact(name=name, state="unknown", kind=_kind(name), evidence=bounded_evidence(evidence), command=command)


def _kind(name: str) -> Kind:
    return KNOWN_FACTS.get(name, "environment")
