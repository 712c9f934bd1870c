"""The system under test as the plugin sees it: found by entry point, never imported."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Protocol, runtime_checkable

TelemetryKind = Literal["metrics", "spans"]
TELEMETRY_KINDS: Final[tuple[TelemetryKind, ...]] = ("metrics", "spans")
"""What a component may emit: metrics in Prometheus' text format, spans as OTLP JSON lines."""


class Component(Protocol):
    """One component of a running target. `endpoints` name what `open_transport` can open."""

    @property
    def name(self) -> str:
        """How the target calls it."""
        ...

    @property
    def version(self) -> str:
        """The version it states."""
        ...

    @property
    def identity(self) -> str:
        """What tells this instance from any other."""
        ...

    @property
    def digest(self) -> str:
        """`sha256:` digest of the code that runs."""
        ...

    @property
    def endpoints(self) -> Mapping[str, Mapping[str, Any]]:
        """Endpoint name, such as `rest` or `operator_api.grpc`, to address and TLS files."""
        ...

    @property
    def log(self) -> Path | None:
        """Where its own log is, for the bundle; None where it keeps none."""
        ...

    def ask(self, op: str, **arguments: Any) -> Any:
        """Do what an operator of the rig does; JSON in, JSON out."""
        ...


@runtime_checkable
class Emitting(Protocol):
    """What a component may have besides: files of what it has emitted."""

    @property
    def telemetry(self) -> Mapping[TelemetryKind, Path]:
        """At most one file of each kind. They are read when the target has stopped; one may be missing then."""
        ...


class Running(Protocol):
    """A started target. Components start when they are first asked for."""

    @property
    def name(self) -> str:
        """The target's name."""
        ...

    @property
    def fidelity(self) -> str:
        """Its registered level, a word of `Fidelity`."""
        ...

    @property
    def facts(self) -> Mapping[str, bool | int | float | str]:
        """Facts that the target states for requirement expressions, such as `clock.trusted`."""
        ...

    @property
    def components(self) -> Sequence[str]:
        """Names of the components that can be asked for."""
        ...

    def component(self, name: str) -> Component:
        """The component, started on first use."""
        ...

    def lost(self) -> Sequence[str]:
        """Names of components that were started and have died."""
        ...

    def stop(self) -> None:
        """Stop all that was started; may be called twice."""
        ...


Start = Callable[[Sequence[str], int, Path], Running]
"""The entry point's protocol: faults, seed, working folder → a running target."""
