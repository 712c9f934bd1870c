"""Denominators: what tests have counted, summed over all of them and said at the end of the session.

A line such as `0 of 1 812 kill points lost or lied` is the sum of what tests have handed to `tally`; the line of the
attack catalogue counts its tests. Counts travel in the tests' reports, so that they come from workers too.
"""

import os
import select
from collections import Counter

import pytest
from hypothesis import settings

# What a test takes is no part of what it says: a busy machine must not turn it red.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")

COUNT = "tally"
CATALOGUE = "tests/attacks/"
SOUND = "sound"


@pytest.fixture
def tally(record_property):
    """Say how many of how many something was, such as `tally(0, 19, "kill points lost or lied")`; the same words are summed."""
    return lambda count, of, what: record_property(COUNT, f"{count} {of} {what}")


@pytest.fixture(scope="session")
def has_ended():
    """Wait for the kernel's word that a process is over, whether or not somebody has waited for it."""

    def look(pid: int, seconds: float = 5.0) -> bool:
        try:
            watch = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        try:
            return bool(select.select([watch], [], [], seconds)[0])
        finally:
            os.close(watch)

    return look


def pytest_configure(config):
    config.addinivalue_line("markers", f"{SOUND}: this test of an attack shows what is accepted, not what is refused")


def spaced(number: int) -> str:
    """A number in groups of three digits."""
    return f"{number:_}".replace("_", " ")


def denominators(reports) -> list[str]:
    """The lines, in order of their words."""
    counts: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    attacks: Counter[str] = Counter()
    refused = 0
    for report in reports:
        for name, value in report.user_properties:
            if name == COUNT:
                count, of, what = value.split(" ", 2)
                counts[what] += int(count)
                totals[what] += int(of)
        kind, _, rest = report.nodeid.partition(CATALOGUE)[2].partition("/")
        if rest and SOUND not in report.keywords:
            attacks[kind] += 1
            refused += report.outcome == "passed"
    lines = [f"{spaced(counts[what])} of {spaced(totals[what])} {what}" for what in sorted(totals)]
    if attacks:
        cases = f"{spaced(refused)} of {spaced(attacks.total())} cases refused"
        lines.append(f"{len(attacks)} attack kinds, {cases}")
    return lines


def pytest_terminal_summary(terminalreporter):
    reports = [one for how in ("passed", "failed") for one in terminalreporter.getreports(how)]
    lines = denominators(one for one in reports if one.when == "call")
    if lines:
        terminalreporter.section("denominators")
        for line in lines:
            terminalreporter.write_line(line)
