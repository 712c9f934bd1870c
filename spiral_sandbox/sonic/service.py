"""The sonic component: what the operator of the rig can ask of the sonic core.

rehearse      play the demo script once in real time; a report (`rehearsal.report`)
presets       the presets with their digests
demo          the demo script
inventory     which optional components are here
stream.start  play without end
frames        how far the running stream or rehearsal is, on the monotonic clock
stream.stop   end it
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spiral_sandbox.errors import UnknownOperationError
from spiral_sandbox.sonic import rehearsal
from spiral_sandbox.sonic.backend import DefaultDevice, Device, NullDevice, open_virtual
from spiral_sandbox.sonic.choice import Choice, as_wished, handed_in
from spiral_sandbox.sonic.demo import load_demo
from spiral_sandbox.sonic.errors import SonicError
from spiral_sandbox.sonic.flaws import Flaw, flaw_for
from spiral_sandbox.sonic.inventory import take_inventory
from spiral_sandbox.sonic.jack_device import JackDevice
from spiral_sandbox.sonic.live import LiveStream
from spiral_sandbox.sonic.presets import load_presets
from spiral_sandbox.sonic.render import RATE
from spiral_sandbox.sonic.stream import Stream

if TYPE_CHECKING:
    from spiral_sandbox.component import Context

SHORTEST_SECONDS = 1.0
LONGEST_SECONDS = 300.0

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def build(context: "Context") -> "SonicService":
    """The sonic component for a context; ValueError for a fault that it does not have."""
    return SonicService(context.folder, flaw_for(context.faults), open_virtual)


class SonicService:
    """The sonic core's operations. At most one stream plays at a time."""

    version = "1.0.0"

    def __init__(self, folder: Path, flaw: Flaw, device: Callable[[], Device]) -> None:
        self._folder, self._flaw, self._device = folder, flaw, device
        self._devices: dict[str, Callable[[], Device]] = {
            "null": device,
            "jack": JackDevice,
            "miniaudio": NullDevice,
            "default": DefaultDevice,
        }
        self._presets = load_presets()
        self._steps = load_demo()
        self._stream: Stream | None = None
        self._live: LiveStream | None = None
        self._reserved = False
        self._operations: dict[str, Callable[..., Awaitable[Any]]] = {
            "rehearse": self._rehearse,
            "presets": self._list_presets,
            "demo": self._list_steps,
            "inventory": self._inventory,
            "stream.start": self._start_live,
            "stream.stop": self._stop_live,
            "frames": self._frames,
        }

    async def start(self) -> dict[str, dict[str, object]]:
        """Nothing is served: the sonic core is asked by the rig alone."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return {}

    async def handle(self, op: str, args: dict[str, Any]) -> Any:
        """Do one operation and return plain JSON.

        UnknownOperationError for one that is not there; SonicError, ValueError or TypeError if it cannot be done.
        """
        if op not in self._operations:
            raise UnknownOperationError(
                f"The sonic core has no operation {op!r}; it has {', '.join(self._operations)}."
            )
        return await self._operations[op](**args)

    async def stop(self) -> None:
        """End whatever plays."""
        if self._stream is not None:
            self._stream.abort()
        if self._live is not None:
            await self._stop_live()

    async def _rehearse(
        self,
        *,
        seconds: float = 10.0,
        name: str = "rehearsal-1",
        chosen: dict[str, str] | None = None,
        device: str = "null",
    ) -> dict[str, Any]:
        """Play the demo script in `seconds`; `chosen` is a preset for every step, as Crown chose it.

        `device` is `null` (real time, no sound: `jack` where it can be had, else `miniaudio`), one of those two by
        name, or `default` (this machine's own sound device). The report says which one it was.
        """
        plan = self._plan(name, seconds, chosen)
        make = self._devices.get(device)
        if make is None:
            raise ValueError(f"{device!r} is no device; there are {', '.join(self._devices)}")
        programme = rehearsal.compose(plan, self._flaw)
        self._reserve()
        try:
            opened = make()
            self._stream = stream = Stream(programme, opened, self._flaw)
            await asyncio.to_thread(rehearsal.perform, stream)
            return await asyncio.to_thread(rehearsal.report, plan, programme, stream, opened, self._folder)
        finally:
            self._stream, self._reserved = None, False

    def _plan(self, name: str, seconds: float, chosen: dict[str, str] | None) -> rehearsal.Plan:
        if not _NAME.fullmatch(name):
            raise ValueError(f"a rehearsal is named with a to z, 0 to 9, dot, dash and underscore, not {name!r}")
        if list(self._folder.glob(f"{name}.*")):
            raise SonicError(f"A rehearsal {name!r} was made already; its files are kept.")
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not number or not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
            raise ValueError(f"a rehearsal lasts {SHORTEST_SECONDS:g} to {LONGEST_SECONDS:g} s, not {seconds!r}")
        return rehearsal.Plan(name, float(seconds), self._steps, self._choices(chosen), self._presets)

    def _choices(self, chosen: dict[str, str] | None) -> tuple[Choice, ...]:
        return as_wished(self._steps) if chosen is None else handed_in(self._steps, chosen, self._presets)

    def _reserve(self) -> None:
        """Take the one stream there is; called and left without a pause in between, so nothing can slip in."""
        if self._reserved:
            raise SonicError("A stream is playing already; one plays at a time.")
        self._reserved = True

    async def _list_presets(self) -> list[dict[str, Any]]:
        return [
            {"name": one.name, "title": one.title, "target_lufs": one.target_lufs, "digest": one.digest}
            for one in self._presets.values()
        ]

    async def _list_steps(self) -> list[dict[str, Any]]:
        return [
            {"name": step.name, "mood": step.mood, "preset": step.preset, "seconds": step.seconds}
            for step in self._steps
        ]

    async def _inventory(self) -> list[dict[str, Any]]:
        return await asyncio.to_thread(take_inventory)

    async def _start_live(self) -> dict[str, Any]:
        self._reserve()
        try:
            device = self._device()
            plan = rehearsal.Plan("live", 10.0, self._steps, self._choices(None), self._presets)
            live = LiveStream(rehearsal.compose(plan, Flaw()), device)
            live.start()
        except BaseException:
            self._reserved = False
            raise
        self._live = live
        return {
            "backend": device.name,
            "backend_why": device.why,
            "sample_rate": RATE,
            "period_frames": device.period_frames,
        }

    async def _stop_live(self) -> dict[str, Any]:
        if self._live is None:
            raise SonicError("No stream without end is playing.")
        live, self._live = self._live, None
        try:
            await asyncio.to_thread(live.close)
        finally:
            self._reserved = False
        return {"frames_rendered": live.count().frames}

    async def _frames(self) -> dict[str, int]:
        """Frames rendered so far and the monotonic time of this reading, in nanoseconds."""
        playing = self._live or self._stream
        if playing is None:
            raise SonicError("No stream is playing, so no frames are counted.")
        count = playing.count()
        return {"frames_rendered": count.frames, "mono_ns": count.read_ns, "rendered_mono_ns": count.called_ns}
