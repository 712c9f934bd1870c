"""The facts that requirements are judged on: a machine's, then what was probed in the run, then the target's."""

from collections.abc import Iterable, Mapping

from pytest_spiral.model.evidence import TargetCard
from pytest_spiral.model.profile import KNOWN_FACTS, Fact, Profile


def stated_facts(card: TargetCard) -> dict[str, Fact]:
    """Facts that a target states of itself, such as `clock.trusted`."""
    return {
        name: Fact(
            name=name,
            state="present",
            kind=KNOWN_FACTS.get(name, "environment"),
            value=value,
            evidence=f"{name} = {str(value).lower()}",
            command=f"what target {card.name} states",
        )
        for name, value in card.facts.items()
    }


def all_facts(profile: Profile, probed: Iterable[Fact], card: TargetCard) -> Mapping[str, Fact]:
    """Every fact by name; a later source answers where an earlier one does not know."""
    known = {fact.name: fact for fact in profile.facts}
    for fact in probed:
        known.setdefault(fact.name, fact)
    known.update(stated_facts(card))
    return known
