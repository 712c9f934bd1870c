"""The declared rules: who is there, which words go to whom, what a mood allows. They are data, and part of every log."""

from typing import Annotated

from msgspec import Meta

from spiral_sandbox import tables
from spiral_sandbox.tables import Text

Weight = Annotated[int, Meta(ge=1, le=1000)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Words = tuple[Text, ...]


class When(tables.Row, frozen=True):
    """What must hold for a rule to speak; what is not named is not asked.

    `words`: one of them is in the request. `moods`: the session is in one of them. `question`: the request asks.
    `pause_ms`: so long at least since the request before. `turn`: this is at least the so-manieth request.
    """

    words: Words = ()
    moods: Words = ()
    question: bool = False
    pause_ms: Count = 0
    turn: Count = 0


class Rule(tables.Row, frozen=True):
    """A rule gives votes to agents where its condition holds."""

    name: Text
    when: When
    votes: Annotated[dict[str, Weight], Meta(min_length=1)]


class Model(tables.Row, frozen=True):
    """One way for an agent to work: its weight in the draw, and the figures that the agent works by."""

    name: Text
    agent: Text
    weight: Weight
    figures: dict[str, Count]


class Mood(tables.Row, frozen=True):
    """A mood, the words that bring it, and the modulation presets it allows, with weights."""

    name: Text
    words: Words
    presets: Annotated[dict[str, Weight], Meta(min_length=1)]


class Rules(tables.Document, frozen=True):
    """Everything that crown decides by.

    `otherwise` answers where no rule speaks. `most_calls` and `deepest` bound what one request may set off,
    `remembered` how many notes a session keeps in mind, `script_bonus` what a script's wish adds to a preset's weight.
    """

    otherwise: Text
    most_calls: Annotated[int, Meta(ge=1, le=1000)]
    deepest: Annotated[int, Meta(ge=1, le=50)]
    remembered: Annotated[int, Meta(ge=1, le=100)]
    script_bonus: Annotated[int, Meta(ge=0, le=1000)]
    mood: Annotated[tuple[Mood, ...], Meta(min_length=1)]
    model: Annotated[tuple[Model, ...], Meta(min_length=1)]
    rule: tuple[Rule, ...]

    def __post_init__(self) -> None:
        """Refuse names that are there twice, and agents without a model."""
        tables.demand_unique((one.name for one in self.mood), "moods")
        tables.demand_unique((one.name for one in self.model), "models")
        tables.demand_unique((one.name for one in self.rule), "rules")
        named = {self.otherwise, *(agent for rule in self.rule for agent in rule.votes)}
        if strangers := sorted(named - set(self.agents)):
            raise ValueError(f"no model belongs to the agent {', '.join(strangers)}")
        moods = {one.name for one in self.mood}
        if unknown := sorted({mood for rule in self.rule for mood in rule.when.moods} - moods):
            raise ValueError(f"{', '.join(unknown)} is no mood")

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents that have a model, in the order of the file."""
        return tuple(dict.fromkeys(one.agent for one in self.model))

    def models_of(self, agent: str) -> dict[str, Model]:
        """The models of an agent by name."""
        return {one.name: one for one in self.model if one.agent == agent}

    def mood_named(self, name: str) -> Mood:
        """The mood of that name; ValueError with those that there are."""
        for one in self.mood:
            if one.name == name:
                return one
        raise ValueError(f"mood {name!r} is not known; known are {', '.join(one.name for one in self.mood)}")


def load_rules() -> Rules:
    """The rules of this package."""
    return parse_rules(tables.packaged(__package__, "rules.toml"))


def parse_rules(text: str) -> Rules:
    """Rules from TOML; ValueError, saying where, if they cannot be followed."""
    return tables.read(text, Rules, "rules.toml")
