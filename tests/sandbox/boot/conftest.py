"""The boot in the test's own process, with a real warden and real components; and what the system shows of them."""

import asyncio
import json
import time
from pathlib import Path

import psutil
import pytest

from spiral_sandbox.boot.service import BootService

SECONDS = 20


def marked(word):
    """Processes with the word in their environment: what the system shows, whoever started them."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(word in value for value in process.environ().values()):
                found.append(process.pid)
        except (psutil.Error, OSError):  # ended meanwhile, a zombie, or somebody else's
            continue
    return found


class Drive:
    """Makes a boot component do things, each group with a component of its own, and keeps the last reply's log."""

    def __init__(self, folder):
        self.folder = folder
        self.mark = ""

    def together(self, requests, faults=(), at_once=8):
        """Replies to (operation, arguments), asked side by side."""

        async def run():
            service = BootService(self.folder, frozenset(faults))
            await service.start()
            self.mark = service.facts["boot.mark"]
            try:
                room = asyncio.Semaphore(at_once)

                async def one(op, given):
                    async with room:
                        return await service.handle(op, given)

                return await asyncio.gather(*(one(op, given) for op, given in requests))
            finally:
                self.left = marked(self.mark)
                await service.stop()

        return asyncio.run(run())

    def boot(self, manifest, **given):
        """One boot from a manifest's text."""
        path = self.folder / "manifest.toml"
        path.write_text(manifest)
        (reply,) = self.together([("boot", {"manifest": str(path), **given})])
        return reply

    @staticmethod
    def events(reply):
        """The boot log of a reply without its head."""
        return [json.loads(line) for line in Path(reply["log"]).read_text().splitlines()][1:]


@pytest.fixture
def drive(tmp_path):
    return Drive(tmp_path)


@pytest.fixture(scope="session")
def system():
    """`system.marked(word)` and `system.await_none(word)`."""

    class System:
        @staticmethod
        def marked(word):
            return marked(word)

        @staticmethod
        def await_true(condition):
            deadline = time.monotonic() + SECONDS
            while not condition():
                assert time.monotonic() < deadline, "the deadline passed"
                time.sleep(0.02)

    return System


@pytest.fixture(scope="session")
def new_drive():
    return Drive
