"""A handshake's reply as a session: whatever does not say all of it is none."""

import copy
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.errors import SessionError
from pytest_spiral.model.session import CONTEXTS, Identity
from pytest_spiral.rules.session import handshake_request, parse_instant, session_of, stamp, window_opening

T0 = datetime(2025, 9, 26, 18, 3, tzinfo=UTC)
IDENTITY = Identity("operator_api", "1.0.0", "test")
REPLY = {
    "authenticated": True,
    "session": {"id": "s-1", "issued_at": "2025-09-26T18:03:00Z", "credential_expiry": "2025-09-28T18:03:00Z"},
    "accepted_contexts": [
        {"name": "stage-c-prep", "status": "accepted", "promoted_at": "", "evidence_path": ""},
        {"name": "stage-b-rehearsal", "status": "accepted", "promoted_at": "", "evidence_path": ""},
    ],
    "rotation": {
        "connector_id": "operator_api",
        "last_rotated": "",
        "rotation_window": "PT48H",
        "window_id": "20250926T180300Z-PT48H",
    },
}


def read(reply, now=T0):
    return session_of(reply, IDENTITY, CONTEXTS, now)


def changed(value, *path):
    copied = copy.deepcopy(REPLY)
    inner = copied
    for step in path[:-1]:
        inner = inner[step]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return copied


def test_a_whole_reply_is_a_session():
    session = read(REPLY)
    assert session.accepted == CONTEXTS
    assert session.expiry == T0 + timedelta(hours=48)
    assert window_opening(session.window) == T0


def test_a_connector_that_never_rotated_names_no_window():
    assert read(changed("", "rotation", "window_id")).window == ""


@pytest.mark.parametrize(
    ("reply", "said"),
    {
        "nothing": ({}, "cannot be read"),
        "not authenticated": (changed(False, "authenticated"), "did not authenticate"),
        "a word for true": (changed("yes", "authenticated"), "cannot be read"),
        "no session": (changed(None, "session"), "cannot be read"),
        "no id": (changed("", "session", "id"), "cannot be read"),
        "no issue": (changed(None, "session", "issued_at"), "cannot be read"),
        "no expiry": (changed("", "session", "credential_expiry"), "cannot be read"),
        "an expiry that is none": (changed("in 48 h", "session", "credential_expiry"), "no RFC 3339 instant"),
        "an expiry nowhere": (changed("2025-09-28T18:03:00", "session", "credential_expiry"), "time zone"),
        "over already": (changed("2025-09-26T18:03:00Z", "session", "credential_expiry"), "was over at"),
        "no contexts": (changed([], "accepted_contexts"), "were offered"),
        "one context": (changed(REPLY["accepted_contexts"][:1], "accepted_contexts"), "were offered"),
        "one twice": (changed(REPLY["accepted_contexts"][:1] * 2, "accepted_contexts"), "were offered"),
        "one more": (
            changed([*REPLY["accepted_contexts"], {"name": "x", "status": "refused"}], "accepted_contexts"),
            "were offered",
        ),
        "a third answer": (changed("perhaps", "accepted_contexts", 0, "status"), "cannot be read"),
        "another connector": (changed("operator_upload", "rotation", "connector_id"), "answers for"),
        "another window": (changed("PT24H", "rotation", "rotation_window"), "rotation window is 'PT24H'"),
        "a window without time": (changed("latest", "rotation", "window_id"), "is no rotation window"),
        "a window of no day": (changed("20250931T000000Z-PT48H", "rotation", "window_id"), "instant of the calendar"),
    }.values(),
)
def test_what_lacks_something_is_no_session(reply, said):
    with pytest.raises(SessionError, match=said):
        read(reply)


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)).map(lambda one: one.replace(microsecond=0, tzinfo=UTC)))  # fmt: skip  # noqa: DTZ001
def test_an_instant_is_read_as_it_was_written(instant):
    assert parse_instant(stamp(instant)) == instant
    assert window_opening(f"{instant:%Y%m%dT%H%M%SZ}-PT48H") == instant


def test_a_request_says_when_the_credential_was_rotated_only_where_it_was():
    assert "last_rotated" not in handshake_request(IDENTITY, CONTEXTS)["rotation"]
    assert handshake_request(IDENTITY, CONTEXTS, stamp(T0))["rotation"]["last_rotated"] == stamp(T0)
