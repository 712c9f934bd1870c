"""When callbacks came and when they were due: dropouts, and the time at which a frame was heard."""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Dropout:
    """A callback that came too late: its index among all callbacks, and by how much it missed its deadline."""

    index: int
    late_ns: int


def find_dropouts(times_ns: Sequence[int], counts: Sequence[int], rate: int, first: int) -> tuple[Dropout, ...]:
    """Callbacks later than two of their periods after the deadline before theirs.

    `times_ns` are the monotonic times of all callbacks, `counts` the frames each was asked for; those before
    `first` are warm-up and are left out. Deadlines follow from the frames asked for; the schedule starts where
    the earliest callback puts it, so that no late start hides later lateness. Time that was lost once is not
    counted twice: after a dropout the deadlines shift by what was lost, and shift back as the stream catches up.
    """
    dropouts, lost = [], 0
    late = lateness(times_ns, counts, rate, first)
    for index, behind in enumerate(late, start=first):
        lost = min(lost, behind)
        if behind - lost > counts[index - 1] * NANOSECONDS // rate:
            dropouts.append(Dropout(index, behind - lost))
            lost = behind
    return tuple(dropouts)


@dataclass(frozen=True, slots=True)
class Xrun:
    """A cycle that a sound server calls late: when it said so (monotonic), and how much time was lost."""

    told_ns: int
    late_ns: int


def with_xruns(
    dropouts: Sequence[Dropout], xruns: Sequence[Xrun], times_ns: Sequence[int], first: int
) -> tuple[Dropout, ...]:
    """The dropouts, and those that only the server has seen; what both have seen is one, and counts as the longer.

    An xrun belongs to the callback that came after it, or, as it is told from another thread, to that one's
    neighbours. Those before `first` are warm-up and are left out.
    """
    merged = {one.index: one for one in dropouts}
    for xrun in xruns:
        index = bisect(times_ns, xrun.told_ns)
        if index < first:
            continue
        near = [at for at in (index, index - 1, index + 1) if at in merged]
        at = near[0] if near else index
        late_ns = max(xrun.late_ns, merged[at].late_ns if near else 0)
        merged[at] = Dropout(at, late_ns)
    return tuple(merged[at] for at in sorted(merged))


def lateness(times_ns: Sequence[int], counts: Sequence[int], rate: int, first: int) -> list[int]:
    """How far behind the schedule each callback from `first` (at least 1) on came, in nanoseconds; none is negative.

    The schedule's origin is the earliest that any of these callbacks implies.
    """
    if not 1 <= first < len(times_ns) or len(counts) != len(times_ns):
        raise ValueError(f"{len(times_ns)} callbacks, {len(counts)} counts and {first} of warm-up leave nothing to see")
    asked = sum(counts[:first])
    implied = []
    for time_ns, count in zip(times_ns[first:], counts[first:], strict=True):
        implied.append(time_ns - asked * NANOSECONDS // rate)
        asked += count
    origin = min(implied)
    return [moment - origin for moment in implied]


def heard_ns(device_ns: int, asked_before: int, within: int, done_ns: int, rate: int) -> int:
    """The monotonic time at which a frame sounds.

    `device_ns` is when the device's clock began with its first frame, `asked_before` the frames asked for before
    this callback, `within` the frame's place in the callback, `done_ns` when the callback handed them over. A
    frame sounds when the device's clock reaches it, but not before it was there.
    """
    scheduled = device_ns + (asked_before + within) * NANOSECONDS // rate
    return max(scheduled, done_ns + within * NANOSECONDS // rate)


def av_offset_ms(frame_shown_ns: int, sound_heard_ns: int) -> float:
    """Sound against picture as in ITU-R BT.1359: positive if the sound is early, negative if it is late."""
    return (frame_shown_ns - sound_heard_ns) / 1_000_000
