"""Observed fidelity: what a subject's answers to its challenge prove, whatever it declares.

Each challenge asks for something that a lesser thing cannot answer. The transcript is in the journal, so that the
rule here gives the same answer years later.
"""

import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.record import Challenge, SubjectSeen

RECORDED = "recorded"
"""The kind of challenge that a recording is given: it has nothing to meet, and shows no more than its level."""

_PACE_TOLERANCE = 0.05
_PACE_LEAST_NS = 200_000_000
_PERIODS_A_SECOND = 5


def _found_again(nonce: str, answers: Mapping[str, Any]) -> str:
    """`found`: texts that a search returned; `item`: the new item's id; `audited`: ids in the audit; all with the nonce."""
    if not nonce:
        return "nothing was asked that could not be foreseen"
    if not any(nonce in str(text) for text in answers.get("found", ())):
        return "the item with the nonce was not found by search"
    item = answers.get("item")
    if not isinstance(item, str) or nonce not in item or item not in list(answers.get("audited", ())):
        return "the item with the nonce is not in the audit log"
    return ""


def _paced(nonce: str, answers: Mapping[str, Any]) -> str:  # noqa: ARG001 - time itself is the nonce here
    """`readings`: pairs (frames, monotonic ns), with `rate` in Hz and `period` in frames; frames keep pace with time."""
    readings = answers.get("readings", ())
    rate, period = answers.get("rate", 0), answers.get("period", 0)
    if len(readings) < 2 or rate <= 0 or period <= 0:
        return "the stream gave no two readings of its frame counter"
    if period * _PERIODS_A_SECOND > rate:
        return f"periods of {period} frames at {rate} Hz are too long to show a pace"
    if readings[-1][1] - readings[0][1] < _PACE_LEAST_NS:
        return "the readings of the frame counter are too close together to show a pace"
    if any(later[0] <= earlier[0] for earlier, later in pairwise(readings)):
        return "the frame counter stands still"
    elapsed = (readings[-1][1] - readings[0][1]) / 1e9
    frames = readings[-1][0] - readings[0][0]
    if abs(frames - elapsed * rate) > elapsed * rate * _PACE_TOLERANCE + 2 * period:
        return f"{frames} frames in {elapsed:.3f} s do not keep the pace of {rate} Hz"
    return ""


def _certified(nonce: str, answers: Mapping[str, Any]) -> str:  # noqa: ARG001 - the handshake itself is fresh
    """`services`: name → issuer of the certificate it showed; `authority`: digest of the run's CA; all must agree."""
    services, authority = answers.get("services", {}), answers.get("authority")
    if not services or not authority:
        return "no service showed a certificate"
    strangers = sorted(name for name, issuer in services.items() if issuer != authority)
    return f"not a certificate of this run's authority: {', '.join(strangers)}" if strangers else ""


def _named(nonce: str, answers: Mapping[str, Any]) -> str:  # noqa: ARG001 - a recording cannot answer to it
    """`traces`: name → digest of the trace that is played back."""
    return "" if answers.get("traces") else "it does not say which trace it plays back"


def _booted(nonce: str, answers: Mapping[str, Any]) -> str:
    """`written`: component → its own log, lines of JSON; `started`: component → process id, of each that was started.

    Each must have written the nonce together with its process id, and no two can be one process.
    """
    if not nonce:
        return "nothing was asked that could not be foreseen"
    started, written = dict(answers.get("started", {})), dict(answers.get("written", {}))
    if not started:
        return "the boot started no component"
    if len(set(started.values())) < len(started):
        return "two components of the boot are one process"
    silent = [name for name, pid in sorted(started.items()) if not _wrote(str(written.get(name, "")), nonce, pid)]
    return f"the boot's nonce is not in the log of {', '.join(silent)}" if silent else ""


def _wrote(text: str, nonce: str, pid: object) -> bool:
    for line in text.splitlines():
        try:
            said = json.loads(line)
        except ValueError:  # a traceback, say
            continue
        if isinstance(said, dict) and (said.get("nonce"), said.get("pid")) == (nonce, pid):
            return True
    return False


def _told_and_logged(nonce: str, answers: Mapping[str, Any]) -> str:
    """`said`: the answer's text; `logged`: kind → what a session's log holds of that kind; all with the nonce."""
    if not nonce:
        return "nothing was asked that could not be foreseen"
    if nonce not in str(answers.get("said", "")):
        return "the answer does not hold the nonce"
    logged = answers.get("logged", {})
    missing = [kind for kind in ("request", "answer") if not any(nonce in str(one) for one in logged.get(kind, ()))]
    return f"the log has no {' and no '.join(missing)} with the nonce" if missing else ""


CHALLENGES: dict[str, Callable[[str, Mapping[str, Any]], str]] = {
    "nonce-item": _found_again,
    "frame-pace": _paced,
    "run-certificate": _certified,
    RECORDED: _named,
    "boot-nonce": _booted,
    "nonce-session": _told_and_logged,
}


def shortfall(challenge: Challenge) -> str:
    """Why the answers do not prove the subject real; empty where they do. An unknown kind proves nothing."""
    rule = CHALLENGES.get(challenge.kind)
    if rule is None:
        return f"no rule reads a challenge of kind {challenge.kind!r}"
    try:
        return rule(challenge.nonce, challenge.answers)
    except (TypeError, AttributeError, LookupError, ValueError, ArithmeticError) as error:
        return f"the answers to the challenge cannot be read ({error})"


def observed_fidelity(seen: SubjectSeen) -> Fidelity:
    """The level that the subject showed.

    Without a challenge: `undeclared`. A challenge not met: `stub`. A challenge met: the registered level. What says
    that it is a recording is `recorded`, whatever it is registered as.
    """
    if seen.challenge is None:
        return Fidelity.UNDECLARED
    if seen.challenge.kind == RECORDED:
        return Fidelity.UNDECLARED if shortfall(seen.challenge) else Fidelity.RECORDED
    return Fidelity.STUB if shortfall(seen.challenge) else seen.registered
