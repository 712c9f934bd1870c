"""One item's way through a run: kept back where its requirement is not met, noted phase by phase, recorded."""

import pytest
from _pytest.outcomes import Skipped  # pytest.skip.Exception is this class; mypy knows it only by this name

from pytest_spiral.errors import DiskError, NotOfferedError
from pytest_spiral.model.record import Test
from pytest_spiral.plugin.claims import NO_CLAIM
from pytest_spiral.plugin.keys import CLAIM, PROCESS, RAISED
from pytest_spiral.plugin.process import Process

_WHY_LENGTH = 2000
_EMPTY: dict[str, str] = {}


def keep_from_running(item: pytest.Item) -> None:
    """Skip an item whose requirement is not met, or whose subject is lost, with an outcome of its own."""
    claim = item.stash.get(CLAIM, NO_CLAIM)
    if claim is NO_CLAIM:
        return
    process = item.config.stash[PROCESS]
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


def note_phase(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Remember what ended the item, the first time something does; a crash in teardown overrules a pass."""
    item.config.stash[PROCESS].spent += call.duration
    if call.excinfo is None and RAISED not in item.stash:
        return
    noted = item.stash.get(RAISED, _EMPTY)
    if "outcome" in noted and noted.get("phase") == call.when and report.skipped:
        _show_as(report, noted["outcome"])
    if call.excinfo is None or (noted and noted.get("raised") not in ("xfail", "skip")):
        return
    _note_loss(item, call.excinfo.value)
    raised = _raised(call.excinfo, item)
    why = _sentence(call.excinfo)
    item.stash[RAISED] = {"raised": raised, "phase": str(call.when), "why": why}
    if raised == "blocked" and report.skipped:
        _show_as(report, "blocked")


def _note_loss(item: pytest.Item, error: BaseException) -> None:
    """A disk that refused what a test was recording took evidence away: such a run must not be sealed."""
    if isinstance(error, DiskError):
        process = item.config.stash[PROCESS]
        process.trouble = process.trouble or str(error)


def _show_as(report: pytest.TestReport, outcome: str) -> None:
    """Give the report an outcome of its own; a plain attribute crosses xdist unchanged."""
    report.spiral_outcome = outcome  # type: ignore[attr-defined]


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
    claim = item.stash.get(CLAIM, NO_CLAIM)
    subjects = {one for criterion in claim.criteria for one in criterion.subjects}
    return bool(subjects & process.blocked)


def _sentence(excinfo: "pytest.ExceptionInfo[BaseException]") -> str:
    plain = isinstance(excinfo.value, pytest.skip.Exception)
    text = str(excinfo.value) if plain else excinfo.exconly(tryshort=True)
    return text if len(text) <= _WHY_LENGTH else text[: _WHY_LENGTH - 1] + "…"


def record_test(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Write the item's record, and name the one that starts next."""
    process: Process = item.config.stash[PROCESS]
    spent, process.spent = process.spent, 0.0
    if process.writer is None:
        return
    noted = item.stash.get(RAISED, _EMPTY)
    claim = item.stash.get(CLAIM, NO_CLAIM)
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
            duration_ns=round(spent * 1e9),
            next=nextitem.nodeid if nextitem is not None else "",
        )
    )
    if process.trouble:
        item.session.shouldfail = process.trouble
