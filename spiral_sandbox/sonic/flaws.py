"""The one place where a rehearsal can be broken on purpose.

A flaw changes what really happens (time passes, samples change, frames wait); it never touches a report. The
flawless `Flaw` changes nothing, and the stream calls it all the same.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from spiral_sandbox.sonic.presets import Preset
from spiral_sandbox.sonic.render import RATE, Mix

# ruff: noqa: ARG002  each flaw has the whole seam's signatures and uses what it needs

STALL_SECONDS = 0.15
STALL_AT = (1 / 3, 2 / 3)
GAP_FRAMES = RATE // 50  # 20 ms
FRAME_DELAY_NS = 200_000_000
CLIPPING_GAIN = 10.0 ** (24.0 / 20.0)

Script = list[tuple[int, Preset, int]]
"""What is played: step, preset and frames."""


class Flaw:
    """What may be broken, and here is not."""

    frame_delay_ns = 0

    def script(self, script: Script, presets: Mapping[str, Preset]) -> Script:
        """The script that is played in place of the given one."""
        return script

    def enter(self, position: int, count: int, total: int) -> None:
        """Run inside the callback that renders `count` frames from `position` of a programme of `total`."""

    def mix(self, position: int, mix: Mix, total: int) -> None:
        """Change the mix whose first frame is `position`, in place."""


class StalledCallback(Flaw):
    """The callback blocks twice, at one and at two thirds of the programme."""

    def enter(self, position: int, count: int, total: int) -> None:
        """Block if one of the two places lies in this callback."""
        if any(position <= int(place * total) < position + count for place in STALL_AT):
            time.sleep(STALL_SECONDS)  # the flaw itself: a callback that does not return in time


class Clipping(Flaw):
    """The gain is 24 dB too high."""

    def mix(self, position: int, mix: Mix, total: int) -> None:
        """Amplify."""
        mix *= CLIPPING_GAIN


class SilentGap(Flaw):
    """20 ms of digital silence in the middle of the programme."""

    def mix(self, position: int, mix: Mix, total: int) -> None:
        """Blank what of the gap lies in this mix."""
        start = total // 2
        low, high = max(start, position), min(start + GAP_FRAMES, position + len(mix))
        if low < high:
            mix[low - position : high - position] = 0.0


class LateAvatar(Flaw):
    """The avatar shows every frame 200 ms late."""

    frame_delay_ns = FRAME_DELAY_NS


class WrongPreset(Flaw):
    """The second step plays another preset than was chosen."""

    def script(self, script: Script, presets: Mapping[str, Preset]) -> Script:
        """Exchange one preset for the next one in the order of names."""
        place = min(1, len(script) - 1)
        step, chosen, frames = script[place]
        names = sorted(presets)
        other = presets[names[(names.index(chosen.name) + 1) % len(names)]]
        return [*script[:place], (step, other, frames), *script[place + 1 :]]


class SilentStep(Flaw):
    """The step in the middle is skipped."""

    def script(self, script: Script, presets: Mapping[str, Preset]) -> Script:
        """Leave one step out."""
        place = len(script) // 2
        return script[:place] + script[place + 1 :]


class Flaws(Flaw):
    """Several flaws, one after the other."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        self._flaws = tuple(flaws)
        self.frame_delay_ns = sum(flaw.frame_delay_ns for flaw in flaws)

    def script(self, script: Script, presets: Mapping[str, Preset]) -> Script:
        """Let each change the script."""
        for flaw in self._flaws:
            script = flaw.script(script, presets)
        return script

    def enter(self, position: int, count: int, total: int) -> None:
        """Let each run."""
        for flaw in self._flaws:
            flaw.enter(position, count, total)

    def mix(self, position: int, mix: Mix, total: int) -> None:
        """Let each change the mix."""
        for flaw in self._flaws:
            flaw.mix(position, mix, total)


FLAWS: Mapping[str, type[Flaw]] = MappingProxyType(
    {
        "sonic.stalled-callback": StalledCallback,
        "sonic.clipping": Clipping,
        "sonic.gap": SilentGap,
        "sonic.late-avatar": LateAvatar,
        "sonic.wrong-preset": WrongPreset,
        "sonic.silent-step": SilentStep,
    }
)
"""The flaws by the names of their fault plans."""


def flaw_for(faults: Iterable[str]) -> Flaw:
    """The flaw that these fault plans make together; ValueError for a name that is none of `FLAWS`."""
    names = sorted(faults)
    unknown = [name for name in names if name not in FLAWS]
    if unknown:
        raise ValueError(f"the sonic core has no fault {', '.join(unknown)}; it has {', '.join(sorted(FLAWS))}")
    return Flaws([FLAWS[name]() for name in names])
