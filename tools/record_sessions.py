"""Records crown's five scenarios anew, or with `--check` says which recordings are not current.

    python tools/record_sessions.py [--check]

A recording is made by running the system from the scenario's first request to its last. A change here is a change of
what crown does: read the difference before it is committed.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "spiral_sandbox" / "crown" / "recorded"


def main(arguments: list[str]) -> int:
    """Write what differs, or name it; the status is 1 where `--check` finds a difference, 2 for wrong use."""
    sys.path.insert(0, str(FOLDER.parents[2]))
    from spiral_sandbox.crown.scenarios import load_scenarios, run_scenario

    if arguments not in ([], ["--check"]):
        sys.stderr.write("record_sessions.py takes --check, or nothing.\n")
        return 2
    due = {f"{name}.jsonl": run_scenario(one) for name, one in load_scenarios().items()}
    FOLDER.mkdir(exist_ok=True)
    there = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    stale = sorted(name for name in {*due, *there} if due.get(name) != there.get(name))
    for name in stale:
        sys.stdout.write(f"{name} {'is not current' if arguments else 'is recorded anew'}\n")
        if not arguments and name in due:
            (FOLDER / name).write_bytes(due[name])
        elif not arguments:
            (FOLDER / name).unlink()
    return 1 if arguments and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
