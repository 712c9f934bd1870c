"""The beta kickoff opens where all parity was shown, and for no other reason."""

import msgspec
import pytest

from pytest_spiral.model.parity import Comparison, Difference, ParitySide, Refusal
from pytest_spiral.rules.kickoff import EXPECTED, judge_kickoff
from spiral_contract.operations import OPERATIONS


def side(status):
    return ParitySide(exchange="e", address="a", sent_ns=1, done_ns=2, status=status, checksum="sha256:" + "0" * 64)


def equal(operation, rest="200", grpc="OK"):
    return Comparison(item=f"the {operation}", operation=operation, outcome="equal", rest=side(rest), grpc=side(grpc))


def everything():
    return {service: [equal(operation) for operation in sorted(names)] for service, names in EXPECTED.items()}


def test_it_opens_where_everything_is_equal():
    kickoff = judge_kickoff(everything())
    assert (kickoff.opens, kickoff.reasons) == (True, ())
    refused_alike = equal("dispatch_command", "403 PERMISSION_DENIED", "403 PERMISSION_DENIED")
    assert judge_kickoff({**everything(), "operator": [*everything()["operator"], refused_alike]}).opens


DIFFERENT = msgspec.structs.replace(
    equal("upload"), outcome="different", differences=(Difference(pointer="/payload/x", rest="1", grpc=None),)
)
NOT_LISTED = msgspec.structs.replace(equal("upload"), outcome="different")
COPIED = msgspec.structs.replace(
    equal("upload"), outcome="invalid", refusals=(Refusal(code="one-reply", sentence="one reply."),)
)
MISLABELLED = msgspec.structs.replace(COPIED, outcome="equal")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda made: made.pop("memory"), "memory: nothing was compared"),
        (lambda made: made.update(memory=[]), "memory: nothing was compared"),
        (lambda made: made["operator"].append(DIFFERENT), "operator the upload: different at /payload/x"),
        (lambda made: made["operator"].append(NOT_LISTED), "operator the upload: different at a place"),
        (lambda made: made["operator"].append(COPIED), "operator the upload: no comparison, one-reply"),
        (lambda made: made["operator"].append(MISLABELLED), "operator the upload: no comparison, one-reply"),
        (
            lambda made: made.update(operator_api=[equal("health"), equal("handshake")]),
            "operator_api: heartbeat was not answered well",
        ),
        (
            lambda made: made.update(memory=[equal("vector_init"), equal("vector_search", "500", "INTERNAL")]),
            "memory: vector_search was not answered well",
        ),
    ],
)
def test_it_stays_shut_and_names_every_reason(spoil, said):
    made = everything()
    spoil(made)
    kickoff = judge_kickoff(made)
    assert not kickoff.opens
    assert [reason for reason in kickoff.reasons if reason.startswith(said)], kickoff.reasons


@pytest.mark.parametrize("expected", [{}, {"operator": frozenset()}])
def test_with_nothing_to_expect_it_does_not_open(expected):
    assert not judge_kickoff(everything(), expected).opens


def test_every_operation_that_both_transports_offer_is_expected():
    both = {name for name, row in OPERATIONS.items() if row.rest_path and row.grpc_method}
    assert both == set().union(*EXPECTED.values())
