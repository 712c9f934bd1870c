"""Looking at a target before anything is run on it: what answers, how real it is, in which versions."""

import contextlib
import secrets
import shutil
import tempfile
from pathlib import Path

from msgspec.structs import replace

from pytest_spiral.errors import TargetError
from pytest_spiral.model.exchange import Code
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.record import SubjectSeen
from pytest_spiral.model.target import Component, Running
from pytest_spiral.model.target_check import ComponentLook, EndpointSeen, TargetLook
from pytest_spiral.rules.fidelity import observed_fidelity, shortfall
from pytest_spiral.run import clock
from pytest_spiral.run.challenge import challenge
from pytest_spiral.run.endpoints import kind_of, service_of
from pytest_spiral.run.live import LiveComponent, LiveRunning, health_of
from pytest_spiral.run.target import find_target, known_targets
from pytest_spiral.transports.base import Endpoint
from pytest_spiral.transports.dial import DialError, Dialled, dial

_PEEK_S = 0.2
_TIMEOUT_S = 5.0
_NO_HEALTH = (Code.OK, Code.NOT_FOUND, Code.UNIMPLEMENTED, Code.INVALID_ARGUMENT)
_REFUSED = (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED)


def list_targets(root: Path) -> list[tuple[str, str]]:
    """Every target's name, and what is known of it without starting anything; raises UseError."""
    installed, configured = known_targets(root)
    lines = [(name, f"installed: {point.value}") for name, point in sorted(installed.items())]
    for name, target in sorted(configured.items()):
        parts = ", ".join(target.components)
        lines.append((name, f"configured in pyproject.toml: registered {target.fidelity}; {parts}"))
    return lines


def check_target(name: str, root: Path, *, challenged: bool = True) -> TargetLook:
    """Connect to every endpoint, ask for its health with its credential, and challenge every component.

    An installed target is started for it, and stopped again. The challenge of a memory adds an item that nobody could
    foresee; `challenged` false asks nothing of the kind, and then nothing is observed. Raises UseError for a target
    that is none or does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="spiral-target-"))
    try:
        running: Running = find_target(name, root)((), 1, folder)
        try:
            looks = tuple(_component(running, one, challenged=challenged) for one in running.components)
        finally:
            running.stop()
    except (RuntimeError, ValueError, OSError) as error:
        raise TargetError(f"target {name!r} does not start: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    registered = Fidelity(running.fidelity)
    sound = all(
        one.observed.rank >= registered.rank and not any(endpoint.trouble for endpoint in one.endpoints)
        for one in looks
    )
    return TargetLook(name=name, registered=registered, components=looks, sound=sound)


def _component(running: Running, name: str, *, challenged: bool) -> ComponentLook:
    component = LiveComponent(name, running) if isinstance(running, LiveRunning) else running.component(name)
    endpoints = tuple(_endpoint(running, component, one) for one in component.endpoints)
    version = component.version or next((one.version for one in endpoints if one.version), "")
    if any(one.trouble in ("unreachable", "tls") for one in endpoints):
        observed, why = Fidelity.UNDECLARED, "it cannot be reached"
    elif challenged:
        observed, why = _observed(running, component, name, version)
    else:
        observed, why = Fidelity.UNDECLARED, "it was not challenged"
    return ComponentLook(name=name, endpoints=endpoints, observed=observed, version=version, shortfall=why)


def _observed(running: Running, component: Component, name: str, version: str) -> tuple[Fidelity, str]:
    """How real a component is by its challenge, and why it is no more than that."""
    asked = challenge(component, secrets.token_hex(16))
    seen = SubjectSeen(
        subject=name,
        when="start",
        identity=component.identity,
        version=version,
        digest=component.digest,
        registered=Fidelity(running.fidelity),
        challenge=asked,
    )
    return observed_fidelity(seen), shortfall(asked) if asked is not None else "no challenge is named for it"


def _endpoint(running: Running, component: Component, name: str) -> EndpointSeen:
    where = component.endpoints[name]
    address = str(where["address"])
    if isinstance(running, LiveRunning) and isinstance(component, LiveComponent):
        service = component.service(name)
        unset = running.unset(service)
        token, named = running.optional_credential(service), ", ".join(sorted(service.credentials.values()))
        if unset:
            sentence = f"the variable {unset[0]} is not set. Remedy: export {unset[0]} with the credential of {name}."
            return EndpointSeen(name=name, address=address, trouble="unset", sentence=sentence)
        if service.replay:
            return EndpointSeen(name=name, address=address)
    else:
        token, named = _token(component, name), ""
    try:
        reached = _dial(component, name)
    except DialError as error:
        return EndpointSeen(name=name, address=address, trouble=error.trouble, sentence=str(error))
    code, version, said = health_of(component, name, token)
    made = EndpointSeen(name=name, address=address, ms=round(reached.ns / 1e6, 3), tls=reached.tls, version=version)
    return _judged(made, code, said, named)


def _judged(made: EndpointSeen, code: Code, said: str, variable: str) -> EndpointSeen:
    """The endpoint as its health has answered; one that offers no health is reached all the same."""
    if code in _NO_HEALTH:
        return made
    if code in _REFUSED:
        remedy = (
            f"Remedy: check what {variable} holds, and whether it has been rotated."
            if variable
            else 'Remedy: name one, as in `credential = "STAGING_TOKEN"`, the variable that holds it.'
        )
        which = f"the credential in {variable}" if variable else "a call without a credential"
        return replace(made, trouble="credential", sentence=f"{which} is refused ({code}). {remedy}")
    return replace(made, trouble="unanswered", sentence=f"it is there, and does not answer as it should: {said}")


def _dial(component: Component, name: str) -> Dialled:
    if isinstance(component, LiveComponent):
        return component.dial(name, _PEEK_S)
    return dial(kind_of(name), Endpoint.of(component.endpoints[name]), _TIMEOUT_S, clock.mono_ns, peek_s=_PEEK_S)


def _token(component: Component, endpoint: str) -> str:
    """A credential that the rig of an installed target gives out, where it has one for that service."""
    given = {"service": service_of(endpoint)} if service_of(endpoint) else {"operator": "overseer"}
    with contextlib.suppress(RuntimeError):  # a component without credentials knows no such word
        return str(component.ask("credential", **given)["token"])
    return ""
