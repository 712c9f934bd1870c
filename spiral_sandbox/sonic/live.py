"""A stream without end, and its counter of frames: what shows that the core runs in real time."""

from dataclasses import dataclass
from time import monotonic_ns

from spiral_sandbox.sonic.backend import Callback, Device
from spiral_sandbox.sonic.errors import StreamError
from spiral_sandbox.sonic.render import BLOCK_FRAMES, Loop, Programme, Scratch, quantise
from spiral_sandbox.sonic.scheduling import AUDIO_PRIORITY, raise_priority


@dataclass(frozen=True, slots=True)
class Count:
    """Frames rendered so far, the monotonic time of this reading and that of the last callback."""

    frames: int
    read_ns: int
    called_ns: int


class LiveStream:
    """Plays a programme over and over until it is closed."""

    def __init__(self, programme: Programme, device: Device) -> None:
        self._source = Loop(programme)
        self._device = device
        self._frames = 0
        self._called_ns = 0
        self._failure: Exception | None = None

    def start(self) -> None:
        """Begin to play."""
        callback = self._callback()
        next(callback)
        self._device.start(callback)

    def count(self) -> Count:
        """What was rendered so far; StreamError if the stream has failed."""
        if self._failure is not None:
            raise StreamError(f"The stream failed: {self._failure}.") from self._failure
        return Count(self._frames, monotonic_ns(), self._called_ns)

    def close(self) -> None:
        """Stop playing."""
        self._device.close()

    def _callback(self) -> Callback:
        scratch = Scratch(BLOCK_FRAMES)
        count = yield b""
        try:
            raise_priority(AUDIO_PRIORITY)
            while True:
                self._called_ns = monotonic_ns()
                mix, samples = scratch.block(count)
                self._source.render(self._frames, mix, scratch)
                quantise(mix, samples)
                self._frames += count
                count = yield samples
        except Exception as error:
            self._failure = error
            raise
