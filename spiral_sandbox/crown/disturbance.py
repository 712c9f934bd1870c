"""Faults of crown: the one place where its behaviour can be bent.

The honest `Disturbance` changes nothing; each fault replaces one of its methods. What a fault does really happens to
a session or to a log; no report of it is touched.
"""

import time
from collections.abc import Collection, Sequence

from spiral_sandbox.crown.canonical import Plain
from spiral_sandbox.crown.log import Record, sealed

SPOILT = "kimi-k2-revision"
"""The one recorded session whose log the altering faults change."""

STUB = "crown.stub"
"""The fault that bends nothing but replaces the whole of crown."""


class Disturbance:
    """The seam: sessions ask it while they decide, the shelf when a log is taken from it."""

    hidden: frozenset[str] = frozenset()
    """Kinds of what comes from outside that go past the log."""

    def order(self, names: Sequence[str], number: int) -> Sequence[str]:
        """The order in which candidates stand in the session's draw of that number; they come sorted."""
        del number  # the honest order is always the same
        return names

    def material(self, material: Sequence[str]) -> Sequence[str]:
        """What a draw is made of, beside the seed."""
        return material

    def shelved(self, name: str, records: Sequence[Record]) -> Sequence[Record]:
        """The log of that name as it is when it is taken from the shelf."""
        del name  # the honest shelf gives back what was put there
        return records


class HiddenInput(Disturbance):
    """What memory answers is used and not logged."""

    hidden = frozenset({"recall"})


class HashSeedDependence(Disturbance):
    """Candidates stand in the order of a set, which changes with the interpreter's hash seed."""

    def order(self, names: Sequence[str], number: int) -> Sequence[str]:
        """Whatever order a set has today. With the number in it, no hash seed leaves all draws as they were."""
        return [name for _, name in {(number, name) for name in names}]


class ClockDependence(Disturbance):
    """A draw takes in the machine's own clock, which no log has."""

    def material(self, material: Sequence[str]) -> Sequence[str]:
        """The material, and the time of the draw."""
        return (*material, str(time.monotonic_ns()))


class Altered(Disturbance):
    """One record of one log is changed after it was written, and the chain behind it made good again."""

    kind = ""

    def shelved(self, name: str, records: Sequence[Record]) -> Sequence[Record]:
        """The log with its last record of `kind` changed."""
        if name != SPOILT:
            return records
        place = max(at for at, record in enumerate(records) if record.kind == self.kind)
        bodies = [(record.kind, record.body, record.state) for record in records]
        bodies[place] = (self.kind, self.change(records[place].body), records[place].state)
        return sealed(bodies)

    def change(self, body: Plain) -> Plain:
        """The changed content of the record."""
        raise NotImplementedError


class AlteredStep(Altered):
    """A call says that it asked for something else."""

    kind = "call"

    def change(self, body: Plain) -> Plain:
        """Another text."""
        return {**body, "text": f"{body['text']} And sing."}


class AlteredDecision(Altered):
    """A decision names another model."""

    kind = "decision"

    def change(self, body: Plain) -> Plain:
        """A model that nobody chose."""
        return {**body, "model": f"{body['agent']}-other"}


class AlteredAnswer(Altered):
    """An answer says something else."""

    kind = "answer"

    def change(self, body: Plain) -> Plain:
        """Another text."""
        return {**body, "answer": {**body["answer"], "text": f"{body['answer']['text']} Or not."}}


class _Combined(Disturbance):
    """Several faults at once."""

    def __init__(self, parts: Sequence[Disturbance]) -> None:
        self._parts = parts
        self.hidden = frozenset(kind for part in parts for kind in part.hidden)

    def order(self, names: Sequence[str], number: int) -> Sequence[str]:
        for part in self._parts:
            names = part.order(names, number)
        return names

    def material(self, material: Sequence[str]) -> Sequence[str]:
        for part in self._parts:
            material = part.material(material)
        return material

    def shelved(self, name: str, records: Sequence[Record]) -> Sequence[Record]:
        for part in self._parts:
            records = part.shelved(name, records)
        return records


_PARTS: dict[str, type[Disturbance]] = {
    "crown.hidden-input": HiddenInput,
    "crown.hash-seed-dependence": HashSeedDependence,
    "crown.clock-dependence": ClockDependence,
    "crown.altered-step": AlteredStep,
    "crown.altered-decision": AlteredDecision,
    "crown.altered-answer": AlteredAnswer,
}

HONEST = Disturbance()
"""What bends nothing."""


def disturbance_of(faults: Collection[str]) -> Disturbance:
    """The disturbance for these faults; with none of them, one that does nothing.

    Raises KeyError on a fault that is not built: a plan that changes nothing would be a lie.
    """
    return _Combined([_PARTS[fault]() for fault in sorted(faults) if fault != STUB])
