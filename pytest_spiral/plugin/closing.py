"""Closing a run from pytest's side: the last records of a process, and in the controller the seal."""

from typing import TYPE_CHECKING

import pytest

from pytest_spiral.errors import EvidenceError
from pytest_spiral.model.record import End, JournalHead, Stopped
from pytest_spiral.plugin.keys import PROCESS
from pytest_spiral.plugin.process import Process
from pytest_spiral.plugin.session import WORKER_OUTPUT, is_worker
from pytest_spiral.rules.paths import INVENTORY

if TYPE_CHECKING:
    from pytest_spiral.run.gate_run import Sealed


def finish(session: pytest.Session, heads: dict[str, JournalHead]) -> "Sealed | None":
    """Close this process's part. In the controller: judge, write, seal; gives what was sealed, or None.

    Raises EvidenceError where nothing may be sealed; the journal then has no end record.
    """
    process = session.config.stash[PROCESS]
    process.close_rig()
    if process.writer is None or process.opened is None:
        return None
    if process.trouble:
        raise EvidenceError(process.trouble)
    if is_worker(session.config):
        import msgspec

        process.writer.keep_spools()
        head = process.writer.close(End(exit_status=int(session.exitstatus)))
        session.config.workeroutput[WORKER_OUTPUT] = msgspec.to_builtins(head)  # type: ignore[attr-defined]
        return None
    return close_and_seal(process, _status(session, process), int(session.exitstatus), heads)


def close_and_seal(process: Process, status: str, exit_status: int, heads: dict[str, JournalHead]) -> "Sealed | None":
    """End the main journal, judge, write, seal; None where nothing is recorded. Raises EvidenceError."""
    if process.writer is None or process.opened is None:
        return None
    from pytest_spiral.evidence.journals import journal_heads
    from pytest_spiral.evidence.read import unfinished
    from pytest_spiral.run.gate_run import end_of, judge_run, seal_run

    if status == "interrupted" and process.stopped:
        process.running = dict.fromkeys(unfinished(process.opened.folder, process.running))
        process.writer.append(Stopped(why=process.stopped, running=tuple(process.running)))
    process.writer.keep_spools()
    if process.secret:
        process.writer.strike_secrets()
    process.writer.quarantine()
    found = journal_heads(process.opened.folder)
    process.writer.close(end_of(status, exit_status, {**found, **heads}))
    return seal_run(process.opened) if process.opened.channel is None else judge_run(process.opened)


def check_collected(process: Process) -> None:
    """Raise EvidenceError for a run that has no inventory yet: there is nothing to judge."""
    if process.opened is None or not (process.opened.folder / INVENTORY).is_file():
        raise EvidenceError("the run ended before its tests were collected, so there is nothing to judge.")


def _status(session: pytest.Session, process: Process) -> str:
    """How the run ended; raises EvidenceError for one that was cut short and claims to have come to its end."""
    check_collected(process)
    if session.exitstatus == pytest.ExitCode.INTERNAL_ERROR:
        return "crashed"
    if session.exitstatus == pytest.ExitCode.INTERRUPTED or session.shouldfail or process.stopped:
        return "interrupted"
    if process.ended < session.testscollected:
        raise EvidenceError(
            f"pytest was ended from inside, with {process.ended} of {session.testscollected} tests over; "
            "such a run is not sealed."
        )
    return "finished"
