"""The system under test of one process: found by name, started when first used, challenged, stopped."""

import difflib
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal

from pytest_spiral.errors import TargetError, TargetLostError
from pytest_spiral.model.evidence import TargetCard
from pytest_spiral.model.exchange import Exchange
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.live import LiveTarget
from pytest_spiral.model.record import SubjectSeen, TargetLost
from pytest_spiral.model.target import Component, Running, Start
from pytest_spiral.profiles.probe.variables import variables
from pytest_spiral.run import clock
from pytest_spiral.run.challenge import challenge
from pytest_spiral.run.endpoints import endpoint_of, open_endpoint
from pytest_spiral.run.live import LiveRunning
from pytest_spiral.run.recorder import Keeper
from pytest_spiral.run.target_file import load_targets
from pytest_spiral.run.traces import Traces
from pytest_spiral.transports.base import Transport
from pytest_spiral.transports.fallback import Fallback
from pytest_spiral.transports.retry import Retrying
from pytest_spiral.transports.wrap import Recording

GROUP = "spiral.targets"


def known_targets(root: Path) -> tuple[dict[str, EntryPoint], dict[str, LiveTarget]]:
    """Targets by name: those that are installed, and those that the project configures; raises UseError."""
    return {point.name: point for point in entry_points(group=GROUP)}, load_targets(root)


def find_target(name: str, root: Path) -> Start:
    """The target's start function, installed or configured; raises UseError with what there is instead."""
    found, configured = known_targets(root)
    if name in found and name in configured:
        raise TargetError(
            f"{name!r} is an installed target, and one that pyproject.toml configures; rename the latter."
        )
    if name in configured:
        return partial(_use, configured[name], root)
    if name not in found:
        close = difflib.get_close_matches(name, [*found, *configured], 1)
        listed = f"installed targets: {', '.join(sorted(found)) or 'none'}."
        if configured:
            listed = f"{listed[:-1]}; configured: {', '.join(sorted(configured))}."
        hint = f"did you mean {close[0]!r}?" if close else listed
        raise TargetError(f"there is no target {name!r}; {hint}")
    try:
        start: Start = found[name].load()
    except ImportError as error:
        raise TargetError(
            f"target {name!r} cannot be loaded ({error}). Remedy: pip install 'pytest-spiral[{name}]'."
        ) from error
    return start


def _use(target: LiveTarget, root: Path, faults: Sequence[str], seed: int, folder: Path) -> LiveRunning:  # noqa: ARG001
    """Take a live target into use; it takes no seed and needs no folder."""
    if faults:
        hint = (
            f"it names {target.controls!r} for controls" if target.controls else 'name one with `controls = "sandbox"`'
        )
        raise TargetError(f"{target.name} is a live target and takes no faults ({faults[0]}); {hint}.")
    return LiveRunning(target, root, variables(target.variables()))


class Subject:
    """One component of the target in a test's hands."""

    def __init__(self, component: Component, rig: "Rig", target: "Target") -> None:
        self._component = component
        self._rig = rig
        self._target = target
        self._open: dict[tuple[str, str], Recording | Retrying] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """How the target calls it."""
        return self._component.name

    @property
    def version(self) -> str:
        """The version it states."""
        return self._component.version

    @property
    def endpoints(self) -> Mapping[str, Mapping[str, Any]]:
        """Endpoints that a transport can open."""
        return self._component.endpoints

    def ask(self, op: str, **arguments: Any) -> Any:
        """Do what an operator of the rig does. A dead component raises TargetLostError."""
        try:
            return self._component.ask(op, **arguments)
        except RuntimeError as error:
            self._target.check()
            raise (
                TargetLostError(f"{self.name} did not answer {op!r}: {error}") if self._target.lost else error
            ) from error

    def transport(
        self, kind: Literal["rest", "grpc"], service: str = "", *, fresh: bool = False
    ) -> Recording | Retrying:
        """A recording transport to this component (or one of its services); `fresh` opens a new connection."""
        endpoint = endpoint_of(service, kind)
        if endpoint not in self._component.endpoints:
            raise TargetError(
                f"{self.name} has no endpoint {endpoint!r}; it has {', '.join(self._component.endpoints)}."
            )
        if fresh:
            return self._connect(endpoint, service)
        with self._lock:
            if (kind, service) not in self._open:
                self._open[kind, service] = self._connect(endpoint, service)
            return self._open[kind, service]

    def fallback(self, service: str = "") -> Recording:
        """A transport of its own that calls over gRPC and, where that fails, over REST; every call of both is recorded."""
        where = service or self.name
        inner = Fallback(
            self.transport("grpc", service, fresh=True),
            self.transport("rest", service, fresh=True),
            clock.mono_ns,
            lambda engaged: self._rig.traces.fell_back(where, engaged),
        )
        return self._recorded(inner, where)

    def _connect(self, endpoint: str, service: str) -> Recording | Retrying:
        recorded = self._recorded(open_endpoint(self._component, endpoint), service or self.name)
        retries = self._target.retries
        return Retrying(recorded, retries, clock.mono_ns) if retries else recorded

    def _recorded(self, inner: Transport, where: str) -> Recording:
        def keep(exchange: Exchange) -> None:
            self._rig.traces.keep(where, exchange.transport, exchange)

        return Recording(inner, keep, clock.mono_ns, self._rig.redact)

    def close(self) -> None:
        """Close the transports that were opened and kept."""
        for transport in self._open.values():
            transport.close()
        self._open.clear()


class Target:
    """A started target: `target.memory` is its component of that name, started on first use.

    `aside` names a second target, which is not under test; it is challenged once, when it is stopped, so that a
    test can shape it before anything is in it.
    """

    def __init__(self, running: Running, rig: "Rig", aside: str = "") -> None:
        self._running = running
        self._rig = rig
        self._aside = aside
        self._subjects: dict[str, tuple[Component, Subject]] = {}
        self._lock = threading.Lock()
        self.lost: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The target's name."""
        return self._running.name

    @property
    def facts(self) -> Mapping[str, bool | int | float | str]:
        """Facts that the target states."""
        return self._running.facts

    @property
    def retries(self) -> int:
        """How often a call that may be repeated is tried again."""
        return self._running.target.retries if isinstance(self._running, LiveRunning) else 0

    def __getattr__(self, name: str) -> Subject:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._running.components:
            raise AttributeError(f"target {self._running.name!r} has no component {name!r}")
        with self._lock:
            if name not in self._subjects:
                component = self._running.component(name)
                self._subjects[name] = (component, Subject(component, self._rig, self))
                if not self._aside:
                    self._see(component, "start")
            return self._subjects[name][1]

    def _see(self, component: Component, when: Literal["start", "end"]) -> None:
        self._rig.keeper.append(
            SubjectSeen(
                subject=component.name,
                when=when,
                identity=component.identity,
                version=component.version,
                digest=component.digest,
                registered=Fidelity(self._running.fidelity),
                challenge=challenge(component, self._rig.nonce()),
                control=self._aside,
            )
        )

    def _look_again(self, name: str) -> None:
        """See it at the end, as it is then; one that went away in this very moment is lost."""
        try:
            self._see(self._running.component(name), "end")
        except TargetLostError as error:
            self._rig.keeper.append(TargetLost(subject=name, test="", why=str(error)))

    def check(self) -> Sequence[str]:
        """Names of components that have died since the last look; remembered in `lost`."""
        new = tuple(name for name in self._running.lost() if name not in self.lost)
        self.lost += new
        return new

    def close(self) -> list[tuple[str, Path]]:
        """Challenge what is still alive once more, stop it all; gives (component, log) of each that keeps a log."""
        dead = set(self._running.lost())
        for name, (_, subject) in self._subjects.items():
            subject.close()
            if name not in dead:
                self._look_again(name)
        self._running.stop()
        return [(name, component.log) for name, (component, _) in self._subjects.items() if component.log]


class Rig:
    """Everything of the system under test that one process holds. Nothing starts before it is used."""

    def __init__(  # noqa: PLR0913 - the edges of one object, each handed in
        self,
        *,
        name: str,
        root: Path,
        faults: Sequence[str],
        seed: int,
        keeper: Keeper,
        redact: Callable[[str], str],
        nonce: Callable[[], str],
        keep_log: Callable[[str, Path], None],
    ) -> None:
        self._name = name
        self._root = root
        self._faults = tuple(faults)
        self._seed = seed
        self.keeper = keeper
        self.redact = redact
        self.nonce = nonce
        self.traces = Traces()
        self._keep_log = keep_log
        self._target: Target | None = None
        self._folders: list[Path] = []
        self._told: set[str] = set()
        self._seconds = 0

    @property
    def target(self) -> Target:
        """The target under test, started on first use; raises TargetError where none is named or it does not start."""
        if self._target is None:
            self._target = self._start(self._faults, "")
        return self._target

    def _start(self, faults: Sequence[str], aside: str) -> Target:
        name = self._name
        if not name:
            raise TargetError(
                "this test needs a target, and none is named. Remedy: pytest --spiral-target sandbox, or the ini "
                "`spiral_target`."
            )
        folder = Path(tempfile.mkdtemp(prefix="spiral-target-"))
        self._folders.append(folder)
        try:
            if aside and faults:
                name = self._for_controls()
            running = find_target(name, self._root)(faults, self._seed, folder)
        except (RuntimeError, ValueError, OSError) as error:
            raise TargetError(f"target {name!r} does not start: {error}") from error
        return Target(running, self, aside)

    def _for_controls(self) -> str:
        """The target that a fault is put into: the one under test, unless that is a live one which names another."""
        configured = load_targets(self._root).get(self._name)
        return configured.controls if configured is not None and configured.controls else self._name

    @contextmanager
    def second(self, faults: Sequence[str], control: str) -> Iterator[Target]:
        """A second target, with the fault of a control block or with none; stopped when the block ends."""
        self._seconds += 1
        target = self._start(faults, control or f"second-{self._seconds}")
        try:
            yield target
        finally:
            self._finish(target, f"second-{self._seconds}-")

    def check_there(self) -> None:
        """Raise TargetLostError where a component of the target has gone away."""
        if self._target is not None:
            self._target.check()
        if self.lost:
            raise TargetLostError(
                f"{', '.join(self.lost)} was lost in mid-run, so nothing can be said of what it did not answer."
            )

    def newly_lost(self, test: str) -> Sequence[str]:
        """Record components that died, each once; gives their names."""
        if self._target is None:
            return ()
        self._target.check()  # a call that failed has perhaps looked already
        new = [name for name in self._target.lost if name not in self._told]
        self._told.update(new)
        for name in new:
            self.keeper.append(
                TargetLost(
                    subject=name, test=test, why=f"{name} is gone: its process has ended, or it cannot be reached"
                )
            )
        return new

    @property
    def lost(self) -> Sequence[str]:
        """Components that have died so far."""
        return self._target.lost if self._target else ()

    def _finish(self, target: Target, prefix: str) -> None:
        for name, log in target.close():
            self._keep_log(f"{prefix}{name}.log", log)

    def close(self) -> None:
        """Stop everything and remove the working folders, keys included. May be called twice."""
        target, self._target = self._target, None
        try:
            if target is not None:
                self._finish(target, "")
        finally:
            for folder in self._folders:
                shutil.rmtree(folder, ignore_errors=True)
            self._folders.clear()


def describe_target(name: str, faults: Sequence[str], seed: int, root: Path) -> TargetCard:
    """What the target states of itself, without starting a component; raises TargetError. Empty name: an empty card."""
    if not name:
        return TargetCard()
    folder = Path(tempfile.mkdtemp(prefix="spiral-target-"))
    try:
        running = find_target(name, root)(faults, seed, folder)
        card = TargetCard(
            name=running.name,
            fidelity=Fidelity(running.fidelity),
            facts=dict(running.facts),
            faults=tuple(faults),
            seed=seed,
        )
        running.stop()
    except (RuntimeError, ValueError, OSError) as error:
        raise TargetError(f"target {name!r} does not start: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return card
