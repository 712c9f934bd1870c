"""Reading `[tool.spiral.targets.NAME]` of pyproject.toml strictly: every mistake is one sentence with line and remedy."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from pytest_spiral.errors import GatesFileError, TargetError
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.live import LiveComponentCard, LiveService, LiveTarget
from pytest_spiral.model.profile import is_fact_name
from pytest_spiral.profiles.probe.variables import variables
from pytest_spiral.rules.redact import SHORTEST_SECRET
from pytest_spiral.rules.units import convert, parse_quantity
from pytest_spiral.run.tables import Place, Tables, parse_toml

FILE: Final = "pyproject.toml"
CHALLENGES: Final = ("nonce-item", "run-certificate")
"""What can be asked of a component that no rig holds; one that is played back is `recorded` without being asked."""

_CODECS: Final = ("protobuf", "json")
_SHARED: Final = ("ca", "cert", "key", "codec", "credential", "credentials", "send_credential")
_PLACE: Final = ("rest", "grpc", "replay", *_SHARED)
_TARGET: Final = ("fidelity", "controls", "timeout", "retries", "facts", "components", *_SHARED)
_COMPONENT: Final = ("challenge", "services", *_PLACE)
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
_TIMEOUT_S: Final = 5.0
_LEAST_TIMEOUT_S: Final = 0.01
_MOST_TIMEOUT_S: Final = 600
_MOST_RETRIES: Final = 10


def load_targets(root: Path) -> dict[str, LiveTarget]:
    """The targets that the project configures, by name; none where there is no file. Raises GatesFileError."""
    path = root / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise GatesFileError(f"it cannot be read ({error}).", path=FILE, remedy="save it as UTF-8.") from error
    if "spiral" not in text:
        return {}
    return parse_targets(text)


def target_secrets(name: str, root: Path) -> tuple[str, ...]:
    """Values of the credentials of a configured target, which must never be written; raises UseError for a short one.

    None where that target is an installed one. Looks into the file only where a target is named.
    """
    target = load_targets(root).get(name) if name else None
    if target is None:
        return ()
    values = variables(target.variables())
    short = [variable for variable, value in values.items() if len(value) < SHORTEST_SECRET]
    if short:
        raise TargetError(
            f"the variable {short[0]} holds fewer than {SHORTEST_SECRET} characters, and striking it out of the evidence "
            "would strike out ordinary text. Remedy: use a longer credential."
        )
    return tuple(values.values())


def parse_targets(text: str) -> dict[str, LiveTarget]:
    """The same, of the file's text."""
    tool = parse_toml(text, FILE).get("tool", {})
    spiral = tool.get("spiral", {}) if isinstance(tool, dict) else {}
    reader = _Reader(text)
    if not isinstance(spiral, dict):
        raise reader.tables.error("`tool.spiral` is no table.", (), "spiral", "write `[tool.spiral.targets.NAME]`")
    reader.tables.keys(spiral, ("targets",), ("tool", "spiral"))
    targets = reader.table(spiral, "targets", ("tool", "spiral"))
    at = ("tool", "spiral", "targets")
    return {name: reader.target(name, reader.table(targets, name, at), (*at, name)) for name in targets}


class _Reader:
    """Takes one file's tables apart."""

    def __init__(self, text: str) -> None:
        self.tables = Tables(FILE, "")
        self.tables.lines = _positions(text)

    def table(self, outer: Mapping[str, Any], key: str, place: Place) -> dict[str, Any]:
        """A table, empty where there is none."""
        value = outer.get(key, {})
        if not isinstance(value, dict):
            raise self.tables.error(
                f"`{key}` is no table.", place, key, f"write `[{'.'.join(map(str, (*place, key)))}]`"
            )
        return value

    def target(self, name: str, table: dict[str, Any], place: Place) -> LiveTarget:
        """One target."""
        self._name(name, "target", place)
        self.tables.keys(table, _TARGET, place)
        level = self.tables.text(table, "fidelity", place, required=True)
        if level not in [str(one) for one in Fidelity]:
            words = ", ".join(str(one) for one in Fidelity if one is not Fidelity.UNDECLARED)
            raise self.tables.error(f"`fidelity` is {level!r}.", place, "fidelity", f"use one of {words}")
        components = self.table(table, "components", place)
        if not components:
            remedy = f"add `[tool.spiral.targets.{name}.components.memory]` with `rest` and `grpc`"
            raise self.tables.error(f"the target {name} has no component.", place, "components", remedy)
        shared = self._shared(table, place, LiveService())
        at = (*place, "components")
        made = LiveTarget(
            name=name,
            fidelity=Fidelity(level),
            controls=self.tables.text(table, "controls", place),
            timeout_s=self._timeout(table, place),
            retries=self._retries(table, place),
            facts=self._facts(table, place),
            components={
                one: self.component(one, self.table(components, one, at), (*at, one), shared) for one in components
            },
        )
        self._refuse_recorded(made, place)
        return made

    def component(self, name: str, table: dict[str, Any], place: Place, shared: LiveService) -> LiveComponentCard:
        """One component: its own address, or services with theirs."""
        self._name(name, "component", place)
        self.tables.keys(table, _COMPONENT, place)
        challenge = self.tables.choice(table, "challenge", place, CHALLENGES, "")
        services = self.table(table, "services", place)
        if bool(services) == any(table.get(key) for key in ("rest", "grpc", "replay")):
            remedy = "give it `rest`, `grpc` or both, or `replay`; or give these to its `services`, and not to both"
            raise self.tables.error(f"the component {name} has no one place that answers.", place, "rest", remedy)
        inner = self._shared(table, place, shared)
        if not services:
            return LiveComponentCard(services={"": self._place(table, place, inner)}, challenge=challenge)
        made = {}
        for one in services:
            at = (*place, "services", one)
            own = self.table(services, one, (*place, "services"))
            self._name(one, "service", at)
            self.tables.keys(own, _PLACE, at)
            made[one] = self._place(own, at, self._shared(own, at, inner))
        return LiveComponentCard(services=made, challenge=challenge)

    def _place(self, table: dict[str, Any], place: Place, shared: LiveService) -> LiveService:
        rest, grpc, replay = (self.tables.text(table, key, place) for key in ("rest", "grpc", "replay"))
        if rest and not _is_url(rest):
            raise self.tables.error(
                f"`rest` is {rest!r}.", place, "rest", 'write a base URL, as in "https://staging.example.org"'
            )
        if grpc and not re.fullmatch(r"[^/\s]+:[0-9]{1,5}", grpc):
            raise self.tables.error(
                f"`grpc` is {grpc!r}.", place, "grpc", 'write host and port, as in "staging.example.org:8444"'
            )
        if bool(replay) == bool(rest or grpc):
            raise self.tables.error(
                "nothing answers there.", place, "rest", "give it `rest`, `grpc` or both, or else `replay`"
            )
        made = replace(shared, rest=rest, grpc=grpc, replay=replay)
        self._refuse_unsafe(made, place)
        return made

    def _refuse_unsafe(self, made: LiveService, place: Place) -> None:
        """TLS files without TLS, half a certificate, a credential in the clear to another machine."""
        if bool(made.cert) != bool(made.key):
            raise self.tables.error(
                "a certificate and its key belong together.", place, "cert", "give both `cert` and `key`, or neither"
            )
        plain = [one for one in (made.rest.startswith("http://") and made.rest, not made.ca and made.grpc) if one]
        if made.credentials and any(not _is_loopback(str(one)) for one in plain):
            remedy = "use https, and `ca` for gRPC, or take the credential away"
            raise self.tables.error(
                f"a credential would travel in the clear to {plain[0]}.", place, "credential", remedy
            )
        if made.rest.startswith("http://") and (made.ca or made.cert):
            raise self.tables.error(
                f"{made.rest} has files for TLS and does not use it.", place, "rest", "write https, or take them away"
            )
        if made.codec == "json" and not made.grpc:
            raise self.tables.error("`codec` is about gRPC, and there is none.", place, "codec", "take it away")

    def _shared(self, table: dict[str, Any], place: Place, outer: LiveService) -> LiveService:
        """What a table states for itself and for everything below it."""
        files = {key: self.tables.text(table, key, place) or getattr(outer, key) for key in ("ca", "cert", "key")}
        named: dict[str, str] = dict(outer.credentials)
        single = self.tables.text(table, "credential", place)
        whose = {**({"": single} if single else {}), **self.table(table, "credentials", place)}
        for owner, variable in whose.items():
            if not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
                # The value is not quoted: whoever writes a credential here must not find it in a log as well.
                key = "credentials" if owner else "credential"
                remedy = 'write the NAME of an environment variable, as in "STAGING_TOKEN", never the credential itself'
                raise self.tables.error(f"`{key}` is not the name of an environment variable.", place, key, remedy)
            named[owner] = variable
        send = self.tables.flag(table, "send_credential", place) if "send_credential" in table else outer.send
        if send and "" not in named:
            raise self.tables.error(
                "`send_credential` needs one to send.", place, "send_credential", "name it with `credential`"
            )
        codec = self.tables.choice(table, "codec", place, _CODECS, outer.codec)
        return replace(outer, **files, credentials=named, send=send, codec=codec)

    def _timeout(self, table: dict[str, Any], place: Place) -> float:
        text = self.tables.quantity(table, "timeout", place)
        if text is None:
            return _TIMEOUT_S
        quantity = parse_quantity(text)
        try:
            seconds = float(convert(quantity.number, quantity.unit, "s"))
        except ValueError:
            seconds = 0.0
        if not _LEAST_TIMEOUT_S <= seconds <= _MOST_TIMEOUT_S:
            raise self.tables.error(
                f"`timeout` is {text!r}.", place, "timeout", 'write a time up to 10 min, as in "5 s"'
            )
        return seconds

    def _retries(self, table: dict[str, Any], place: Place) -> int:
        retries = self.tables.number(table, "retries", place, 0) or 0
        if retries > _MOST_RETRIES:
            raise self.tables.error(f"`retries` is {retries}.", place, "retries", f"use {_MOST_RETRIES} at most")
        return retries

    def _facts(self, table: dict[str, Any], place: Place) -> dict[str, bool | int | float | str]:
        facts = self.table(table, "facts", place)
        for name, value in facts.items():
            if not is_fact_name(name) or not isinstance(value, bool | int | str):
                remedy = 'write facts such as "clock.trusted" = true, the name in quotes'
                raise self.tables.error(f"{name!r} is no fact that a target can state.", place, "facts", remedy)
        return dict(facts)

    def _name(self, name: str, what: str, place: Place) -> None:
        if not _NAME.fullmatch(name):
            remedy = "use a lower-case letter, then letters, digits, `_` or `-`, at most 40 in all"
            raise self.tables.error(f"{name[:60]!r} is no name of a {what}.", place, "", remedy)

    def _refuse_recorded(self, target: LiveTarget, place: Place) -> None:
        """What is played back is `recorded`, and never part of something that claims to be more."""
        played = [
            one for one, card in target.components.items() if any(service.replay for service in card.services.values())
        ]
        if played and target.fidelity is not Fidelity.RECORDED:
            problem = f"{played[0]} plays a trace back, and the target is registered as {target.fidelity}."
            raise self.tables.error(problem, place, "fidelity", 'write `fidelity = "recorded"`')


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and not parts.username
    except ValueError:
        return False


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname if "://" in address else address.rpartition(":")[0].strip("[]")
    return host in {"localhost", "::1"} or bool(re.fullmatch(r"127(\.[0-9]{1,3}){3}", host or ""))


def _positions(text: str) -> dict[Place, int]:
    """(table…, key) → line, 1-based; key "" is the table's own header. A scan, for messages only."""
    found: dict[Place, int] = {}
    place: Sequence[str] = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            place = tuple(step.strip().strip("\"'") for step in header[1].split("."))
            found.setdefault((*place, ""), number)
        elif key := re.match(r"\s*([A-Za-z0-9_-]+)\s*=", line):
            found.setdefault((*place, key[1]), number)
    return found
