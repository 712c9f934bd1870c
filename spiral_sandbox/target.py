"""The parent's side of the sandbox: starts components, talks to them, and never leaves one behind."""

import atexit
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import MappingProxyType
from typing import Any

from spiral_sandbox.component import STOP_SECONDS
from spiral_sandbox.errors import (
    ComponentLostError,
    ComponentRefusalError,
    ComponentStartError,
    ComponentTimeoutError,
    SandboxError,
)
from spiral_sandbox.faults import COMPONENTS, FaultPlan, chosen_faults, faults_of, known_faults
from spiral_sandbox.tls import Certificates, issue_certificates

__all__ = ["Component", "Running", "known_faults", "start"]

READY_SECONDS = 30.0
"""How long a component may take to come up."""

_TAIL_LINES = 15
_READY = "ready"


class _Channel:
    """The control channel to one child: requests go out, answers come back in any order."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None  # noqa: S101  both are pipes, the types cannot say so
        assert process.stdout is not None  # noqa: S101
        self._name = name
        self._to_child, self._from_child = process.stdin, process.stdout
        self._lock = threading.Lock()
        self._open = True
        self._count = 0
        self._pending: dict[int | str, Future[dict[str, Any]]] = {_READY: Future()}
        self._reader = threading.Thread(target=self._read, name=f"sandbox-{name}", daemon=True)
        self._reader.start()

    def ready(self, deadline: float) -> dict[str, Any]:
        """The child's first message; TimeoutError or ComponentLostError if there is none."""
        return self._pending[_READY].result(deadline)

    def send(self, message: dict[str, Any]) -> None:
        """Write one line to the child."""
        line = json.dumps(message, allow_nan=False).encode() + b"\n"
        try:
            self._to_child.write(line)
            self._to_child.flush()
        except (OSError, ValueError) as error:  # ValueError: the pipe is closed on this side
            raise self._lost() from error

    def request(self, op: str, arguments: dict[str, Any]) -> "Future[dict[str, Any]]":
        """Send one request; the future holds the answer's message."""
        future: Future[dict[str, Any]] = Future()
        with self._lock:
            if not self._open:
                raise self._lost()
            self._count += 1
            self._pending[self._count] = future
            self.send({"id": self._count, "op": op, "args": arguments})
        return future

    def hang_up(self) -> None:
        """Close the line to the child, which ends it."""
        with self._lock, contextlib.suppress(OSError):  # a dead child's pipe is as good as closed
            self._to_child.close()

    def join(self) -> None:
        """Wait for the reader, whose input the dead child has closed, and let go of the pipe."""
        self._reader.join()
        self._from_child.close()

    def _read(self) -> None:
        for line in self._from_child:
            if not line.endswith(b"\n"):  # the child died while it wrote this
                break
            message = json.loads(line)
            future = self._pending.get(message.get("id", _READY))
            # A failure after the ready line has nobody waiting; the log has it, and the end follows.
            if future is not None and not future.done():
                future.set_result(message)
            self._pending.pop(message.get("id"), None)
        with self._lock:
            self._open = False
            for future in self._pending.values():
                if not future.done():
                    future.set_exception(self._lost())

    def _lost(self) -> ComponentLostError:
        return ComponentLostError(f"The component {self._name} is gone or was stopped.")


class Component:
    """One running component: who it is, where it answers, and the operator's control channel to it."""

    def __init__(self, name: str, folder: Path, config: Mapping[str, Any], client: Mapping[str, str]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._process = _spawn(name, self.log)
        self._channel = _Channel(name, self._process)
        try:
            ready = self._greet({**config, "folder": str(folder / name), "parent": os.getpid()})
        except BaseException:
            self.close()
            self.reap()
            raise
        self.pid: int = self._process.pid
        self.version: str = ready["version"]
        self.identity: str = ready["identity"]
        self.digest: str = ready["digest"]
        self.facts: Mapping[str, Any] = MappingProxyType(ready["facts"])
        self.endpoints: Mapping[str, Mapping[str, Any]] = {
            endpoint: {**given, **client} for endpoint, given in ready["endpoints"].items()
        }

    @property
    def alive(self) -> bool:
        """Whether the process is still running."""
        return self._process.poll() is None

    def ask(self, op: str, /, *, _deadline: float = 60.0, **arguments: Any) -> Any:
        """Have the component do something an operator of the rig does, and return its plain JSON answer.

        `_deadline` is in seconds. Raises ComponentRefusalError when the component answers with an error,
        ComponentTimeoutError when it does not answer in time, ComponentLostError when it is gone.
        """
        answer = self._channel.request(op, arguments)
        try:
            message = answer.result(_deadline)
        except TimeoutError as error:
            text = f"The component {self.name} did not answer {op!r} within {_deadline:g} s."
            raise ComponentTimeoutError(text) from error
        if "error" in message:
            raise ComponentRefusalError(f"The component {self.name} refused {op!r}: {message['error']}")
        return message["result"]

    def close(self) -> None:
        """Tell the component to end; does not wait."""
        self._channel.hang_up()

    def reap(self) -> None:
        """Wait for the process to end, by force if it does not end by itself."""
        for patience, force in ((STOP_SECONDS + 1, self._process.terminate), (1.0, self._process.kill)):
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                force()
        self._process.wait()
        self._channel.join()

    def _greet(self, config: dict[str, Any]) -> dict[str, Any]:
        try:
            self._channel.send(config)
            message = self._channel.ready(READY_SECONDS)
        except (TimeoutError, ComponentLostError) as error:
            reason = "ended before it was ready" if isinstance(error, ComponentLostError) else "was not ready in time"
            raise ComponentStartError(f"The component {self.name} {reason}; its log ends:\n{self._tail()}") from error
        if "failed" in message:
            raise ComponentStartError(f"The component {self.name} could not start: {message['failed']}")
        ready: dict[str, Any] = message[_READY]
        here = str(Path(__file__).parent)
        if ready["source"] != here:
            raise ComponentStartError(f"The component {self.name} runs from {ready['source']}, not from {here}.")
        return ready

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:])


def _command(name: str) -> list[str]:
    # -P: a file in the current folder must not stand in for a library.
    return [sys.executable, "-P", "-m", "spiral_sandbox.component", name]


def _spawn(name: str, log: Path) -> "subprocess.Popen[bytes]":
    pipe = subprocess.PIPE
    with log.open("ab") as errors:
        # A process group of its own: Ctrl-C is for the parent, which then ends its components in order.
        return subprocess.Popen(_command(name), stdin=pipe, stdout=pipe, stderr=errors, process_group=0)


class Running:
    """A sandbox that is up: components come to life when they are first asked for."""

    name = "sandbox"
    fidelity = "sandbox"
    components = COMPONENTS

    def __init__(self, faults: Sequence[str], seed: int, folder: Path) -> None:
        self.faults: Mapping[str, FaultPlan] = known_faults()
        self.facts: Mapping[str, bool | int | float | str] = MappingProxyType({"clock.trusted": False})
        self._chosen = chosen_faults(faults)
        self._seed = seed
        self._folder = folder.resolve()
        self._certificates: Certificates = issue_certificates(self._folder / "tls")
        self._issued: dict[str, Certificates] = {}
        self._started: dict[str, Component] = {}
        self._locks = {component: threading.Lock() for component in COMPONENTS}
        self._stopped = False
        # A process that was forked off must not end components that are its parent's.
        self._owner = os.getpid()
        atexit.register(self.stop)

    def component(self, name: str) -> Component:
        """The component of that name, started now if this is its first use.

        Raises ComponentStartError when it does not come up within 30 s, SandboxError when there is no such
        component, ComponentLostError when the sandbox was stopped.
        """
        if name not in self._locks:
            raise SandboxError(f"The sandbox has no component {name!r}; it has {', '.join(COMPONENTS)}.")
        with self._locks[name]:
            if self._stopped:
                raise ComponentLostError(f"The sandbox was stopped, so {name} cannot be used.")
            if name not in self._started:
                self._started[name] = self._launch(name)
            return self._started[name]

    def lost(self) -> tuple[str, ...]:
        """Names of components that were started and whose process has died since; none after `stop`."""
        if self._stopped:
            return ()
        return tuple(name for name, component in list(self._started.items()) if not component.alive)

    def stop(self) -> None:
        """End every component and remove the certificates; a second call does nothing."""
        if self._stopped or os.getpid() != self._owner:
            return
        self._stopped = True
        with contextlib.ExitStack() as held:
            for lock in self._locks.values():
                held.enter_context(lock)
            for component in self._started.values():
                component.close()
            for component in self._started.values():
                component.reap()
        for issued in self._issued.values():
            shutil.rmtree(issued.server.ca.parent, ignore_errors=True)
        self._certificates.remove()
        atexit.unregister(self.stop)

    def _launch(self, name: str) -> Component:
        # A folder of its own: a component may exchange its certificates, and the others keep theirs.
        if name not in self._issued:
            self._issued[name] = self._certificates.copy(self._folder / "tls" / name)
        own = self._issued[name]
        config = {
            "seed": self._seed,
            "faults": sorted(faults_of(name, self._chosen)),
            "tls": own.server.paths(),
        }
        return Component(name, self._folder, config, own.client.paths())


def start(faults: Sequence[str], seed: int, folder: Path) -> Running:
    """Start a sandbox with these faults in it, for this seed, keeping its files in this folder.

    Raises ValueError on a fault that does not exist, SandboxError if the folder belongs to another sandbox.
    """
    return Running(faults, seed, folder)
