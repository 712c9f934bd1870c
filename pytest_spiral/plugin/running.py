"""One item's way through a run: kept back where its requirement is not met, noted phase by phase, recorded."""

from collections.abc import Generator

import pytest
from _pytest.outcomes import Skipped  # pytest.skip.Exception is this class; mypy knows it only by this name

from pytest_spiral.errors import DiskError, NotOfferedError
from pytest_spiral.model.record import Test
from pytest_spiral.plugin.claims import NO_CLAIM, Claim, claim_of
from pytest_spiral.plugin.keys import PROCESS, RAISED
from pytest_spiral.plugin.outcomes import show_as
from pytest_spiral.plugin.process import Process

_WHY_LENGTH = 2000
_EMPTY: dict[str, str] = {}


class Running:
    """The hooks that every test goes through; an object, so that they need not look up what they work with."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """Write the test's record when all its phases are over."""
        process = self._process
        process.spent = 0.0
        process.running[item.nodeid] = None
        result = yield
        _record(item, nextitem, process)
        process.running.pop(item.nodeid, None)
        process.ended += 1
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Keep an item from running where it cannot prove anything here."""
        claim = claim_of(item)
        if claim is not NO_CLAIM:
            _keep_from_running(item, claim, self._process)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note what ended each phase, and give kept-back items an outcome of their own."""
        report = yield
        self._process.spent += call.duration
        if call.excinfo is not None or RAISED in item.stash:
            _note_phase(item, call, report)
        return report


def _keep_from_running(item: pytest.Item, claim: Claim, process: Process) -> None:
    """Skip an item whose requirement is not met, or whose subject is lost, with an outcome of its own."""
    unmet = process.unmet(claim.requirements)
    if unmet:
        text, outcome = unmet[0]
        kind = "hardware-required" if outcome.cause == "hardware" else "environment-limited"
        if outcome.state == "unknown":
            kind = "environment-limited"
        _keep(item, "limited", kind, f"{kind}: needs {text}; {outcome.reason}")
    lost = sorted({one for criterion in claim.criteria for one in criterion.subjects} & process.blocked)
    if lost:
        _keep(item, "blocked", "blocked", f"blocked: {', '.join(lost)} was lost earlier in this run")


def _keep(item: pytest.Item, raised: str, outcome: str, why: str) -> None:
    item.stash[RAISED] = {"raised": raised, "phase": "setup", "why": why, "outcome": outcome}
    pytest.skip(why)


class Blocked(Skipped):
    """Raised by `spiral.blocked(why)`: what this test needs of its subject does not work, so it proves nothing."""


def _note_phase(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Remember what ended the item, the first time something does; a crash in teardown overrules a pass."""
    noted = _noted(item)
    if "outcome" in noted and noted.get("phase") == call.when and report.skipped:
        show_as(report, noted["outcome"], item.config)
    if call.excinfo is None or (noted and noted.get("raised") not in ("xfail", "skip")):
        return
    _note_loss(item, call.excinfo.value)
    raised = _raised(call.excinfo, item)
    why = _sentence(call.excinfo)
    item.stash[RAISED] = {"raised": raised, "phase": str(call.when), "why": why}
    if raised == "blocked" and report.skipped:
        show_as(report, "blocked", item.config)


def _noted(item: pytest.Item) -> dict[str, str]:
    if RAISED not in item.stash:  # nearly always: asking first is a tenth of what `get` takes to raise and catch
        return _EMPTY
    return item.stash[RAISED]


def _note_loss(item: pytest.Item, error: BaseException) -> None:
    """A disk that refused what a test was recording took evidence away: such a run must not be sealed."""
    if isinstance(error, DiskError):
        process = item.config.stash[PROCESS]
        process.trouble = process.trouble or str(error)


def _raised(excinfo: "pytest.ExceptionInfo[BaseException]", item: pytest.Item) -> str:
    error = excinfo.value
    if isinstance(error, Blocked | NotOfferedError):
        return "blocked"
    if isinstance(error, pytest.skip.Exception):
        return "skip"
    if isinstance(error, pytest.xfail.Exception):
        return "xfail"
    if isinstance(error, AssertionError | pytest.fail.Exception):
        return "timeout" if "Timeout" in str(error)[:40] else "assertion"
    if isinstance(error, KeyboardInterrupt | SystemExit | pytest.exit.Exception):
        return "exit"
    return "lost" if _target_lost(item) else "error"


def _target_lost(item: pytest.Item) -> bool:
    process: Process = item.config.stash[PROCESS]
    process.newly_lost(item.nodeid)
    subjects = {one for criterion in claim_of(item).criteria for one in criterion.subjects}
    return bool(subjects & process.blocked)


def _sentence(excinfo: "pytest.ExceptionInfo[BaseException]") -> str:
    plain = isinstance(excinfo.value, pytest.skip.Exception)
    text = str(excinfo.value) if plain else excinfo.exconly(tryshort=True)
    return text if len(text) <= _WHY_LENGTH else text[: _WHY_LENGTH - 1] + "…"


def _record(item: pytest.Item, nextitem: pytest.Item | None, process: Process) -> None:
    """Write the item's record, and name the one that starts next."""
    if process.writer is None:
        return
    noted = _noted(item)
    claim = claim_of(item)
    if claim.criteria:
        process.newly_lost(item.nodeid)
    process.record(
        Test(
            id=item.nodeid,
            criteria=claim.ids,
            raised=noted.get("raised", ""),  # type: ignore[arg-type]  # the words that this module writes
            phase=noted.get("phase", ""),  # type: ignore[arg-type]
            why=process.redactor.redact(noted.get("why", "")) if noted else "",
            needs=claim.requirements,
            duration_ns=round(process.spent * 1e9),
            next=nextitem.nodeid if nextitem is not None else "",
        )
    )
    if process.trouble:
        item.session.shouldfail = process.trouble
