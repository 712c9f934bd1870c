"""The time of day of a run of boots: the one place in the sandbox that reads a calendar.

Telemetry that says when a run was is there so that an old file is not taken for a new one. A virtual time could not
do that. Everything else of the boot is on monotonic time.
"""

import time


def wall_ns() -> int:
    """Nanoseconds since 1970 by this machine's clock."""
    return time.time_ns()
