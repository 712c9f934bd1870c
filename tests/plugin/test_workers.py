"""A worker that dies takes its own test with it and no other; the run comes to its end."""

from collections import Counter

import pytest

MODULE = """
import pytest, os, signal

@pytest.mark.criterion("S1.NAME")
def test_measured(spiral):
    with spiral.measure("search", unit="ms") as m:
        m.value(1.0)

@pytest.mark.parametrize("number", range(COUNT))
def test_other(number):
    if "NAME" == "DEADLY" and number == AT:
        os.kill(os.getpid(), signal.SIGKILL)
"""
LIMIT = 'limit = "max(search) <= 120 ms"\nsamples = 1'


def write(lab, *, modules, count, deadly, at):
    names = [f"m{number}" for number in range(modules)]
    lab.gates(*(f"{name}\n{LIMIT}" for name in names))
    for name in names:
        text = MODULE.replace("NAME", name).replace("COUNT", str(count))
        lab.write(f"test_{name}.py", text.replace("DEADLY", deadly).replace("AT", str(at)))


@pytest.mark.parametrize(
    ("modules", "count", "deadly", "at"),
    [(4, 6, "m2", 3), (4, 6, "m0", 5), (4, 2, "m3", 0), (2, 1, "m0", 0), (6, 2, "m5", 0), (3, 4, "m1", 2)],
)
def test_the_others_run_once_and_the_deadly_one_is_not_run_again(lab, modules, count, deadly, at):
    write(lab, modules=modules, count=count, deadly=deadly, at=at)
    ran = lab.run("-n", "2", apart=True)
    died = f"test_{deadly}.py::test_other[{at}]"
    collected = {item.id for item in ran.evidence.inventory.items}
    assert Counter(test.id for test in ran.evidence.tests) == Counter(collected - {died})
    assert [one.test for one in ran.evidence.crashes][-1] == died
    assert (ran.status, ran.evidence.status) == (1, "finished")
    assert ran.outcomes["failed"] == 1
    assert set(ran.verdicts.values()) == {"pass"}


def test_a_claiming_test_that_kills_its_worker_is_not_run(lab):
    lab.gates(f"m0\n{LIMIT}", f"m1\n{LIMIT}")
    lab.write("test_a.py", MODULE.replace("NAME", "m0").replace("COUNT", "3").replace("AT", "9"))
    lab.test("@pytest.mark.criterion('S1.m1')\ndef test_b(spiral): os.kill(os.getpid(), signal.SIGKILL)\n")
    ran = lab.run("-n", "2", apart=True)
    assert ran.verdicts == {"S1.m0": "pass", "S1.m1": "not-run"}
    assert ran.criterion("S1.m1").reason == "crashed"
    assert ran.decision == "NO-GO"
