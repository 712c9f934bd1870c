"""How long a boot takes, and how many can be made in a minute: several at a time, beside starting as many programs.

`python benchmarks/boot.py [--boots 104]` prints, for each number at once, the time to ready (median, P95, slowest) and
the wall time per boot; and beside it what only starting and ending the same programs costs. Nothing is asserted.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from spiral_sandbox.boot.service import HERE, BootService

AT_ONCE = (1, 2, 4, 8)
COMPONENTS = 4


async def boots(count: int, at_once: int) -> tuple[list[float], int, float]:
    """Milliseconds to ready of each boot, how many were ready at once, and seconds for all, shutdown and sweep included."""
    with tempfile.TemporaryDirectory() as folder:
        service = BootService(Path(folder), frozenset())
        await service.start()
        try:
            start = perf_counter()
            made: dict[str, Any] = await service.handle("run", {"boots": count, "at_once": at_once})
            seconds = perf_counter() - start
        finally:
            await service.stop()
    return [one["took_ms"] for one in made["boots"]], sum(one["first_attempt"] for one in made["boots"]), seconds


def bare_starts(count: int) -> float:
    """Seconds to start and end so many of the boot's programs one after the other, with nothing asked of them."""
    start = perf_counter()
    for _ in range(count):
        subprocess.run([sys.executable, "-I", "-S", "-c", "import _socket, select"], check=True, cwd=HERE)
    return perf_counter() - start


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boots", type=int, default=104)
    count: int = parser.parse_args().boots
    bare = bare_starts(count) / count * 1000
    print(f"a program alone: {bare:.1f} ms; {COMPONENTS} of them, one after the other: {COMPONENTS * bare:.1f} ms")
    for at_once in AT_ONCE:
        took, first, seconds = asyncio.run(boots(count, at_once))
        cuts = statistics.quantiles(took, n=20)
        print(
            f"{at_once} at once: ready after {cuts[9]:.0f} ms (median), {cuts[18]:.0f} ms (P95), {max(took):.0f} ms "
            f"(slowest); {first} of {count} at the first attempt; {seconds / count * 1000:.1f} ms of wall time a boot"
        )


if __name__ == "__main__":
    main()
