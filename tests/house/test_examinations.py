"""Documents that our own gates want examined: what is signed here is a rehearsal, and of what lies here."""

from pathlib import Path

import pytest

from pytest_spiral.run.examination import asked_for, look_at

ROOT = Path(__file__).parents[2]
ASKED = asked_for(ROOT)


@pytest.mark.parametrize("asked", ASKED, ids=lambda one: one.criterion.id)
def test_it_is_rehearsed_as_it_lies_here_and_nobody_is_said_to_have_read_it(asked):
    found = look_at(asked)
    assert found.faults == (), f"spiral examine {asked.criterion.id} --rehearse"
    assert found.examination.statement.rehearsal
    assert asked.criterion.fidelity == "live"
