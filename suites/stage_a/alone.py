"""Replays one session log with nothing else at hand: the log on standard input, an empty folder, no environment.

From the moment the log is read, whatever the replay does to reach anything outside itself is refused and listed:
files, folders, sockets, processes, libraries. One line of JSON comes out: the replay, and what it reached for.

    python -P suites/stage_a/alone.py < session.jsonl
"""

import json
import os
import sys

from spiral_sandbox.crown.drill import told_replay
from spiral_sandbox.crown.replay import replay_log

OUTSIDE = ("open", "os.", "socket.", "subprocess.", "shutil.", "glob.", "ctypes.", "mmap.", "fcntl.", "import", "exec")


def main():
    """Replay standard input and say what was reached for on the way."""
    log = sys.stdin.buffer.read()
    os.environ.clear()
    reached = []
    shut = True

    def watch(event, arguments):
        if shut and event.startswith(OUTSIDE):
            reached.append(f"{event} {arguments[:1]!r}"[:200])
            raise PermissionError(f"a replay has its log and nothing else, and it reached for {event}")

    sys.addaudithook(watch)
    try:
        replay = told_replay(replay_log(log))
    except PermissionError as refused:
        replay = {"steps": [], "head": "", "divergence": {"sentence": str(refused)}}
    shut = False
    sys.stdout.write(json.dumps({"replay": replay, "reached": reached}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
