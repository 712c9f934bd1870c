"""Asking a subject what a lesser thing cannot answer. `rules.fidelity` reads the transcripts made here."""

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_spiral.errors import ExchangeError, SpiralError
from pytest_spiral.model.exchange import Request
from pytest_spiral.model.record import Challenge
from pytest_spiral.model.target import Component
from pytest_spiral.rules.canonical import digest
from pytest_spiral.run import clock
from pytest_spiral.run.endpoints import kind_of, open_endpoint
from pytest_spiral.transports.base import Endpoint
from pytest_spiral.transports.dial import DialError, dial

_TRIES = 3
_LOOK_BACK = 50
_PACE_S = 0.6
_CONNECT_S = 5.0
_NOTHING: Mapping[str, str] = MappingProxyType({})


def challenge(component: Component, nonce: str) -> Challenge | None:
    """Challenge a component by the kind that it states, or where it states none by its name; None without a challenge.

    A component that breaks under the challenge has answered nothing: the transcript says what happened.
    """
    chosen = getattr(component, "challenge", None)
    if chosen is None:
        known = _BY_NAME.get(component.name)
    else:
        known = (str(chosen), _BY_KIND[str(chosen)]) if chosen in _BY_KIND else None
    if known is None:
        return None
    kind, ask = known
    try:
        answers = ask(component, nonce)
    except (SpiralError, OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        answers = {"broke": f"{type(error).__name__}: {error}"[:500]}
    return Challenge(kind=kind, nonce=nonce, answers=answers)


def _nonce_item(component: Component, nonce: str) -> dict[str, Any]:
    """Add an item that nobody could foresee, search for it, and read the audit log where it must stand."""
    item, text = f"challenge-{nonce}", f"challenge item {nonce}"
    with open_endpoint(component, "rest") as rest:
        held = int(_call(rest.exchange, "vector_status", {})["items"])
        _call(rest.exchange, "vector_add_items", {"items": [{"id": item, "text": text}]})
        found = _call(rest.exchange, "vector_search", {"text": text, "top_n": 3})
        audit = _call(rest.exchange, "vector_audit", {"after": max(0, held - _LOOK_BACK), "limit": 2 * _LOOK_BACK})
    return {
        "item": item,
        "found": [str(one.get("text", "")) for one in found.get("results", [])],
        "audited": [str(row.get("item")) for row in audit.get("rows", []) if row.get("item") == item],
    }


def _nonce_command(component: Component, nonce: str) -> dict[str, Any]:
    """Have a command carried out that nobody could foresee, and find it in the memory and in the log of commands."""
    operator, command = "overseer", f"challenge-{nonce}"
    token = component.ask("credential", operator=operator)["token"]
    metadata = {"authorization": f"Bearer {token}", "idempotency-key": nonce}
    with open_endpoint(component, "rest") as rest:
        order = {"operator": operator, "agent": "archivist", "command": command}
        done = _call(rest.exchange, "dispatch_command", order, metadata)
        found = _call(rest.exchange, "memory_query", {"query": command}, metadata)
    total = int(component.ask("commands", limit=0)["total"])
    logged = component.ask("commands", after=max(0, total - _LOOK_BACK))["commands"]
    audited = [str(one.get("command")) for one in logged if one.get("command_id") == done["command_id"]]
    return {
        "item": command,
        "found": [str(one.get("text", "")) for one in found.get("results", [])],
        "audited": audited,
    }


def _call(
    exchange: Callable[[Request], Any], operation: str, payload: dict[str, Any], metadata: Mapping[str, str] = _NOTHING
) -> dict[str, Any]:
    """Call, and call again where the subject fails a call now and then: the challenge asks what it is, not how well."""
    request = Request(operation=operation, payload=payload, metadata=dict(metadata), deadline_s=10.0)
    for left in reversed(range(_TRIES)):
        try:
            answer: dict[str, Any] = exchange(request).payload
        except ExchangeError:
            if not left:
                raise
        else:
            return answer
    raise AssertionError("unreachable: the last try returns or raises")


def _frame_pace(component: Component, nonce: str) -> dict[str, Any]:  # noqa: ARG001 - time is the nonce
    """Read the frame counter of a running stream a few times: it must keep pace with monotonic time."""
    facts = component.ask("stream.start")
    try:
        pause = threading.Event()
        readings: list[list[int]] = []
        for _ in range(3):
            pause.wait(_PACE_S / 2)
            now = component.ask("frames")
            readings.append([int(now["frames_rendered"]), int(now["mono_ns"])])
    finally:
        component.ask("stream.stop")
    return {"readings": readings, "rate": facts["sample_rate"], "period": facts["period_frames"]}


def _run_certificate(component: Component, nonce: str) -> dict[str, Any]:  # noqa: ARG001 - each handshake is fresh
    """Shake hands with each service and see whether this run's authority vouches for its certificate."""
    authority = ""
    services: dict[str, str] = {}
    for name, endpoint in sorted(component.endpoints.items()):
        authority = _digest(Path(endpoint["ca"]))
        services[name] = authority if _vouched(name, endpoint) else "unverified"
    return {"services": services, "authority": authority, "seen_ns": clock.mono_ns()}


def _recorded(component: Component, nonce: str) -> dict[str, Any]:  # noqa: ARG001 - a recording has no answer to it
    """A recording is asked nothing; which one it is, is told."""
    traces = {name: str(endpoint["trace"]) for name, endpoint in sorted(component.endpoints.items())}
    return {"traces": {name: digest(Path(at).read_bytes()) for name, at in traces.items()}}


def _vouched(name: str, endpoint: Mapping[str, Any]) -> bool:
    try:
        return bool(dial(kind_of(name), Endpoint.of(endpoint), _CONNECT_S, clock.mono_ns).certificate)
    except DialError as error:
        if error.trouble == "tls":
            return False
        raise


def _boot_nonce(component: Component, nonce: str) -> dict[str, Any]:
    """Have the system booted once with a nonce that nobody could foresee, and read each component's own log."""
    booted = component.ask("boot", nonce=nonce)
    return {"outcome": booted["outcome"], "started": dict(booted["started"]), "written": dict(booted["written"])}


def _digest(certificate: Path) -> str:
    return digest(ssl.PEM_cert_to_DER_cert(certificate.read_text(encoding="ascii")))


def _nonce_session(component: Component, nonce: str) -> dict[str, Any]:
    """Ask something that nobody could foresee, in a session of its own, and read it again in that session's log."""
    session = f"challenge-{nonce}"[:60]
    component.ask("open", session=session)
    said = component.ask("say", session=session, text=f"The word is {nonce}.")
    lines = [json.loads(line) for line in component.ask("close", session=session).splitlines()]
    logged = {kind: [json.dumps(one["body"]) for one in lines if one["kind"] == kind] for kind in ("request", "answer")}
    return {"said": str(said["text"]), "logged": logged}


_BY_KIND: dict[str, Callable[[Component, str], dict[str, Any]]] = {
    "nonce-item": _nonce_item,
    "run-certificate": _run_certificate,
    "recorded": _recorded,
}
_BY_NAME: dict[str, tuple[str, Callable[[Component, str], dict[str, Any]]]] = {
    "memory": ("nonce-item", _nonce_item),
    "sonic": ("frame-pace", _frame_pace),
    "connectors": ("run-certificate", _run_certificate),
    "operator": ("nonce-item", _nonce_command),
    "boot": ("boot-nonce", _boot_nonce),
    "crown": ("nonce-session", _nonce_session),
}
