"""`spiral record`: holds the recorder's key, starts pytest where it cannot be reached, and signs what was told in time.

The order is what it rests on. The child is confined and tries to get out before it becomes pytest; the key is read
after the child has begun, so that it never was in its memory; nothing of what the tests wrote is read before all of
their processes are dead, and what is sealed is a copy that they cannot reach.
"""

import os
import secrets
import select
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

import msgspec

import pytest_spiral
from pytest_spiral.errors import EvidenceError, UntrustedError, UseError
from pytest_spiral.evidence.folder import Folder
from pytest_spiral.evidence.keys import SigningKey
from pytest_spiral.evidence.read import read_bundle, read_evidence
from pytest_spiral.evidence.state import classify
from pytest_spiral.evidence.store import make_folder, sync_folder, trouble
from pytest_spiral.ledger.store import Store
from pytest_spiral.model.attestation import Signer
from pytest_spiral.model.launcher import Confinement, Escape, Terms
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.confinement import isolation_of
from pytest_spiral.rules.integrity import Limits
from pytest_spiral.rules.launched import LAUNCHER
from pytest_spiral.rules.paths import check_path
from pytest_spiral.run.confine import Account, become_closed, die_with, end_descendants, give_up, state_of
from pytest_spiral.run.escape import Marks, code_places, try_all
from pytest_spiral.run.gate_run import Opened, Sealed, seal_run
from pytest_spiral.run.handover import check_journals, check_start, check_told, copy_run
from pytest_spiral.run.listener import Heard, Listener, Publish
from pytest_spiral.run.logbook import Logbook

_PASSED_ON: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_DROPPED: Final = ("SSH_AUTH_SOCK", "SSH_AGENT_PID", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", LAUNCHER)
_NOT_STARTED: Final = 127
_LAST_STANDARD: Final = 2
_MOST_SIGNALS: Final = 1024
_MOST_REPORT: Final = 1024 * 1024
_REPORT: Final = msgspec.json.Decoder(tuple[Escape, ...] | str)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be recorded: the command, in `folder`, with this environment; as whom; and where evidence goes.

    `account` is None where the user cannot be changed, and `why` says why. `ledger_file` is the ledger's file where it
    is one. `load_key` reads the recorder's key, whose file is `key`.
    """

    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    reports: Path
    key: Path
    load_key: Callable[[], SigningKey]
    account: Account | None
    why: str = ""
    ledger: Store | None = None
    ledger_file: Path | None = None
    publish: Publish | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of it: the command's exit status, how its process was confined, and what was sealed.

    `sealed` is None where nothing was: `left` is then the run's folder, None where there is none either, and `state`
    how far the run had come.
    """

    status: int
    confinement: Confinement
    sealed: Sealed | None = None
    left: Path | None = None
    state: str = ""


def record(order: Order) -> Recorded:
    """Run the command, then seal and sign what it recorded.

    Raises UseError where it cannot be started so, UntrustedError where what lies there is not what was told, and
    EvidenceError where the disk refuses; nothing is signed then, and the run's folder stays where it is.
    """
    with _places(order) as places:
        become_closed()
        owner = order.account.uid if order.account is not None else os.geteuid()
        listener = Listener(places.socket, owner, order.ledger, order.publish)
        child = _Child(order, places)
        with _passing_signals(child.pid) as bell:
            confinement = child.confined(order)
            key = order.load_key()
            terms = Terms(
                reports=str(places.reports),
                sealed=str(order.reports),
                ledger=order.ledger.name if order.ledger is not None else "",
                publishes=order.publish is not None,
                keyid=key.keyid,
                confinement=confinement,
            )
            listener.start(terms)
            child.go()
            status = child.wait(bell)
        listener.close()
        if not end_descendants():
            raise EvidenceError("processes of the tests come faster than they can be ended; nothing is signed.")
        return _seal(order, places, listener.finish(), key, Recorded(status, confinement))


@dataclass(frozen=True, slots=True)
class _Places:
    """Folders of one recording: `reports` is the tests', `taken` is the launcher's; `home` is theirs, and temporary."""

    root: Path
    reports: Path
    taken: Path
    home: Path
    socket: Path


@contextmanager
def _places(order: Order) -> Iterator[_Places]:
    """Make the folders; take them away again, but for a run's that is not sealed."""
    root = order.reports / f".recording-{secrets.token_hex(4)}"  # pytest looks for no tests behind a dot
    try:
        order.reports.mkdir(parents=True, exist_ok=True)
        away = Path(tempfile.mkdtemp(prefix="spiral-"))
        places = _Places(root, root / "reports", root / "taken", away / "home", away / "launcher")
        for folder in (root, places.reports, places.home):
            folder.mkdir(mode=0o700)
        for own in (away, root):
            own.chmod(0o755)
        if order.account is not None:
            for theirs in (places.reports, places.home):
                os.chown(theirs, order.account.uid, order.account.gid)
    except OSError as problem:
        raise UseError(f"no evidence can be written to {order.reports}: {problem.strerror}.") from problem
    try:
        yield places
    finally:
        shutil.rmtree(away, ignore_errors=True)
        shutil.rmtree(places.taken, ignore_errors=True)
        if not _runs_in(places):
            shutil.rmtree(root, ignore_errors=True)


def _runs_in(places: _Places) -> list[Path]:
    """The folders of runs; a link is none."""
    found = (one for one in places.reports.glob("*/*/") if not one.is_symlink() and not one.parent.is_symlink())
    return sorted(found)


class _Child:
    """The process that becomes pytest, from its confinement to its end."""

    def __init__(self, order: Order, places: _Places) -> None:
        launcher = os.getpid()
        report, self._told = os.pipe()
        waits, go = os.pipe()
        marks = _marks(order, launcher)
        environment = _environment(order, places)
        self.pid = os.fork()
        if self.pid == 0:
            _be_child(order, marks, environment, launcher, (self._told, waits))
        os.close(self._told)
        os.close(waits)
        self._report, self._go = report, go

    def confined(self, order: Order) -> Confinement:
        """What its attempts came to, and what the kernel says of it; raises UseError where it cannot be confined."""
        with os.fdopen(os.dup(self._report), "rb") as file:
            data = file.readline(_MOST_REPORT)
        told = _REPORT.decode(data) if data else "it ended before it said anything"
        if isinstance(told, str):
            self.wait()
            raise UseError(f"the tests cannot be confined: {told}.")
        account = order.account
        return Confinement(
            uid=account.uid if account is not None else os.geteuid(),
            gid=account.gid if account is not None else os.getegid(),
            launcher=os.geteuid(),
            state=state_of(self.pid),
            escapes=told,
            why=order.why,
        )

    def go(self) -> None:
        """Let it become pytest; raises UseError where the command cannot be run by that user."""
        os.write(self._go, b"g")
        os.close(self._go)
        with os.fdopen(self._report, "rb") as file:
            said = file.read(_MOST_REPORT)  # ends when the command runs, since the descriptor closes then
        if said:
            self.wait()
            raise UseError(msgspec.json.decode(said, type=str))

    def wait(self, bell: int | None = None) -> int:
        """Its exit status, as a shell gives it. `bell` can be read when a signal has come.

        A signal that comes right before a wait for the child alone would be passed on when the child has ended.
        """
        if bell is not None:
            over = os.pidfd_open(self.pid)
            while over not in (ready := select.select([over, bell], [], [])[0]):
                os.read(ready[0], _MOST_SIGNALS)
            os.close(over)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return code if code >= 0 else 128 - code


def _be_child(
    order: Order, marks: Marks, environment: Mapping[str, str], launcher: int, ends: tuple[int, int]
) -> NoReturn:
    """In the forked child: drop rights, try to get out, tell, wait for the word, become the command."""
    told, waits = ends
    try:
        os.setsid()  # no terminal of the launcher's to write into, and Ctrl-C comes once, from the launcher
        give_up(order.account)
        die_with(launcher)
        os.umask(0o022)
        for found in list(Path("/proc/self/fd").iterdir()):
            with suppress(OSError):  # the one of the listing itself is closed by now
                os.set_inheritable(int(found.name), int(found.name) <= _LAST_STANDARD)
        os.write(told, msgspec.json.encode(try_all(marks)) + b"\n")
        if os.read(waits, 1) != b"g":
            os._exit(_NOT_STARTED)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, *_PASSED_ON):
            signal.signal(number, signal.SIG_DFL)
        _become(order, environment, told)
    except OSError as problem:
        os.write(told, msgspec.json.encode(f"{problem.strerror} ({type(problem).__name__})") + b"\n")
    finally:
        os._exit(_NOT_STARTED)


def _become(order: Order, environment: Mapping[str, str], told: int) -> None:
    name = order.command[0]
    who = order.account.name if order.account is not None else "this user"
    try:
        os.chdir(order.folder)
        os.scandir(".").close()
    except OSError as problem:
        said = f"{who} cannot read {order.folder}: {problem.strerror}. Remedy: grant it (chmod o+rX), or name another --user."
        os.write(told, msgspec.json.encode(said))
        return
    try:
        os.execve(name, order.command, dict(environment))  # noqa: S606 - there is no shell on purpose
    except OSError as problem:
        said = f"{who} cannot run {name}: {problem.strerror}. Remedy: put it where that user may run it, or name another --user."
        os.write(told, msgspec.json.encode(said))


def _marks(order: Order, launcher: int) -> Marks:
    ours = Path(pytest_spiral.__file__).parent
    paths = [*ours.rglob("*"), Path(sys.executable), *(Path(one) for one in sys.path if one)]
    return Marks(launcher, os.geteuid(), os.getegid(), order.key.absolute(), code_places(paths), order.ledger_file)


def _environment(order: Order, places: _Places) -> dict[str, str]:
    """What the tests are started with: a home and a temporary folder of their own, and git that reads the repository."""
    given = {name: value for name, value in order.environment.items() if name not in _DROPPED}
    given[LAUNCHER] = str(places.socket)
    if order.account is None:
        return given
    count = int(given.get("GIT_CONFIG_COUNT", "0") or 0)
    given |= {
        "HOME": str(places.home),
        "TMPDIR": str(places.home),
        "USER": order.account.name,
        "LOGNAME": order.account.name,
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": "safe.directory",
        f"GIT_CONFIG_VALUE_{count}": "*",
        "TOX_ENV_DIR": str(places.home),  # where pytest keeps its cache, unless its ini says otherwise
    }
    return given


@contextmanager
def _passing_signals(child: int) -> Iterator[int]:
    """Pass signals on to the child, and to nobody else; a child that was not waited for is ended.

    Gives a descriptor that can be read when a signal has come.
    """

    def pass_on(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what a handler is given
        with suppress(ProcessLookupError):
            os.kill(child, number)

    bell, ring = os.pipe()
    os.set_blocking(ring, False)
    before = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    rung = signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
    try:
        yield bell
    except BaseException:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        end_descendants()
        raise
    finally:
        signal.set_wakeup_fd(rung)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(bell)
        os.close(ring)


def _seal(order: Order, places: _Places, heard: Heard, key: SigningKey, done: Recorded) -> Recorded:
    """Take the run over, hold it against what was heard, seal and sign it."""
    runs = _runs_in(places)
    if not runs:
        return done
    if len(runs) > 1:
        raise UseError(f"{len(runs)} runs were recorded at once. Remedy: one pytest session for each spiral record.")
    run = runs[0]
    state = classify(run)
    if state != "ended":
        return replace(done, left=run, state=state)
    try:
        sealed = _take_over(order, places, run, heard, key, done.confinement)
    except UntrustedError as problem:
        raise UntrustedError(problem.code, f"{problem} Nothing is signed; the run lies in {run}.") from problem
    shutil.rmtree(run, ignore_errors=True)
    return replace(done, sealed=sealed, state="sealed")


def _take_over(  # noqa: PLR0913, PLR0917 - what is sealed, by whom, and what it is held against
    order: Order, places: _Places, run: Path, heard: Heard, key: SigningKey, confinement: Confinement
) -> Sealed:
    places.taken.mkdir(mode=0o700)
    taken = places.taken / check_path(run.parent.name) / check_path(run.name)
    copy_run(run, taken)
    with Folder(taken) as opened:
        start, data = read_bundle(opened, Limits())
    check_journals(taken, heard)
    check_start(start, Signer(keyid=key.keyid, role="spiral-recorder"), confinement)
    check_told(taken, read_evidence(taken), digest(data), heard)
    folder = _put(taken, order.reports)
    logbook = Logbook.resumed(order.ledger, start, digest(data), heard.opened, heard.collected)
    return seal_run(Opened(folder, start, digest(data), key, logbook, isolation=isolation_of(confinement)))


def _put(taken: Path, reports: Path) -> Path:
    """Give the copied run its place among the bundles, all at once."""
    folder = reports / taken.parent.name / taken.name
    make_folder(folder.parent)
    try:
        if os.path.lexists(folder):
            raise UseError(f"{folder} is there already; a bundle is never overwritten.")
        taken.rename(folder)
    except OSError as problem:
        raise trouble("written", folder, problem) from problem
    sync_folder(folder.parent)
    return folder


__all__ = ["Order", "Recorded", "record"]
