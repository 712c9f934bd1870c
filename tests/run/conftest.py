"""Gates files as texts, read from a folder of their own."""

import pytest

from pytest_spiral.errors import GatesFileError
from pytest_spiral.run.gates import parse_gate_file

WHOLE = """\
# gates.toml
format = 1

[[gate]]
id = "S1"
title = "Search answers in time"
owner = "@search"
objective = "Answers come fast."
entry = ["A1"]
due = "C1"
subjects = ["memory"]

[[gate.criterion]]
id = "S1.latency"
promise = "P95 stays within 120 ms."
limit = "p95(search) <= 120 ms"
samples = 100
confidence = 0.95
margin = "10 ms"
warm_up = 5
blocks = 20
sampling = "open-loop"
seed = 7
requires = "memory >= 1 GiB"
fidelity = "staging"

[[gate.criterion]]
id = "S1.work"
limit = ["failures(work) <= 0", { is = "min(items) >= 10 items", samples = 1 }]
samples = 20
census = true
consecutive = 2
owner = "@work"
due = "D1"
subjects = []

[[gate.criterion]]
id = "S1.dropouts"
limit = "count(dropouts) <= 0"
exposure = "20 s"
level = "advisory"

[[gate.criterion]]
id = "S1.control"
control = { of = "S1.work", fault = "s.broken", verdict = "fail" }

[[gate]]
id = "S2"
title = "Later"
owner = "@search"
planned = true

[[gate.criterion]]
id = "S2.charter"
method = "examine"

[[gate.criterion]]
id = "S2.old"
limit = "all-pass"
samples = 3
tests = ["tests/old"]
"""


@pytest.fixture(scope="session")
def whole():
    """A gates file in which every key stands somewhere."""
    return WHOLE


@pytest.fixture
def read(tmp_path):
    """Read a text as a gates file."""

    def reading(text, stage=""):
        return parse_gate_file(text, tmp_path / "gates.toml", "gates.toml", stage)

    return reading


@pytest.fixture
def refused(read):
    """(line, problem, remedy) of a text that cannot be taken."""

    def refusing(text):
        with pytest.raises(GatesFileError) as caught:
            read(text)
        error = caught.value
        assert str(error) == f"gates.toml:{error.line}: {error.problem} Remedy: {error.remedy}"
        assert error.remedy
        assert "\n" not in str(error)
        return error.line, error.problem, error.remedy

    return refusing
