"""The device without hardware whose server counts what came too late: jackd's dummy driver.

Real-time scheduling on a virtual device: it has a clock and xruns, and no converter, no cable and no plugin.
"""

import contextlib
from time import monotonic_ns
from typing import Any

import numpy as np

from spiral_sandbox.sonic.backend import Callback
from spiral_sandbox.sonic.deadlines import Xrun
from spiral_sandbox.sonic.errors import StreamError
from spiral_sandbox.sonic.jack_server import PERIOD_FRAMES, Server, missing
from spiral_sandbox.sonic.render import CHANNELS, RATE

_FULL_SCALE = np.float32(1 / 32_768)


class JackDevice:
    """A device of a JACK server of its own. StreamError where jackd, JACK-Client or the right to real time is missing.

    It asks for one period at the beginning of each cycle, which plays in the next (so in synchronous mode). A cycle that
    came late is lost: the server goes on from there and does not catch up.
    """

    period_frames = PERIOD_FRAMES
    buffer_frames = PERIOD_FRAMES
    latency_frames = PERIOD_FRAMES

    def __init__(self) -> None:
        self.why = missing()
        if self.why:
            raise StreamError(f"There is no JACK server to be had: {self.why}.")
        self.xruns: list[Xrun] | None = []
        self._server = Server()
        self._callback: Callback | None = None
        client = self._server.client
        if (client.samplerate, client.blocksize) != (RATE, PERIOD_FRAMES):
            self.close()
            raise StreamError(f"jackd runs at {client.samplerate} Hz in periods of {client.blocksize} frames.")
        self.name = f"jackd dummy, synchronous, {'real-time' if client.realtime else 'no real-time'}, {self._version()}"
        self._ports = [client.outports.register(f"out_{channel}") for channel in range(CHANNELS)]

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._server.pid

    def start(self, callback: Callback) -> None:
        """Begin to ask `callback` from the client's real-time thread."""
        import jack

        self._callback, client = callback, self._server.client
        client.set_process_callback(self._process)
        client.set_xrun_callback(self._xrun)
        client.set_shutdown_callback(self._lost)
        try:
            client.activate()
            playing = client.get_ports(is_audio=True, is_input=True, is_physical=True)
            for port, into in zip(self._ports, playing, strict=True):
                client.connect(port, into)
        except (jack.JackError, ValueError) as error:
            self.close()
            raise StreamError(f"The audio device cannot be started: {error}.") from error

    def close(self) -> None:
        """Stop asking, and end the server."""
        self._server.close()

    def _process(self, frames: int) -> None:
        import jack

        assert self._callback is not None  # noqa: S101  set before the client was activated
        try:
            block = np.asarray(self._callback.send(frames), dtype=np.int16)
        except Exception as error:  # whoever plays has kept it, and reports it
            raise jack.CallbackExit from error
        for channel, port in enumerate(self._ports):
            np.multiply(block[:, channel], _FULL_SCALE, out=port.get_array(), casting="same_kind")

    def _xrun(self, late_us: float) -> None:
        if self.xruns is not None:
            self.xruns.append(Xrun(monotonic_ns(), round(late_us * 1000)))

    def _lost(self, status: Any, reason: str) -> None:
        """The server ended by itself: whoever plays is told where it waits for its next period."""
        del status
        if self._callback is not None:
            with contextlib.suppress(StreamError, StopIteration, ValueError):  # ValueError: it is at work just now
                self._callback.throw(StreamError(f"the JACK server is gone ({reason})"))

    @staticmethod
    def _version() -> str:
        import jack

        return f"JACK-Client {jack.__version__}, libjack {jack.version_string()}"
