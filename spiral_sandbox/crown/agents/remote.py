"""A live agent: one that answers over HTTP, wherever it runs.

The request is a POST of JSON, `{"agent", "model", "figures", "text"}`; the reply is 200 with an answer's fields
(`turn.Answer`). Whatever else comes is an answer that failed: it is logged as such, and the session goes on.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec
import requests
import urllib3

from spiral_sandbox.crown.agents.turn import Answer
from spiral_sandbox.crown.canonical import Plain, canonical, plain
from spiral_sandbox.crown.errors import CrownError
from spiral_sandbox.deadline import within

DEADLINE_S = 5.0
"""Seconds for the whole of an answer."""

LONGEST_REPLY = 1 << 18
_OK = 200
# What is read as it comes off the wire fails with urllib3's own errors.
_FAILURES = (
    requests.RequestException, urllib3.exceptions.HTTPError, msgspec.MsgspecError, ValueError, TimeoutError
)  # fmt: skip


def checked_address(address: str) -> str:
    """An address that may stand in a log; CrownError where it is none, or holds a name, a password or a query."""
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CrownError(f"A live agent has an address such as http://127.0.0.1:8000/answer, not {address!r}.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise CrownError("The address of a live agent stands in every log, so no credential or query may be in it.")
    return address


def remote(address: str) -> Callable[[Plain], Plain]:
    """The agent at an address, as a function from what it is asked to what it answers."""
    checked = checked_address(address)

    def answer(asked: Plain) -> Plain:
        try:
            told = within(DEADLINE_S, lambda: _told(checked, asked))
        except _FAILURES as error:
            told = Answer(text="", accepted=False, failed=f"{type(error).__name__}: {error}"[:300])
        return plain(told)

    return answer


def _told(address: str, asked: Plain) -> Answer:
    with requests.Session() as session:
        session.trust_env = False  # no proxy between crown and an agent unless the address names it
        headers = {"content-type": "application/json"}
        with session.post(address, canonical(asked), headers=headers, timeout=DEADLINE_S, stream=True) as reply:
            body = reply.raw.read(LONGEST_REPLY + 1, decode_content=True)
            if reply.status_code != _OK:
                raise ValueError(f"status {reply.status_code}")
    if len(body) > LONGEST_REPLY:
        raise ValueError(f"more than {LONGEST_REPLY} bytes")
    told = msgspec.json.decode(body, type=Answer)
    canonical(plain(told))
    return msgspec.structs.replace(told, failed="")
