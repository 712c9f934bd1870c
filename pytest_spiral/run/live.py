"""A live target: nothing of it is started or stopped here, it is found at its addresses and watched."""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_spiral.errors import ExchangeError, NotOfferedError, TargetError, TargetLostError
from pytest_spiral.model.exchange import Code, Request
from pytest_spiral.model.live import LiveComponentCard, LiveService, LiveTarget
from pytest_spiral.model.target import Component
from pytest_spiral.rules.canonical import digest
from pytest_spiral.run import clock
from pytest_spiral.run.endpoints import Kind, endpoint_of, kind_of, open_endpoint, service_of
from pytest_spiral.transports import open_transport
from pytest_spiral.transports.base import Endpoint, Transport
from pytest_spiral.transports.dial import DialError, Dialled, dial
from pytest_spiral.transports.wrap import Credentialed, Watching

_TRIES = 3
_PAUSE_S = 0.2
_FILES = ("ca", "cert", "key")


class LiveComponent:
    """One component of a live target, as it showed itself when it was looked at."""

    log = None

    def __init__(self, name: str, running: "LiveRunning") -> None:
        self.name = name
        self._running = running
        self._card: LiveComponentCard = running.target.components[name]
        self.challenge = self._card.challenge or ("recorded" if self._played else "")
        self.endpoints: Mapping[str, Mapping[str, Any]] = MappingProxyType(
            {
                endpoint_of(service, kind): running.endpoint(one, kind)
                for service, one in self._card.services.items()
                for kind in running.kinds(one)
            }
        )
        self.identity = f"{running.name}/{name} at {', '.join(str(one['address']) for one in self.endpoints.values())}"
        self.version = ""
        self.digest = ""

    @property
    def _played(self) -> bool:
        return any(one.replay for one in self._card.services.values())

    def look(self) -> "LiveComponent":
        """Connect to every endpoint, and ask for the version; raises TargetLostError where one cannot be reached.

        `digest` is over what it shows of itself: its version and its certificates. So whatever is deployed anew in
        mid-run is noticed, as far as it shows.
        """
        shown = []
        for endpoint in self.endpoints:
            try:
                shown.append(f"{endpoint} {self.dial(endpoint).certificate}")
            except DialError as error:
                raise TargetLostError(f"{self._running.name}: {error}") from error
        self.version = self._stated_version()
        said = "\n".join([self.version, *shown]).encode()
        self.digest = digest(said)
        return self

    def dial(self, endpoint: str, peek_s: float = 0.0) -> Dialled:
        """Connect to one of its endpoints and hang up, as `transports.dial` does; raises DialError."""
        where = self.endpoints[endpoint]
        if "trace" in where:
            return Dialled(0, certificate=hashlib.sha256(Path(where["trace"]).read_bytes()).hexdigest())
        return dial(kind_of(endpoint), Endpoint.of(where), self._running.target.timeout_s, clock.mono_ns, peek_s=peek_s)

    def open(self, endpoint: str) -> Transport:
        """A transport to one of its endpoints that sends its credential where it is to, and is watched."""
        inner = open_transport(kind_of(endpoint), self.endpoints[endpoint])
        service = self.service(endpoint)
        if service.send:
            inner = Credentialed(inner, self._running.credential(service, ""))
        return Watching(inner, lambda: self._running.suspect(self.name))

    def ask(self, op: str, **arguments: Any) -> Any:
        """`credential`: whose token is shown, by `service` or `operator`. Nothing else: a live target has no rig."""
        if op == "credential":
            return self._credential(**{key: str(value) for key, value in arguments.items()})
        raise NotOfferedError(
            f"{self._running.name} is a live target and has no rig, so {self.name} cannot be asked to do {op!r}. Remedy: run "
            "this test on the sandbox, or do it by the system's own operations."
        )

    def _credential(self, service: str = "", operator: str = "") -> dict[str, Any]:
        known = self._card.services.get(service) or self._card.services.get("")
        if known is None:
            raise NotOfferedError(f"{self.name} of {self._running.name} has no service {service!r}.")
        owner = operator if operator in known.credentials else ""
        token = self._running.credential(known, owner)
        return {"service": service or self.name, "token": token, "valid": self._admitted(service, token)}

    def _admitted(self, service: str, token: str) -> bool:
        """Whether the system lets the credential in, which only it can tell; without REST there, that it does is assumed."""
        endpoint = endpoint_of(service if service in self._card.services else "", "rest")
        if endpoint not in self.endpoints:
            return True
        return health_of(self, endpoint, token)[0] is not Code.UNAUTHENTICATED

    def service(self, endpoint: str) -> LiveService:
        """The service that an endpoint leads to, as it is configured."""
        return self._card.services[service_of(endpoint)]

    def _stated_version(self) -> str:
        """What its health says, with whatever credential is at hand; empty where it says nothing."""
        for endpoint in self.endpoints:
            service = self.service(endpoint)
            if kind_of(endpoint) == "rest" and not service.replay:
                token = self._running.optional_credential(service)
                version = health_of(self, endpoint, token)[1]
                if version:
                    return version
        return ""


class LiveRunning:
    """A live target in use. `values` are the credentials by name of their environment variable."""

    def __init__(self, target: LiveTarget, root: Path, values: Mapping[str, str]) -> None:
        self.target = target
        self.name = target.name
        self.fidelity = str(target.fidelity)
        self.facts: Mapping[str, bool | int | float | str] = MappingProxyType(dict(target.facts))
        self.components: Sequence[str] = tuple(target.components)
        self._root = root
        self._values = values
        self._lock = threading.Lock()
        self._used: dict[str, LiveComponent] = {}
        self._suspects: set[str] = set()
        self._gone: set[str] = set()

    def component(self, name: str) -> LiveComponent:
        """The component as it shows itself now; raises TargetLostError where it cannot be reached."""
        try:
            looked = LiveComponent(name, self).look()
        except TargetLostError:
            with self._lock:
                self._gone.add(name)
            raise
        with self._lock:
            self._used[name] = looked
        return looked

    def suspect(self, name: str) -> None:
        """A call to that component was not answered: `lost` will look whether it is still there."""
        with self._lock:
            self._suspects.add(name)

    def lost(self) -> tuple[str, ...]:
        """Components in use of which an endpoint cannot be reached any more, in three tries."""
        with self._lock:
            suspects = [name for name in self._suspects if name in self._used]
        gone = {name for name in suspects if not self._there(self._used[name])}
        with self._lock:
            self._suspects -= set(suspects)
            self._gone |= gone
            return tuple(sorted(self._gone))

    def stop(self) -> None:
        """Nothing was started, so nothing is stopped."""

    def endpoint(self, service: LiveService, kind: Kind) -> dict[str, Any]:
        """An endpoint as `open_transport` takes it; raises TargetError for a file that is not there."""
        files = {key: self._file(getattr(service, key)) for key in _FILES if getattr(service, key)}
        if service.replay:
            trace = Path(self._file(service.replay, folder=True)) / f"{kind}_trace.json"
            return {"address": f"recorded:{service.replay}/{kind}_trace.json", "trace": str(trace)}
        if kind == "rest":
            return {"address": service.rest, **(files if service.rest.startswith("https:") else {})}
        return {"address": service.grpc, **files, **({"codec": "json"} if service.codec == "json" else {})}

    def kinds(self, service: LiveService) -> tuple[Kind, ...]:
        """How a service can be spoken to; one that is played back by what was recorded."""
        kinds: tuple[Kind, ...] = ("rest", "grpc")
        if not service.replay:
            return tuple(kind for kind in kinds if getattr(service, kind))
        folder = Path(self._file(service.replay, folder=True))
        found = tuple(kind for kind in kinds if (folder / f"{kind}_trace.json").is_file())
        if not found:
            raise TargetError(
                f"{self.name} plays {service.replay} back, and there is no rest_trace.json or grpc_trace.json."
            )
        return found

    def credential(self, service: LiveService, owner: str) -> str:
        """The value of the variable; raises TargetError where none is named, or it is not set."""
        variable = service.credentials.get(owner)
        if variable is None:
            whose = f" of {owner}" if owner else ""
            raise TargetError(
                f'{self.name} names no credential{whose}. Remedy: `credential = "NAME"`, the variable\'s name.'
            )
        if variable not in self._values:
            raise TargetError(
                f"{self.name} needs the variable {variable}, and it is not set. Remedy: export {variable}."
            )
        return self._values[variable]

    def unset(self, service: LiveService) -> tuple[str, ...]:
        """Variables that are named for it and not set."""
        return tuple(sorted({name for name in service.credentials.values() if name not in self._values}))

    def optional_credential(self, service: LiveService) -> str:
        """The same, empty where there is none."""
        return next((self._values[name] for name in service.credentials.values() if name in self._values), "")

    def _file(self, written: str, *, folder: bool = False) -> str:
        path = self._root / written
        if not (path.is_dir() if folder else path.is_file()):
            what = "folder" if folder else "file"
            raise TargetError(f"{self.name} names {written}, and there is no such {what} under the project's root.")
        return str(path)

    def _there(self, component: LiveComponent) -> bool:
        pause = threading.Event()
        for left in reversed(range(_TRIES)):
            try:
                for endpoint in component.endpoints:
                    component.dial(endpoint)
            except (DialError, OSError):
                pause.wait(_PAUSE_S if left else 0)
            else:
                return True
        return False


def health_of(component: Component, endpoint: str, token: str = "") -> tuple[Code, str, str]:
    """How a component answers `health` at one of its endpoints: code, the version that it says, the sentence of an error."""
    metadata = {"authorization": f"Bearer {token}"} if token else {}
    try:
        with open_endpoint(component, endpoint) as transport:
            reply = transport.exchange(Request(operation="health", metadata=metadata))
    except ExchangeError as error:
        return Code(error.code), "", str(error)
    version = reply.payload.get("version")
    return reply.code, version if isinstance(version, str) else "", ""
