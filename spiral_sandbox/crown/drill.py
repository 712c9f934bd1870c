"""A drill in a process of its own: replays logs in whatever surroundings the process was given.

    python -P -m spiral_sandbox.crown.drill

One line of JSON on standard input, `{"logs": {name: text}, "workers": 2, "faults": []}`; one line on standard output,
with the surroundings as they really are and what each replay came to. Nothing else is read or written.
"""

import json
import locale
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from spiral_sandbox.crown.canonical import plain
from spiral_sandbox.crown.disturbance import Disturbance, disturbance_of
from spiral_sandbox.crown.replay import Replay, replay_log

DEADLINE_S = 60.0


def replay_all(logs: dict[str, str], workers: int, disturbance: Disturbance) -> dict[str, dict[str, Any]]:
    """Replay the logs, so many at a time; gives what each came to, by name."""
    with ThreadPoolExecutor(workers) as pool:
        replays = pool.map(lambda text: replay_log(text.encode(), disturbance), logs.values())
        return {name: told_replay(one) for name, one in zip(logs, replays, strict=True)}


def told_replay(replay: Replay) -> dict[str, Any]:
    """A replay as plain JSON: `steps`, `head`, and `divergence` with its `sentence`, or None."""
    parted = replay.divergence
    told = None if parted is None else {**plain(parted), "sentence": parted.sentence}
    return {"steps": plain(replay.steps), "head": replay.head, "divergence": told}


def surroundings() -> dict[str, Any]:
    """What this process really runs in: a hash that follows the hash seed, the locale, the time zone."""
    locale.setlocale(locale.LC_ALL, "")
    time.tzset()
    return {"hash": hash("crown"), "locale": locale.setlocale(locale.LC_ALL), "zone": list(time.tzname)}


def drill_elsewhere(job: dict[str, Any], around: dict[str, str]) -> dict[str, Any]:
    """Do a job in a fresh process whose environment has `around` on top of this one's; gives what it says.

    Raises subprocess.SubprocessError where it fails or takes longer than a minute.
    """
    command = [sys.executable, "-P", "-m", "spiral_sandbox.crown.drill"]
    environment = {**os.environ, **around}
    line = json.dumps(job).encode()
    done = subprocess.run(command, input=line, env=environment, stdout=subprocess.PIPE, check=True, timeout=DEADLINE_S)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def main() -> int:
    """Do the one job on standard input."""
    job = json.loads(sys.stdin.buffer.read())
    around = surroundings()
    replays = replay_all(job["logs"], job["workers"], disturbance_of(job["faults"]))
    sys.stdout.write(json.dumps({"surroundings": around, "replays": replays}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
