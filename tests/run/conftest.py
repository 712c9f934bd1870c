"""Gates files as texts, and runs with evidence that the product's own writers write, without pytest."""

from contextlib import contextmanager
from itertools import count

import msgspec
import pytest

from pytest_spiral.errors import GatesFileError
from pytest_spiral.model.evidence import Inventory, InventoryItem, Scope, TargetCard
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.manifest import Manifest
from pytest_spiral.model.profile import Profile
from pytest_spiral.model.record import Challenge, SubjectSeen, Test
from pytest_spiral.rules.canonical import canonical_bytes, digest
from pytest_spiral.rules.redact import Redactor
from pytest_spiral.run.gate_run import Request, end_of, open_run, seal_run
from pytest_spiral.run.gates import make_plan, parse_gate_file
from pytest_spiral.run.inventory import write_inventory
from pytest_spiral.run.recorder import TestRecorder

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


GATES = """\
format = 1
[[gate]]
id = "S1"
title = "Work is done"
owner = "@s1"
due = "C1"
subjects = ["memory"]
[[gate.criterion]]
id = "S1.works"
limit = "failures(work) <= 0"
samples = 3
[[gate.criterion]]
id = "S1.row"
limit = "max(offset) <= 45 ms"
samples = 2
consecutive = 2
[[gate.criterion]]
id = "S1.control"
control = { of = "S1.works", fault = "s.broken" }
"""
RUNS = ("good", "good")


class Session:
    """A run with evidence that is written by the product's own writers, without pytest."""

    def __init__(self, root, gates=GATES, plan=None, **request):
        self.file = parse_gate_file(gates, root / "gates.toml", "gates.toml", "stage_x")
        self.plan = plan or make_plan([self.file], (), ())
        known = {
            "root": root, "reports": root / "reports", "slug": "s1", "plan": self.plan, "cards": self.file.cards,
            "scope": Scope(stages=("stage_x",)), "target": TargetCard(name="sandbox", fidelity=Fidelity.SANDBOX),
            "profile": Profile(name="bench", facts=()), "argv": ("pytest",), "options": {}, "ini": {},
            "environment": {}, "require": "conditional",
        }  # fmt: skip
        self.opened = open_run(Request(**{**known, **request}))
        self.writer = self.opened.writer("main", Redactor(()))
        self.folder = self.opened.folder

    def collect(self, **claims):
        """Write the inventory: test → the word of the criterion that it proves."""
        items = [InventoryItem(id=f"test_s1.py::{test}", criteria=(f"S1.{word}",)) for test, word in claims.items()]
        write_inventory(self.folder, Inventory(items=tuple(items)), self.writer.refuse)

    def seen(self, when, found=("item n0",)):
        """Note that the memory was seen and what it answered."""
        answers = {"item": "challenge-n0", "found": list(found), "audited": ["challenge-n0"]}
        self.writer.append(
            SubjectSeen(
                subject="memory", when=when, identity="memory-1", version="1.0", digest=digest(b"code"),
                registered=Fidelity.SANDBOX, challenge=Challenge(kind="nonce-item", nonce="n0", answers=answers),
            )
        )  # fmt: skip

    @contextmanager
    def test(self, test, word, raised=""):
        """Run one test; gives what it records with."""
        claimed = [one for one in self.plan.criteria() if one.id == f"S1.{word}"]
        name = f"test_s1.py::{test}"
        yield TestRecorder(name, claimed, self.plan, self.writer, "main", self.writer.number)
        self.writer.append(Test(id=name, criteria=(f"S1.{word}",), raised=raised))

    def run(self, *, misses=0, found=("item n0",), finds_out=True, runs=RUNS):
        """Run the whole gate: three pieces of work, two rehearsals, a control."""
        self.collect(test_work="works", test_row="row", test_control="control")
        self.seen("start", found)
        with self.test("test_work", "works") as recorder, recorder.measure("work") as m:
            for number in range(3):
                m.check(number >= misses, "missed")
        with self.test("test_row", "row") as recorder:
            for word in runs:
                with recorder.rehearsal(), recorder.measure("offset", "ms") as m:
                    m.value(1.5)
                    m.value(44 if word == "good" else 46)
        with self.test("test_control", "control") as recorder, recorder.controlled(), recorder.measure("work") as m:
            m.hit()
            m.hit()
            m.check(not finds_out)
        self.seen("end", found)
        return self

    def seal(self, status="finished"):
        """End the run and seal it."""
        self.writer.close(end_of(status, 0, {}))
        return seal_run(self.opened)


@pytest.fixture(scope="session")
def gates_text():
    """The gates file of a `Session`."""
    return GATES


@pytest.fixture(scope="session")
def make_session():
    """Begin a run in a folder that is there; `session` makes the folder too."""
    return Session


@pytest.fixture
def session(tmp_path):
    """Begin a run in a folder of its own."""
    numbers = count()

    def begin(*arguments, **fields):
        root = tmp_path / f"root{next(numbers)}"
        root.mkdir()
        return Session(root, *arguments, **fields)

    return begin


@pytest.fixture
def resummarise():
    """Write a summary in place of a bundle's own, and bring the manifest in line with it."""

    def writing(folder, data):
        (folder / "summary.json").write_bytes(data)
        manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
        changed = {"bytes": len(data), "sha256": digest(data)}
        files = tuple(
            msgspec.structs.replace(one, **changed) if one.path == "summary.json" else one for one in manifest.files
        )
        (folder / "manifest.json").write_bytes(canonical_bytes(Manifest(files=files)))

    return writing
