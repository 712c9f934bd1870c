"""One pass of a programme through a device: what the device's callback does, and what it saw."""

import math
import threading
from dataclasses import dataclass, field
from time import monotonic_ns

import numpy as np
from numpy.typing import NDArray

from spiral_sandbox.sonic.avatar import FRAMES_EACH, Presenter
from spiral_sandbox.sonic.backend import Callback, Device
from spiral_sandbox.sonic.deadlines import NANOSECONDS, heard_ns
from spiral_sandbox.sonic.errors import StreamError
from spiral_sandbox.sonic.flaws import Flaw
from spiral_sandbox.sonic.live import Count
from spiral_sandbox.sonic.render import (
    BLOCK_FRAMES,
    CHANNELS,
    RATE,
    Mix,
    Programme,
    Samples,
    Scratch,
    Voice,
    quantise,
)
from spiral_sandbox.sonic.scheduling import AUDIO_PRIORITY, Scheduling, raise_priority

WARM_UP = 5
"""Callbacks at the start of a device that play silence and are not judged: it fills its buffer in a burst."""

_PATIENCE_SECONDS = 10.0


@dataclass(slots=True)
class Sounded:
    """What the callback saw of one step: the voice that it rendered and how many of its frames."""

    voice: Voice
    frames: int = 0


@dataclass(slots=True)
class Log:
    """All callbacks, in arrays made beforehand: when each came and was done (monotonic), the frames it was asked for."""

    times_ns: NDArray[np.int64]
    done_ns: NDArray[np.int64]
    counts: NDArray[np.int64]
    used: int = 0
    asked: int = 0
    sounded: dict[int, Sounded] = field(default_factory=dict)

    @classmethod
    def of(cls, calls: int) -> "Log":
        """A log with room for so many callbacks."""
        times_ns, done_ns, counts = np.zeros((3, calls), dtype=np.int64)
        return cls(times_ns, done_ns, counts)

    def note(self, now_ns: int, done_ns: int, count: int) -> None:
        """Add one callback."""
        if self.used == len(self.times_ns):
            raise StreamError(f"The device called more than {self.used} times for one programme.")
        self.times_ns[self.used] = now_ns
        self.done_ns[self.used] = done_ns
        self.counts[self.used] = count
        self.used += 1
        self.asked += count


class Stream:
    """Plays a programme once: silence to warm up, the programme, silence until its last frame has left the buffer."""

    def __init__(self, programme: Programme, device: Device, flaw: Flaw) -> None:
        self.recording: Samples = np.zeros((programme.frames, CHANNELS), dtype=np.int16)
        self.presenter = Presenter(self.recording, programme.frames, flaw.frame_delay_ns)
        self.lead_frames = 0
        self.scheduling: Scheduling | None = None
        self._programme, self._device, self._flaw = programme, device, flaw
        calls = 2 * math.ceil((programme.frames + device.buffer_frames) / device.period_frames) + 100
        self.log = Log.of(calls)
        self._scratch = Scratch(BLOCK_FRAMES)
        self._done = threading.Event()
        self._failure: BaseException | None = None

    def count(self) -> Count:
        """How much of the programme was rendered so far."""
        frames = min(max(0, self.log.asked - self.lead_frames), self._programme.frames)
        return Count(frames, monotonic_ns(), int(self.log.times_ns[max(0, self.log.used - 1)]))

    def play(self) -> None:
        """Play to the end; blocks. StreamError if the stream fails, stops advancing or is stopped."""
        callback = self._callback()
        next(callback)
        self.presenter.start()
        try:
            self._device.start(callback)
            ended = self._done.wait(self._programme.frames / RATE + _PATIENCE_SECONDS)
        finally:
            self._device.close()
            self.presenter.finish()
        if self._failure is not None:
            raise StreamError(f"The stream failed: {self._failure}.") from self._failure
        if not ended:
            raise StreamError(f"The stream stopped advancing after {self.log.asked} frames.")

    def abort(self) -> None:
        """End a stream that plays; its `play` raises."""
        self._failure = self._failure or StreamError("it was stopped before it had played everything")
        self.presenter.abort()
        self._done.set()

    def _callback(self) -> Callback:
        count = yield b""
        try:
            self.scheduling = raise_priority(AUDIO_PRIORITY)
            while True:
                now = monotonic_ns()
                block = self._block(count)
                if not self._done.is_set():
                    self._note(now, count)
                count = yield block
        except Exception as error:
            self._failure = error
            self._done.set()
            raise

    def _note(self, now: int, count: int) -> None:
        if self.log.used < WARM_UP:
            self.lead_frames += count
        self.log.note(now, monotonic_ns(), count)
        # Asked for a whole buffer beyond the last frame: that frame has left the buffer.
        if self.log.asked - count >= self.lead_frames + self._programme.frames + self._device.buffer_frames:
            self._done.set()

    def _block(self, count: int) -> Samples:
        mix, samples = self._scratch.block(count)
        position = self.log.asked - self.lead_frames
        if self.log.used < WARM_UP or position >= self._programme.frames:
            samples.fill(0)
            return samples
        self._flaw.enter(position, count, self._programme.frames)
        self._render(position, mix, samples)
        self._emit(position, count)
        return samples

    def _render(self, position: int, mix: Mix, samples: Samples) -> None:
        for part in self._programme.render(position, mix, self._scratch):
            seen = self.log.sounded.setdefault(part.step, Sounded(part.voice))
            seen.frames += min(part.end, position + len(samples)) - max(part.start, position)
        self._flaw.mix(position, mix, self._programme.frames)
        quantise(mix, samples)
        kept = self.recording[position : position + len(samples)]
        np.copyto(kept, samples[: len(kept)])

    def _emit(self, position: int, count: int) -> None:
        """Hand on the avatar frames that belong to these samples, due when those will be heard."""
        now = monotonic_ns()
        end = min(position + count, self._programme.frames)
        for frame in range(-(-position // FRAMES_EACH), -(-end // FRAMES_EACH)):
            self.presenter.post(frame, self.heard_ns(self.log.asked, frame * FRAMES_EACH - position, now))

    def heard_ns(self, asked_before: int, within: int, done_ns: int) -> int:
        """When a frame of a callback that was done at `done_ns` sounds; see `deadlines.heard_ns`."""
        started = int(self.log.times_ns[0]) + self._device.latency_frames * NANOSECONDS // RATE
        return heard_ns(started, asked_before, within, done_ns, RATE)
