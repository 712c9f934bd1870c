"""The child's side of the sandbox: one component, served in a process of its own.

Run as `python -m spiral_sandbox.component NAME`. The first line on standard input is the configuration,
each further line a request; standard output carries one ready line and then one line per answer, all JSON.
The process ends when its input does, so it never outlives its parent.
"""

import asyncio
import hashlib
import importlib
import json
import logging
import os
import select
import signal
import sys
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from spiral_sandbox.tls import Tls

USES = {"operator": ("connectors", "memory")}
"""Which packages of other components a component runs too."""

STOP_SECONDS = 3.0
"""How long a component may take to stop before its process is ended all the same."""

_STDIN = 0
_CHUNK_BYTES = 1 << 16
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Context:
    """What a component is given: its own folder, the run's seed, its faults, its server's credentials."""

    folder: Path
    seed: int
    faults: frozenset[str]
    tls: Tls


class Service(Protocol):
    """What `build(context)` of `spiral_sandbox/NAME/service.py` returns.

    A service may also have `facts`, a mapping of names to plain values, which the ready line passes on.
    """

    version: str

    async def start(self) -> dict[str, dict[str, object]]:
        """Start serving and name the endpoints: `{"rest": {"address": …}, "grpc": {"address": …}}`."""
        ...

    async def handle(self, op: str, args: dict[str, Any]) -> Any:
        """Do what the operator of the rig asks and return plain JSON; UnknownOperationError if there is none."""
        ...

    async def stop(self) -> None:
        """Stop serving and let go of everything; also called after a start that failed halfway."""
        ...


class Lifeline:
    """The line from the parent: its requests, and the news of its end.

    Besides end of file it watches the parent itself where the system can (`pidfd_open`, Linux): a process
    that the parent forked may hold the other end of the pipe open after the parent is gone.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parent = _watch_parent()

    def read(self) -> bytes | None:
        """The next line without its end, or None once the parent is gone; blocks until either comes."""
        while (end := self._buffer.find(b"\n")) < 0:
            watched = [_STDIN] if self._parent is None else [_STDIN, self._parent]
            ready, _, _ = select.select(watched, [], [])
            if self._parent in ready:
                return None
            chunk = os.read(_STDIN, _CHUNK_BYTES)
            if not chunk:
                return None
            self._buffer += chunk
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def feed(self, loop: asyncio.AbstractEventLoop, inbox: "asyncio.Queue[bytes | None]") -> None:
        """Pass every line on to the loop, then its end; whatever hangs after that is cut off.

        Runs in a thread of its own, so that a blocked loop cannot keep an orphan alive.
        """
        line: bytes | None = b""
        while line is not None:
            line = self.read()
            try:
                loop.call_soon_threadsafe(inbox.put_nowait, line)
            except RuntimeError:  # the loop is closed: the process is about to end by itself
                break
        threading.Event().wait(STOP_SECONDS)
        _log.error("stopping took over %s s; the process ends now", STOP_SECONDS)
        logging.shutdown()
        os._exit(1)


def _watch_parent() -> int | None:
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(os.getppid())
    except OSError:  # an old kernel or a sandbox that forbids it: end of file alone must do
        return None


class Replies:
    """The line to the parent: one JSON value per line."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Write one message; TypeError or ValueError if it is not plain JSON, and nothing is written then."""
        line = json.dumps(message, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()


def take_stdout() -> Replies:
    """Keep standard output for the channel alone: whatever is printed from now on goes to the log."""
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return Replies(stream)


def digest_of(name: str) -> str:
    """`sha256:` and the hash over the files a component runs: its own package, those it uses, the scaffold beside them.

    For each file, in the order of their paths from `spiral_sandbox`: the path, a zero byte, the length in
    decimal digits, a zero byte, the bytes.
    """
    root = Path(__file__).parent
    packages = (root / package for package in (name, *USES.get(name, ())))
    own = [path for package in packages for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in (*own, *root.glob("*.py"))}
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(b"%s\0%d\0" % (path.encode(), len(files[path])) + files[path])
    return f"sha256:{total.hexdigest()}"


async def answer(service: Service, replies: Replies, line: bytes) -> None:
    """Do one request and send its answer; an error is an answer too."""
    request = json.loads(line)
    try:
        result = await service.handle(request["op"], request["args"])
        message = {"id": request["id"], "result": result}
        await asyncio.to_thread(replies.send, message)
    except Exception as error:  # noqa: BLE001  the parent gets whatever went wrong, the log its traceback
        _log.warning("request %s failed", request["op"], exc_info=True)
        replies.send({"id": request["id"], "error": f"{type(error).__name__}: {error}"})


async def live(name: str, config: dict[str, Any], lifeline: Lifeline, replies: Replies) -> None:
    """Start the component, say that it is ready, answer requests until the parent's line ends, stop."""
    loop = asyncio.get_running_loop()
    inbox: asyncio.Queue[bytes | None] = asyncio.Queue()
    threading.Thread(target=lifeline.feed, args=(loop, inbox), name="lifeline", daemon=True).start()
    loop.add_signal_handler(signal.SIGTERM, inbox.put_nowait, None)
    service: Service = importlib.import_module(f"spiral_sandbox.{name}.service").build(_context(config))
    try:
        endpoints = await service.start()
        replies.send({"ready": _ready(name, service, endpoints)})
        open_answers: set[asyncio.Task[None]] = set()
        while (line := await inbox.get()) is not None:
            task = asyncio.create_task(answer(service, replies, line))
            open_answers.add(task)
            task.add_done_callback(open_answers.discard)
    finally:
        await service.stop()


def _context(config: dict[str, Any]) -> Context:
    tls = Tls(**{part: Path(path) for part, path in config["tls"].items()})
    return Context(Path(config["folder"]), config["seed"], frozenset(config["faults"]), tls)


def _ready(name: str, service: Service, endpoints: dict[str, dict[str, object]]) -> dict[str, object]:
    return {
        "version": service.version,
        "identity": uuid.uuid4().hex,
        "digest": digest_of(name),
        "source": str(Path(__file__).parent),
        "endpoints": endpoints,
        "facts": dict(getattr(service, "facts", {})),
    }


def main(name: str) -> int:
    """Run one component until the parent's line ends; the exit status is 0 if it started and stopped well."""
    replies = take_stdout()
    # Ctrl-C on the terminal is for the parent, which then ends this process in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    lifeline = Lifeline()
    first = lifeline.read()
    if first is None:
        return 0
    config = json.loads(first)
    if config["parent"] != os.getppid():  # the parent died before this line was reached
        return 0
    try:
        asyncio.run(live(name, config, lifeline, replies))
    except Exception as error:  # noqa: BLE001  the last line before the process ends: the parent is told why
        _log.exception("the component %s failed", name)
        replies.send({"failed": f"{type(error).__name__}: {error}"})
        return 1
    return 0


if __name__ == "__main__":
    # The services import this module by its name; run from there, every class in it exists only once.
    from spiral_sandbox.component import main as run

    sys.exit(run(sys.argv[1]))
