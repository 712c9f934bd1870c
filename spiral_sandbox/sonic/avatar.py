"""The avatar: a face whose mouth follows the sound, shown at 25 frames a second from a thread of its own."""

import math
import threading
from collections.abc import Iterable
from pathlib import Path
from queue import SimpleQueue
from time import monotonic_ns

import numpy as np
from numpy.typing import NDArray

from spiral_sandbox.sonic.render import RATE, Samples
from spiral_sandbox.sonic.scheduling import AVATAR_PRIORITY, Scheduling, raise_priority

FPS = 25
FRAMES_EACH = RATE // FPS  # audio frames to one avatar frame
WIDTH, HEIGHT = 64, 48

Picture = NDArray[np.uint8]

_SKIN, _LINE = 200, 24
_JOIN_SECONDS = 5.0
_ACROSS, _DOWN = np.meshgrid(np.arange(WIDTH) - WIDTH / 2, np.arange(HEIGHT) - HEIGHT / 2)
_FACE = (_ACROSS / 22) ** 2 + (_DOWN / 23) ** 2 <= 1
_EYES = (np.abs(_ACROSS) - 9) ** 2 + (_DOWN + 8) ** 2 <= 6


def frames_for(audio_frames: int) -> int:
    """Avatar frames of that much sound: one at its start, one every 40 ms after."""
    return -(-audio_frames // FRAMES_EACH)


def draw(picture: Picture, level: float) -> None:
    """Draw the face into `picture` (48 x 64); its mouth opens with `level`, from 0 (closed) to 1."""
    picture.fill(0)
    picture[_FACE] = _SKIN
    picture[_EYES] = _LINE
    openness = 1.0 + 9.0 * min(max(level, 0.0), 1.0)
    picture[(_ACROSS / 10) ** 2 + ((_DOWN - 9) / openness) ** 2 <= 1] = _LINE


def level_at(samples: Samples, frame: int) -> float:
    """How loud the 20 ms before a frame of the sound are: their RMS, full scale being 1."""
    heard = samples[max(0, frame - RATE // 50) : frame]
    if not len(heard):
        return 0.0
    return math.sqrt(float(np.mean(heard.astype(np.float64) ** 2))) / 32_768


class Presenter:
    """Shows frames when they are due and notes when it did.

    `shown_ns[k]` is the monotonic time at which frame k was shown, 0 while it was not; `pictures[k]` what was
    shown. Frames are handed in by `post` from the audio callback, which takes no lock that this thread holds.
    """

    def __init__(self, samples: Samples, audio_frames: int, delay_ns: int) -> None:
        count = frames_for(audio_frames)
        self.shown_ns = np.zeros(count, dtype=np.int64)
        self.pictures = np.zeros((count, HEIGHT, WIDTH), dtype=np.uint8)
        self.posted = 0
        self.scheduling: Scheduling | None = None
        self._samples = samples
        self._delay_ns = delay_ns
        self._queue: SimpleQueue[tuple[int, int] | None] = SimpleQueue()
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._run, name="avatar", daemon=True)

    def start(self) -> None:
        """Begin to show frames."""
        self._thread.start()

    def post(self, frame: int, due_ns: int) -> None:
        """Have a frame shown at a monotonic time."""
        self.posted += 1
        self._queue.put((frame, due_ns))

    def finish(self) -> None:
        """Wait until every posted frame was shown; what is still missing after 5 s stays missing."""
        self._queue.put(None)
        self._thread.join(_JOIN_SECONDS)

    def abort(self) -> None:
        """Wait for nothing more."""
        self._halt.set()
        self._queue.put(None)

    def _run(self) -> None:
        self.scheduling = raise_priority(AVATAR_PRIORITY)
        while (task := self._queue.get()) is not None and not self._halt.is_set():
            frame, due_ns = task
            # A mean level of -10 dB opens the mouth wide.
            draw(self.pictures[frame], level_at(self._samples, frame * FRAMES_EACH) * math.sqrt(10))
            early_ns = due_ns + self._delay_ns - monotonic_ns()
            if early_ns > 0 and self._halt.wait(early_ns / 1e9):
                return
            self.shown_ns[frame] = monotonic_ns()


def write_y4m(path: Path, pictures: Iterable[Picture]) -> None:
    """Write grey pictures (48 x 64) as a YUV4MPEG2 stream, the uncompressed format of the MJPEG tools (yuv4mpeg(5))."""
    with path.open("xb") as file:
        file.write(b"YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 Cmono\n" % (WIDTH, HEIGHT, FPS))
        for picture in pictures:
            file.write(b"FRAME\n" + picture.tobytes())
