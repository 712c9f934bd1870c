"""The operator surface meets its challenge; a stand-in that answers without doing does not."""

from types import SimpleNamespace

import pytest

from pytest_spiral.rules.fidelity import shortfall
from pytest_spiral.run.challenge import challenge

NONCE = "5eed5eed5eed5eed"


def test_the_surface_meets_its_challenge(surface):
    asked = challenge(surface.component, NONCE)
    assert asked.kind == "nonce-item"
    assert shortfall(asked) == ""


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"total": 0, "commands": []}, "not in the audit log"),
        ({"total": 1, "commands": [{"command": f"challenge-{NONCE}", "command_id": "canned"}]}, "not in the audit log"),
    ],
)
def test_a_stand_in_with_a_log_of_its_own_making_does_not(surface, said, why):
    def ask(op, **arguments):
        return said if op == "commands" else surface.ask(op, **arguments)

    stand_in = SimpleNamespace(name="operator", endpoints=surface.component.endpoints, ask=ask)
    assert why in shortfall(challenge(stand_in, NONCE + "2"))


def test_a_surface_that_is_gone_has_answered_nothing(surface):
    endpoints = {"rest": {"address": "http://127.0.0.1:9"}}
    gone = SimpleNamespace(name="operator", endpoints=endpoints, ask=surface.ask)
    asked = challenge(gone, NONCE)
    assert "broke" in asked.answers
    assert shortfall(asked) != ""
