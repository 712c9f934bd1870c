"""pytest-xdist's load-file scheduling, such that a worker that dies takes nothing but its own test with it.

As it stands in pytest-xdist 3.8, the tests of a dead worker can leave its replacement without a word: modules that
were finished are handed out again as nothing to do, and a single left-over test waits for a successor for ever. And
the test that killed the worker is run again, by every replacement in turn.
"""

from typing import Any

from xdist.scheduler import LoadFileScheduling


class GateScheduling(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist is untyped
    """Keeps each module on one worker; after a crash, each test that was left runs once and the crashed one does not."""

    def remove_node(self, node: Any) -> str | None:
        """Take a worker out; gives the test that it was running when it died, None for one that was done."""
        workload: dict[str, dict[str, bool]] = self.assigned_work[node]
        crashed = next((test for unit in workload.values() for test, over in unit.items() if not over), None)
        for scope, unit in list(workload.items()):
            if crashed in unit:
                unit[crashed] = True
            if all(unit.values()):
                del workload[scope]
        super().remove_node(node)
        return crashed

    def schedule(self) -> None:
        """Hand out tests; a worker that came later gets a second module, or is told that there is none."""
        later = self.collection is not None
        super().schedule()
        if later:
            for node in self.nodes:
                self._reschedule(node)
