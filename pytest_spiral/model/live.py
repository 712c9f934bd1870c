"""A live target as a project configures it: where it answers, who vouches for it, and whose credentials are shown."""

from typing import Literal

from pytest_spiral.model.base import Value
from pytest_spiral.model.fidelity import Fidelity

Codec = Literal["protobuf", "json"]


class LiveService(Value, frozen=True, kw_only=True):
    """One place that answers: a REST base URL, a gRPC address, or traces that are played back; the files for TLS.

    Paths are as written, relative to the project's root. `credentials` has names of environment variables by whose
    they are (empty: everybody's), never values; `send` says that the credential goes with every call without one.
    """

    rest: str = ""
    grpc: str = ""
    replay: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""
    codec: Codec = "protobuf"
    credentials: dict[str, str] = {}
    send: bool = False


class LiveComponentCard(Value, frozen=True, kw_only=True):
    """One component: its services by name (the empty name: the component itself), and the challenge that it is asked."""

    services: dict[str, LiveService]
    challenge: str = ""


class LiveTarget(Value, frozen=True, kw_only=True):
    """A whole target. `fidelity` is its registered level; `controls` the target on which faults are started instead.

    `timeout_s` is how long connecting may take, `retries` how often a call that may be repeated is tried again.
    """

    name: str
    fidelity: Fidelity
    components: dict[str, LiveComponentCard]
    controls: str = ""
    timeout_s: float = 5.0
    retries: int = 0
    facts: dict[str, bool | int | float | str] = {}

    def variables(self) -> tuple[str, ...]:
        """Names of all environment variables that hold its credentials, sorted."""
        named = {
            name
            for component in self.components.values()
            for service in component.services.values()
            for name in service.credentials.values()
        }
        return tuple(sorted(named))
