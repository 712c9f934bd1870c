"""One boot: components come up in order, each by its policy, and go down in the reverse order.

A component sees PATH and:

SPIRAL_BOOT_NONCE   what nobody could foresee; it is in the component's log, in its answers, and in its environment,
                    so that the system itself shows whatever is left of this boot
SPIRAL_COMPONENT    its name
SPIRAL_ADDRESS      host:port; each boot has a loopback address of its own, so that boots side by side share ports
SPIRAL_FOLDER       a folder of its own
SPIRAL_FLAW         how it is to misbehave, where it is
"""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from spiral_sandbox.boot.checks import Asked, look
from spiral_sandbox.boot.flaws import Flaw
from spiral_sandbox.boot.manifest import Manifest, Part, filled
from spiral_sandbox.boot.record import BootLog
from spiral_sandbox.boot.seats import Outcome, Report, Seat, Trouble
from spiral_sandbox.boot.starting import Child, NotStartedError, Warden

_PROGRAM = str(Path(__file__).with_name("program.py"))
_FIRST_LOOK_S, _SLOWEST_LOOK_S, _SLOWING = 0.008, 0.1, 1.5
_PLACE_S = 5.0

T = TypeVar("T")


@dataclass(slots=True)
class Boot:
    """A boot that is to be run once. `failover` False leaves standbys where they are: a fault."""

    manifest: Manifest
    warden: Warden
    log: BootLog
    folder: Path
    number: int
    nonce: str
    flaw: Flaw | None = None
    failover: bool = True
    _seats: dict[str, Seat] = field(default_factory=dict)

    async def run(self) -> Report:
        """Bring everything up, take it down again, and look what is left; what goes wrong stands in the report."""
        for part in self.manifest.primaries():
            standby = self.manifest.standby(part.name) if self.failover else None
            self._seats[part.name] = Seat(part.name, (part, standby) if standby else (part,))
        begun = self._note("boot-begun", nonce=self.nonce, components=list(self._seats))
        reason = ""
        try:
            try:
                async with asyncio.timeout(self.manifest.boot_within_s):
                    await self._bring_up()
            except TimeoutError:
                reason = "boot-time-limit"
            outcome, reason = self._outcome(reason)
            settled = self._note("settled", outcome=outcome)
        finally:
            strays = await self._take_down()
        self._note("boot-ended", outcome=outcome)
        seats = tuple(self._seats.values())
        return Report(self.number, self.nonce, outcome, reason, settled - begun, seats, tuple(strays))

    def logs(self) -> dict[str, str]:
        """What each component that was started has written, by component."""
        return {path.stem: path.read_text(encoding="utf-8", errors="replace") for path in self.folder.glob("*.log")}

    def _note(self, event: str, **more: object) -> int:
        return self.log.note(self.number, event, **more)

    def _outcome(self, reason: str) -> tuple[Outcome, str]:
        if reason:
            return "failed", reason
        for seat in self._seats.values():
            if seat.outcome == "failed":
                return "failed", f"{seat.name}: {seat.trouble.reason if seat.trouble else 'no attempt'}"
        return ("failed-over" if any(one.outcome == "failed-over" for one in self._seats.values()) else "ready"), ""

    async def _bring_up(self) -> None:
        """Fill every seat; then look again, since a component may have died while others came up."""
        filling = {name: asyncio.Event() for name in self._seats}
        await together(self._fill_in_order(seat, filling) for seat in self._seats.values())
        while fallen := [seat for seat in self._seats.values() if seat.held and await self._has_fallen(seat)]:
            for seat in fallen:
                await self._fill(seat)

    async def _fill_in_order(self, seat: Seat, filled_seats: dict[str, asyncio.Event]) -> None:
        for name in seat.candidates[0].after:
            await filled_seats[name].wait()
        missing = [name for name in seat.candidates[0].after if not self._seats[name].held]
        if missing:
            seat.outcome = "not-started"
            self._note("not-started", component=seat.name, why=f"{', '.join(missing)} did not come up")
        else:
            await self._fill(seat)
        filled_seats[seat.name].set()

    async def _has_fallen(self, seat: Seat) -> bool:
        part, child = seat.part, seat.child
        assert child is not None  # noqa: S101  a held seat has one
        why = "" if not child.alive else await look(self._setting(part, seat.attempts).asked, child.pid, self.warden)
        if child.alive and not why:
            return False
        seat.trouble = Trouble("died-after-ready", why or _how_it_ended(child))
        seat.outcome = ""
        self._note_failed_attempt(part, seat)
        await self._stop(part, seat)
        return True

    async def _fill(self, seat: Seat) -> None:
        """Try whose turn it is as often as its policy allows, then its standby."""
        while seat.turn < len(seat.candidates):
            part = seat.part
            while seat.attempts < part.attempts and not (seat.trouble and seat.trouble.final):
                await self._back_off(part, seat)
                seat.attempts += 1
                seat.tries += 1
                seat.trouble = await self._attempt(part, seat)
                if seat.trouble is None:
                    seat.outcome = "failed-over" if seat.turn else "ready"
                    self._note("ready", component=part.name, attempt=seat.attempts)
                    return
                self._note_failed_attempt(part, seat)
                await self._stop(part, seat)
            seat.turn, seat.attempts = seat.turn + 1, 0
            if seat.turn < len(seat.candidates):
                seat.trouble = None
                self._note("failed-over", component=seat.name, to=seat.part.name)
        seat.outcome = "failed"
        self._note("failed", component=seat.name, reason=seat.trouble.reason if seat.trouble else "")

    def _note_failed_attempt(self, part: Part, seat: Seat) -> None:
        if seat.trouble is not None:
            told = {"reason": seat.trouble.reason, "why": seat.trouble.why}
            self._note("attempt-failed", component=part.name, attempt=seat.attempts, **told)

    async def _back_off(self, part: Part, seat: Seat) -> None:
        if not seat.attempts:
            return
        pause = part.back_off_s * 2 ** (seat.attempts - 1)
        seat.retries += 1
        self._note("retry", component=part.name, attempt=seat.attempts + 1, after_s=pause)
        await _pause(pause)

    async def _attempt(self, part: Part, seat: Seat) -> Trouble | None:
        """Start the component and wait until it is ready; None where it is."""
        setting = self._setting(part, seat.attempts)
        async with _Stranger(self.warden, setting):
            if not await look(setting.asked, None, self.warden):
                return _healthy_before(setting.asked)
            try:
                child = await self.warden.start(setting.command, setting.asked.environment, setting.log)
            except NotStartedError as error:
                return Trouble("cannot-start", str(error))
            seat.child, seat.pid = child, child.pid
            self._note("started", component=part.name, attempt=seat.attempts, pid=child.pid)
            return await self._await_ready(part, setting.asked, child)

    async def _await_ready(self, part: Part, asked: Asked, child: Child) -> Trouble | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + part.ready_within_s
        pause = _FIRST_LOOK_S
        while True:
            await asyncio.wait({child.ended}, timeout=pause)
            why = "" if not child.alive else await look(asked, child.pid, self.warden)
            if not child.alive:  # also where the check says healthy: a dead component's check may say anything
                return Trouble("exited-0" if child.ended.result() == 0 else "died", _how_it_ended(child))
            if not why:
                return None
            if loop.time() >= deadline:
                reason = "unhealthy" if why.startswith("unhealthy") else "not-ready"
                return Trouble(reason, f"not ready within {part.ready_within_s:g} s: {why}")
            pause = min(pause * _SLOWING, _SLOWEST_LOOK_S)

    async def _take_down(self) -> list[int]:
        """Stop what runs, dependants first; then look at the system for whatever is left of this boot, and kill it."""
        for seat in reversed(self._seats.values()):
            await self._stop(seat.part, seat)
        strays = await self.warden.sweep(f"SPIRAL_BOOT_NONCE={self.nonce}")
        self._note("swept", pids=strays)
        return strays

    async def _stop(self, part: Part, seat: Seat) -> None:
        child, seat.child = seat.child, None
        if child is None:
            return
        if child.alive:
            self._note("stopping", component=part.name, pid=child.pid)
            await _end(child, part.stop_within_s)
        self._note("stopped", component=part.name, pid=child.pid, status=child.ended.result())

    def _setting(self, part: Part, attempt: int) -> "_Setting":
        flaw = self.flaw if self.flaw is not None and self.flaw.strikes(part.name, attempt) else None
        host, folder = host_of(self.nonce), self.folder / part.name
        folder.mkdir(exist_ok=True)
        places = {
            "python": sys.executable,
            "program": _PROGRAM,
            "folder": str(folder),
            "address": f"{host}:{part.port or 0}",
            "host": host,
            "port": str(part.port or 0),
        }
        environment = {
            "PATH": os.defpath,
            "SPIRAL_BOOT_NONCE": self.nonce,
            "SPIRAL_COMPONENT": part.name,
            "SPIRAL_ADDRESS": places["address"],
            "SPIRAL_FOLDER": places["folder"],
            "SPIRAL_FLAW": flaw.in_program if flaw else "",
        }
        check = (flaw.check(part.check) if flaw else part.check).at(places)
        asked = Asked(check, places["address"], part.name, self.nonce, environment, folder.with_suffix(".check"))
        command = tuple(filled(one, places) for one in part.run)
        return _Setting(command, asked, folder.with_suffix(".log"), stranger=flaw is not None and flaw.takes_port)


@dataclass(frozen=True, slots=True)
class _Setting:
    """One attempt: what is executed, how it is asked, where it logs, and whether a stranger has its port."""

    command: tuple[str, ...]
    asked: Asked
    log: Path
    stranger: bool


class _Stranger:
    """The stranger on a component's port, where the fault says so: a real process that answers healthy."""

    def __init__(self, warden: Warden, setting: _Setting) -> None:
        self._warden, self._setting = warden, setting
        self._child: Child | None = None

    async def __aenter__(self) -> None:
        if not self._setting.stranger:
            return
        asked = self._setting.asked
        command = (sys.executable, "-I", "-S", _PROGRAM, "http")
        environment = {**asked.environment, "SPIRAL_COMPONENT": "stranger"}
        self._child = await self._warden.start(command, environment, self._setting.log.with_name("stranger.txt"))
        async with asyncio.timeout(_PLACE_S):
            while await look(asked, None, self._warden):
                await _pause(_FIRST_LOOK_S)

    async def __aexit__(self, *_: object) -> None:
        if self._child is not None:
            await _end(self._child, 0.0)


def _healthy_before(asked: Asked) -> Trouble:
    if asked.check.kind in ("http", "grpc"):
        return Trouble("port-taken", f"something listens on {asked.address} before the component is started")
    return Trouble("check-cannot-fail", "the health check says healthy before the component is started")


def _how_it_ended(child: Child) -> str:
    status = child.ended.result()
    return f"ended with status {status}" if status >= 0 else f"ended by {signal.Signals(-status).name}"


async def _end(child: Child, within_s: float) -> None:
    """Ask a process to end, and end it where it does not in time."""
    for number, patience in _persuasion(within_s):
        child.signal(number)
        await asyncio.wait({child.ended}, timeout=patience)
        if not child.alive:
            return


def _persuasion(within_s: float) -> Iterator[tuple[int, float | None]]:
    if within_s:
        yield signal.SIGTERM, within_s
    yield signal.SIGKILL, None


async def _pause(seconds: float) -> None:
    """Wait for nothing but time: back-off is what the policy asks for."""
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=seconds)


async def together(doings: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Do all at once; where one breaks the others are cancelled, and its error stays what it is."""
    tasks = [asyncio.create_task(one) for one in doings]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def host_of(nonce: str) -> str:
    """A loopback address of this boot's own, from the first three bytes of its nonce: 127.64.0.1 to 127.191.255.254."""
    first, second, third = bytes.fromhex(nonce[:6])
    return f"127.{64 + first % 128}.{second}.{1 + third % 254}"
