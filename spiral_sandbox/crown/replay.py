"""Replaying a session from its log alone, and naming the first step at which the two part.

What came from outside is read from the log: requests, the clock, memory, live agents. All else is done again: draws,
decisions, calls, answers, the state. Each step done is compared with the step logged before the next one begins.
"""

import difflib
import json
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import msgspec

from spiral_sandbox.crown.canonical import Plain, canonical, digest_of
from spiral_sandbox.crown.decider import Wish
from spiral_sandbox.crown.disturbance import HONEST, Disturbance
from spiral_sandbox.crown.errors import CrownError
from spiral_sandbox.crown.log import Record, read_log
from spiral_sandbox.crown.session import Opening, Session, Sources

_LONGEST_VALUE = 400
_AFTER_THE_END = "no further step"
_NOT_THERE = "not there"


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """The first step at which log and replay part: the field, what the log has, what the replay has, and a diff."""

    step: int
    kind: str
    field: str
    logged: str
    replayed: str
    diff: str = ""

    @property
    def sentence(self) -> str:
        """The divergence in one sentence."""
        where = f"step {self.step} ({self.kind}), {self.field}"
        return f'{where}: the log has "{self.logged}", the replay has "{self.replayed}"'


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One replayed step: `route` is who acts there, by which model; `result` the digest of all that was told."""

    step: int
    kind: str
    route: str
    state: str
    result: str


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay came to; `head` is the digest over all steps as they were replayed."""

    steps: list[Step]
    divergence: Divergence | None

    @property
    def head(self) -> str:
        """One digest for the whole replay."""
        return digest_of(msgspec.to_builtins(self.steps))


class _PartedError(Exception):
    """Carries the divergence out of whatever the session was doing."""

    def __init__(self, divergence: Divergence) -> None:
        super().__init__(divergence.sentence)
        self.divergence = divergence


def step_of(number: int, kind: str, body: Plain, state: str) -> Step:
    """A step as it is compared and reported."""
    route = "/".join(str(body[key]) for key in ("by", "agent", "to", "model", "preset") if key in body)
    return Step(step=number, kind=kind, route=route, state=state, result=digest_of([kind, body]))


def steps_of(records: Sequence[Record]) -> list[Step]:
    """The steps that a log tells of."""
    return [step_of(one.step, one.kind, one.body, one.state) for one in records]


def replay_log(data: bytes, disturbance: Disturbance = HONEST) -> Replay:
    """Replay a log, given as the bytes of its file. A log that cannot be read parts at its first bad line."""
    records, broken = read_log(data)
    follower = _Follower(records)
    parted = _follow(follower, disturbance)
    if broken is not None and (parted is None or parted.step >= broken.step):
        parted = Divergence(
            step=broken.step, kind="unreadable", field=broken.field, logged=broken.stands, replayed=broken.due
        )
    return Replay(steps=follower.steps, divergence=parted)


def _follow(follower: "_Follower", disturbance: Disturbance) -> Divergence | None:
    try:
        session = Session(follower.opening(), follower, _NOWHERE, disturbance)
        while follower.kind == "request":
            asked = follower.request()
            session.modulate(asked) if isinstance(asked, Wish) else session.ask(asked)
        session.close()
        follower.finish()
    except _PartedError as parted:
        return parted.divergence
    except (CrownError, ValueError) as error:  # the log asks for what crown refuses, so crown never wrote it
        return follower.refused(error)
    return None


class _Follower:
    """The tape of a replay: hears from the log, and compares what it is told with it."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self._place = 0
        self.steps: list[Step] = []

    @property
    def kind(self) -> str:
        """The kind of the next step in the log, or that there is none."""
        return self._records[self._place].kind if self._place < len(self._records) else _AFTER_THE_END

    def opening(self) -> Opening:
        """What the logged session began with."""
        opening: Opening = self._converted(self._due("opened"), Opening)
        return opening

    def request(self) -> Wish | str:
        """The request that comes next: a step of a script, or a text."""
        body = self._due("request")
        told: Wish | str = self._converted(body["wish"], Wish) if "wish" in body else self._field(body, "text", str)
        return told

    def hear(self, kind: str, source: Callable[[], Plain]) -> Plain:
        """What the log says came from outside at this step."""
        del source  # a replay asks nobody
        return self._field(self._due(kind), "told", _SHAPES[kind])

    def tell(self, kind: str, body: Plain, state: str) -> None:
        """Compare the step done with the step logged."""
        self.steps.append(step_of(self._place, kind, body, state))
        if self.kind != kind:
            self._part(kind, "kind", self.kind, kind)
        logged = self._records[self._place]
        if parted := compare_plain(logged.body, body):
            self._part(kind, *parted, diff=render_diff(logged.body, body))
        if logged.state != state:
            self._part(kind, "state", logged.state, state)
        self._place += 1

    def finish(self) -> None:
        """Nothing may stand after the end."""
        if self._place < len(self._records):
            self._part(self.kind, "kind", self.kind, _AFTER_THE_END)

    def refused(self, error: Exception) -> Divergence:
        """Crown refuses what the log has at this step."""
        return self._divergence(self.kind, "body", "accepted", f"refused: {error}", "")

    def _due(self, kind: str) -> dict[str, Any]:
        if self.kind != kind:
            self._part(kind, "kind", self.kind, kind)
        return self._records[self._place].body

    def _field(self, body: dict[str, Any], name: str, shape: Any) -> Any:
        if name not in body:
            self._part(self.kind, name, _NOT_THERE, "there")
        return self._converted(body[name], shape)

    def _converted(self, told: Plain, shape: Any) -> Any:
        try:
            return msgspec.convert(told, shape)
        except msgspec.ValidationError as error:
            self._part(self.kind, "body", _short(told), f"refused: {error}")

    def _part(self, kind: str, field: str, logged: Any, replayed: Any, diff: str = "") -> NoReturn:
        raise _PartedError(self._divergence(kind, field, logged, replayed, diff))

    def _divergence(self, kind: str, field: str, logged: Any, replayed: Any, diff: str) -> Divergence:
        told = {"logged": _short(logged), "replayed": _short(replayed)}
        return Divergence(step=self._place, kind=kind, field=field, diff=diff, **told)


def compare_plain(logged: Plain, replayed: Plain, at: str = "") -> tuple[str, Plain, Plain] | None:
    """The first field in which two values differ, with what stands there on either side; None where they are alike."""
    if canonical(logged) == canonical(replayed):
        return None
    if isinstance(logged, dict) and isinstance(replayed, dict):
        for key in sorted({*logged, *replayed}):
            pair = logged.get(key, _NOT_THERE), replayed.get(key, _NOT_THERE)
            if parted := compare_plain(*pair, at=f"{at}.{key}" if at else key):
                return parted
    if isinstance(logged, list) and isinstance(replayed, list):
        for place in range(max(len(logged), len(replayed))):
            pair = _at(logged, place), _at(replayed, place)
            if parted := compare_plain(*pair, at=f"{at}[{place}]"):
                return parted
    return at or "body", logged, replayed


def render_diff(logged: Plain, replayed: Plain) -> str:
    """The lines in which two values differ, for people: `-` is the log, `+` the replay."""
    lines = difflib.unified_diff(_lines(logged), _lines(replayed), "log", "replay", n=1, lineterm="")
    return "\n".join(lines)


def _lines(value: Plain) -> list[str]:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1).splitlines()


def _at(values: list[Plain], place: int) -> Plain:
    return values[place] if place < len(values) else _NOT_THERE


def _short(value: Plain) -> str:
    text = value if isinstance(value, str) else canonical(value).decode()
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]} and {len(text) - _LONGEST_VALUE} more"


def _nobody(*_asked: object) -> NoReturn:
    raise AssertionError("a replay asks nobody: it hears from its log")


_SHAPES: dict[str, Any] = {"clock": int, "recall": list[str], "heard": dict[str, Any]}
_NOWHERE = Sources(clock=_nobody, memory=_nobody)
