"""The port to a real-time audio device, and the device without hardware.

A device asks for frames at its own pace and from its own thread. Another backend is another class with the same facts
and two methods; `open_virtual` chooses between those that need no hardware.
"""

from collections.abc import Generator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spiral_sandbox.sonic.deadlines import Xrun
from spiral_sandbox.sonic.errors import StreamError
from spiral_sandbox.sonic.render import CHANNELS, RATE

PERIOD_MS = 20
PERIODS = 3

Callback = Generator[NDArray[np.int16] | bytes, int, None]


class Device(Protocol):
    """A stereo 16-bit output at 48 kHz.

    `period_frames` is what one call is to ask for, `buffer_frames` how far ahead of playing it asks at most,
    `latency_frames` the time from its first call to the moment its clock plays the first frame. `xruns` is what it
    counted as late by itself, None where it does not count. `why` says why it is not a better one, empty where it is.
    """

    name: str
    why: str
    xruns: list[Xrun] | None
    period_frames: int
    buffer_frames: int
    latency_frames: int

    def start(self, callback: Callback) -> None:
        """Begin to ask `callback`, a generator advanced to its first yield; StreamError if it cannot."""
        ...

    def close(self) -> None:
        """Stop asking and let go of the device; a second call does nothing."""
        ...


class _MiniaudioDevice:
    """A device of miniaudio, on one of these backends (None: whichever this machine has)."""

    period_frames = RATE * PERIOD_MS // 1000
    buffer_frames = period_frames * PERIODS
    latency_frames = 0
    why = ""
    xruns: list[Xrun] | None = None

    def __init__(self, backend: str | None) -> None:
        import miniaudio

        self._device: Any
        try:
            self._device = miniaudio.PlaybackDevice(
                output_format=miniaudio.SampleFormat.SIGNED16,
                nchannels=CHANNELS,
                sample_rate=RATE,
                buffersize_msec=PERIOD_MS,
                callback_periods=PERIODS,
                backends=None if backend is None else [miniaudio.Backend[backend]],
            )
        except miniaudio.MiniaudioError as error:
            raise StreamError(f"The audio device cannot be opened: {error}.") from error
        self.name = f"miniaudio {miniaudio.__version__} {self._device.backend}"

    def start(self, callback: Callback) -> None:
        """Begin to ask `callback` from the device's own thread."""
        import miniaudio

        try:
            self._device.start(callback)
        except miniaudio.MiniaudioError as error:
            raise StreamError(f"The audio device cannot be started: {error}.") from error

    def close(self) -> None:
        """Stop asking and let go of the device."""
        self._device.close()


class DefaultDevice(_MiniaudioDevice):
    """This machine's own sound device. StreamError where there is none: miniaudio's null backend is no device."""

    def __init__(self) -> None:
        super().__init__(None)
        if "null" in self.name.lower():
            self.close()
            raise StreamError("This machine has no sound device.")


class NullDevice(_MiniaudioDevice):
    """miniaudio's null backend: a device in real time whose sound goes nowhere.

    It fills its buffer of three periods at once, starts its clock at its first call, and then asks for one period
    at a time as that clock frees the space. It keeps asking on that clock's schedule after a stall, faster
    until it has caught up.
    """

    def __init__(self) -> None:
        super().__init__("NULL")


def open_virtual() -> Device:
    """The better of the devices without hardware that can be had here: jackd's, whose server counts, else miniaudio's.

    Where it is miniaudio's, `why` says what stood in the way. StreamError if neither can be opened.
    """
    from spiral_sandbox.sonic.jack_device import JackDevice

    try:
        return JackDevice()
    except StreamError as error:
        device = NullDevice()
        device.why = str(error)
        return device
