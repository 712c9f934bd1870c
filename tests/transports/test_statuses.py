"""The table of statuses is complete, free of contradictions, and holds both ways."""

from collections import Counter

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.model.exchange import Code
from pytest_spiral.rules.statuses import TABLE, Row, code_of_grpc, code_of_http, grpc_of, http_of

SAID = [code for code in Code if code is not Code.MALFORMED_REPLY]

CONTRACT = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    413: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def without_line(names, table):
    return sorted(set(names) - {name for row in table for name in row.grpc})


def said_twice(table):
    counted = Counter(status for row in table for status in (*row.http, *row.grpc, row.code))
    return [status for status, times in counted.items() if times > 1]


def test_every_status_of_grpc_has_a_line():
    assert without_line([status.name for status in grpc.StatusCode], TABLE) == []


def test_a_status_without_a_line_is_noticed():
    assert without_line([*(status.name for status in grpc.StatusCode), "NOVEL"], TABLE) == ["NOVEL"]
    assert without_line(["INTERNAL", "ABORTED"], TABLE[:3]) == ["ABORTED", "INTERNAL"]


def test_every_line_is_a_status_of_grpc():
    assert {name for row in TABLE for name in row.grpc} == {status.name for status in grpc.StatusCode}


def test_every_code_that_a_server_can_say_has_a_row():
    assert [row.code for row in TABLE] == SAID


def test_nothing_stands_in_two_rows():
    assert said_twice(TABLE) == []


def test_a_status_in_two_rows_is_noticed():
    assert said_twice((*TABLE, Row(Code.MALFORMED_REPLY, (500,), ()))) == [500]


@given(st.sampled_from(SAID))
def test_a_code_survives_the_way_to_the_wire_and_back(code):
    assert code_of_http(http_of(code)) is code
    assert code_of_grpc(grpc_of(code)) is code


@pytest.mark.parametrize(("status", "name"), CONTRACT.items())
def test_the_pairs_of_the_contract_mean_the_same(status, name):
    code = code_of_http(status)
    assert code is code_of_grpc(name)
    assert (http_of(code), grpc_of(code)) == (status, name)


@given(st.integers(-1000, 2000))
def test_only_success_reads_as_ok(status):
    assert (code_of_http(status) is Code.OK) == (200 <= status <= 299)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (202, Code.OK),
        (418, Code.INVALID_ARGUMENT),
        (599, Code.INTERNAL),
        (302, Code.MALFORMED_REPLY),
        (101, Code.MALFORMED_REPLY),
        (999, Code.MALFORMED_REPLY),
    ],
)
def test_a_status_without_a_row_counts_as_its_class(status, code):
    assert code_of_http(status) is code


def test_no_server_says_that_its_reply_is_malformed():
    with pytest.raises(ValueError, match="malformed-reply"):
        http_of(Code.MALFORMED_REPLY)
    with pytest.raises(ValueError, match="malformed-reply"):
        grpc_of(Code.MALFORMED_REPLY)


def test_a_name_that_grpc_does_not_have_is_refused():
    with pytest.raises(ValueError, match="'unavailable' is no gRPC status"):
        code_of_grpc("unavailable")
