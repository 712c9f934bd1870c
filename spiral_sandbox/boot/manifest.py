"""Boot manifests: which components there are, in which order they start, and what happens where one does not.

The format is TOML, read strictly; `core.toml` beside this file is commented. Times are in seconds.
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from spiral_sandbox.boot.errors import ManifestError

PLACES = ("python", "program", "folder", "address", "host", "port")
"""What `{…}` may name in a command or a path."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PLACE = re.compile(r"\{([^{}]*)\}")

Seconds = Annotated[float, msgspec.Meta(gt=0, le=600)]
Command = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How it is found out that a component is ready.

    `http` and `grpc` ask `port`; `file` looks at `path`; `exit` runs `run` and takes status 0 for healthy. `within_s`
    is how long one look may take.
    """

    kind: Literal["http", "grpc", "file", "exit"]
    path: str = ""
    run: tuple[str, ...] = ()
    within_s: Seconds = 2.0

    def at(self, places: Mapping[str, str]) -> "Check":
        """This check with its `{…}` filled in."""
        run = tuple(filled(one, places) for one in self.run)
        return Check(kind=self.kind, path=filled(self.path, places), run=run, within_s=self.within_s)


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One component: its command, what it waits for, its health check, and its policy.

    `attempts` counts the first one too. Before the n-th retry the supervisor waits `back_off_s` doubled n - 1 times.
    `standby_for` makes it the one that is started when the named component has used up its attempts.
    """

    name: str
    run: Command
    check: Check
    after: tuple[str, ...] = ()
    port: Annotated[int, msgspec.Meta(ge=1024, le=65535)] | None = None
    attempts: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1
    back_off_s: Seconds = 0.05
    ready_within_s: Seconds = 5.0
    stop_within_s: Seconds = 1.0
    standby_for: str = ""

    @property
    def limit_s(self) -> float:
        """The longest that bringing it up or giving it up can take by its policy, each attempt stopped included."""
        waits = self.back_off_s * ((1 << (self.attempts - 1)) - 1)
        return self.attempts * (self.check.within_s + self.ready_within_s + self.stop_within_s) + waits


class Manifest(msgspec.Struct, frozen=True):
    """A manifest that holds: every name is known, and there is an order. `digest` is of its bytes."""

    name: str
    digest: str
    boot_within_s: float
    parts: tuple[Part, ...]

    def primaries(self) -> tuple[Part, ...]:
        """The components that are to be booted, each after all that it waits for."""
        known = {part.name: part for part in self.parts if not part.standby_for}
        order = TopologicalSorter({name: part.after for name, part in known.items()}).static_order()
        return tuple(known[name] for name in order)

    def standby(self, name: str) -> Part | None:
        """The one that stands by for a component, if there is one."""
        return next((part for part in self.parts if part.standby_for == name), None)

    def limit_s(self, name: str) -> float:
        """The longest until a component's outcome stands: its policy, its standby's, and what it waits for."""
        (part,) = (one for one in self.parts if one.name == name)
        standby = self.standby(name)
        waits = max((self.limit_s(one) for one in part.after), default=0.0)
        return waits + part.limit_s + (standby.limit_s if standby else 0.0)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal[1]
    name: str
    component: Annotated[tuple[Part, ...], msgspec.Meta(min_length=1)]
    boot_within_s: Seconds = 60.0


def load_manifest(path: Path) -> Manifest:
    """Read a manifest's file; raises ManifestError, also where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"The boot manifest {path} cannot be read: {error}.") from error
    return parse_manifest(text, str(path.name))


def parse_manifest(text: str, source: str) -> Manifest:
    """The manifest in a text, `source` being what messages call it; raises ManifestError."""
    try:
        read = msgspec.convert(tomllib.loads(text), _File)
    except (ValueError, RecursionError) as error:  # msgspec's and TOML's own are ValueErrors
        raise ManifestError(f"The boot manifest {source} cannot be taken: {error}.") from error
    trouble = _trouble(read.component)
    if trouble:
        raise ManifestError(f"The boot manifest {source} cannot be taken: {trouble}")
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return Manifest(read.name, digest, read.boot_within_s, read.component)


def _trouble(parts: Sequence[Part]) -> str:
    """The first thing that does not hold, as the end of a sentence; empty where all does."""
    names = [part.name for part in parts]
    known = {part.name: part for part in parts}
    for part in parts:
        if not _NAME.fullmatch(part.name):
            return f"{part.name!r} is no name of a component; write small letters, digits and dashes."
        if names.count(part.name) > 1:
            return f"the component {part.name!r} stands twice."
        if own := _own_trouble(part) or _unknown(part, known):
            return own
    return _cycle(known)


def _own_trouble(part: Part) -> str:
    asks = part.check.kind in ("http", "grpc")
    if asks and part.port is None:
        return f"{part.name} is asked over {part.check.kind} and has no `port`."
    if (part.check.kind == "file") != bool(part.check.path):
        return f"the check of {part.name} has a `path` exactly where its kind is file."
    if (part.check.kind == "exit") != bool(part.check.run):
        return f"the check of {part.name} has a `run` exactly where its kind is exit."
    for text in (*part.run, *part.check.run, part.check.path):
        for place in _PLACE.findall(text):
            if place not in PLACES:
                return f"{part.name} names {{{place}}}; there are {', '.join(PLACES)}."
    return ""


def _unknown(part: Part, known: Mapping[str, Part]) -> str:
    for name in part.after:
        if name not in known or known[name].standby_for:
            what = "is a standby" if name in known else "is not in the manifest"
            return f"{part.name} waits for {name!r}, which {what}."
    if not part.standby_for:
        return ""
    if part.standby_for not in known or known[part.standby_for].standby_for:
        return f"{part.name} stands by for {part.standby_for!r}, which is no component of the manifest."
    if sum(one.standby_for == part.standby_for for one in known.values()) > 1:
        return f"{part.standby_for} has more than one standby."
    return f"{part.name} is a standby and waits for nobody; take its `after` away." if part.after else ""


def _cycle(known: Mapping[str, Part]) -> str:
    try:
        TopologicalSorter({name: part.after for name, part in known.items()}).prepare()
    except CycleError as error:
        return f"components wait for each other: {' waits for '.join(reversed(error.args[1]))}."
    return ""


def filled(text: str, places: Mapping[str, str]) -> str:
    """A text with its `{…}` filled in."""
    return _PLACE.sub(lambda found: places[found[1]], text)
