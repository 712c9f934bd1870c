"""What has changed since a run recorded what its criteria rest on."""

from typing import Final, Literal

from pytest_spiral.model.base import Value

What = Literal["changed", "new", "gone", "nothing-there", "unrecorded"]
State = Literal["fresh", "stale", "undeclared", "unknown"]


class InputChange(Value, frozen=True, kw_only=True):
    """One change of one input of a criterion. `path` is the file, or the fact of the machine (empty: the whole input)."""

    criterion: str
    name: str
    what: What
    path: str = ""

    @property
    def sentence(self) -> str:
        """In a few words: `src/a.py changed (src/*.py)`; a pattern that is the path itself is not said again."""
        where = f"{self.path} " if self.path else ""
        by = f" ({self.name})" if self.name != self.path else ""
        return f"{where}{_WORDS[self.what]}{by}"


class Standing(Value, frozen=True, kw_only=True):
    """Whether a criterion's newest sealed `run` still holds, and why not; `unknown` where nobody can tell."""

    criterion: str
    target: str
    run: str = ""
    state: State
    sentence: str = ""


_WORDS: Final[dict[What, str]] = {
    "changed": "changed",
    "new": "is new",
    "gone": "is gone",
    "nothing-there": "matched nothing when the run began",
    "unrecorded": "was not recorded, or cannot be seen now",
}
