"""Nothing softens: a skip, an expected failure or a deselection is never a pass, and never a condition."""

import pytest

LATENCY = 'latency\nlimit = "max(search) <= 120 ms"\nsamples = 1'
MEASURE = """
    with spiral.measure("search", unit="ms") as m:
        m.value({value})
"""


def claiming(marks="", value=1, first="pass", last="pass"):
    """A test that claims and delivers, with marks, and with lines before and after it measures."""
    return (
        f'{marks}\n@pytest.mark.criterion("S1.latency")\ndef test_a(spiral):\n    {first}'
        + MEASURE.format(value=value)
        + f"    {last}\n"
    )


@pytest.mark.parametrize(
    ("test", "verdict", "outcome"),
    [
        (claiming(), "pass", "passed"),
        (claiming("@pytest.mark.skip"), "not-run", "skipped"),
        (claiming("@pytest.mark.skipif(True, reason='no time')"), "not-run", "skipped"),
        (claiming(first="pytest.skip('no time')"), "not-run", "skipped"),
        (claiming(last="pytest.skip('no time')"), "not-run", "skipped"),
        (claiming(first="pytest.importorskip('no_such_module')"), "not-run", "skipped"),
        (claiming("@pytest.mark.xfail", last="assert 0"), "fail", "xfailed"),
        (claiming("@pytest.mark.xfail", last="1 / 0"), "invalid", "xfailed"),
        (claiming("@pytest.mark.xfail", first="assert 0"), "not-run", "xfailed"),
        (claiming("@pytest.mark.xfail(run=False)"), "not-run", "xfailed"),
        (claiming("@pytest.mark.xfail(raises=ZeroDivisionError)", last="1 / 0"), "invalid", "xfailed"),
        (claiming(first="pytest.xfail('known')"), "not-run", "xfailed"),
        (claiming(last="pytest.xfail('known')"), "not-run", "xfailed"),
        (claiming("@pytest.mark.xfail", value=121), "fail", "xpassed"),
        (claiming("@pytest.mark.xfail(strict=True)"), "pass", "failed"),
        (claiming().replace('spiral.measure("search", unit="ms")', "__import__('contextlib').nullcontext()").replace("m.value(1)", "pass"), "not-run", "passed"),
    ],
)  # fmt: skip
def test_an_end_that_is_none_is_never_a_pass(lab, test, verdict, outcome):
    lab.gates(LATENCY)
    lab.test(test)
    ran = lab.run()
    assert ran.verdicts == {"S1.latency": verdict}
    assert ran.outcomes == {outcome: 1}
    assert ran.status == (0 if (verdict, outcome) == ("pass", "passed") else 1)
    assert ran.decision != "CONDITIONAL GO"
    assert not ran.judgement.debts


@pytest.mark.parametrize("last", ["assert 0", "pytest.xfail('known')"])
def test_runxfail_changes_no_verdict(lab, last):
    lab.gates(LATENCY)
    lab.test(claiming("@pytest.mark.xfail", last=last))
    assert lab.run("--runxfail").verdicts["S1.latency"] in {"fail", "pass"}
    assert lab.run("--runxfail").verdicts["S1.latency"] != "pass" or last != "assert 0"


def test_a_module_that_is_missing_and_not_declared_is_not_run_and_no_condition(lab, way):
    lab.gates(LATENCY, LATENCY.replace("latency", "other"))
    lab.test(claiming())
    lab.test(
        "numpy = pytest.importorskip('hidden_module_of_this_test')\n" + claiming().replace("S1.latency", "S1.other"),
        "test_other.py",
    )
    ran = lab.run(*way)
    assert ran.verdicts == {"S1.latency": "pass", "S1.other": "not-run"}
    assert ran.decision == "NO-GO"
    assert ran.status == 1


def test_a_test_that_was_skipped_for_a_reason_is_told_with_it(lab):
    lab.gates(LATENCY)
    lab.test(claiming(first="pytest.skip('the moon is full')"))
    found = lab.run().criterion("S1.latency")
    assert found.reason == "skipped"
    assert "the moon is full" in found.sentence


def test_one_skipped_test_of_two_is_not_made_up_for_by_the_other(lab):
    lab.gates(LATENCY)
    lab.test(claiming() + claiming("@pytest.mark.skip").replace("test_a", "test_b"))
    ran = lab.run()
    assert ran.verdicts == {"S1.latency": "not-run"}
    assert ran.status == 1


@pytest.mark.parametrize("option", ["--setup-only", "--setup-plan"])
def test_a_run_that_only_sets_up_is_no_proof(lab, option):
    lab.gates(LATENCY)
    lab.test(claiming())
    ran = lab.run(option)
    assert ran.verdicts == {"S1.latency": "not-run"}
    assert ran.status == 1


def test_a_hook_that_forges_reports_changes_no_verdict(lab):
    lab.gates(LATENCY)
    lab.test(claiming(last="assert 0"))
    lab.write(
        "conftest.py",
        """
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.outcome, report.longrepr = "passed", None
    return report
""",
    )
    ran = lab.run()
    assert ran.outcomes == {"passed": 1}
    assert ran.verdicts == {"S1.latency": "fail"}
    assert ran.status == 1


def test_a_criterion_that_no_test_claims_is_not_run(lab):
    lab.gates(LATENCY, LATENCY.replace("latency", "other"))
    lab.test(claiming())
    ran = lab.run()
    found = ran.criterion("S1.other")
    assert (str(found.verdict), found.reason) == ("not-run", "no-tests")
    assert ran.decision == "NO-GO"


def test_an_advisory_criterion_is_reported_and_never_blocks(lab):
    lab.gates(LATENCY, LATENCY.replace("latency", "nice") + '\nlevel = "advisory"')
    lab.test(claiming() + claiming(value=121).replace("S1.latency", "S1.nice").replace("test_a", "test_b"))
    ran = lab.run()
    assert ran.verdicts == {"S1.latency": "pass", "S1.nice": "fail"}
    assert ran.decision == "GO"
    assert ran.status == 0


def test_a_collection_error_in_one_module_is_no_go(lab, way):
    lab.gates(LATENCY, LATENCY.replace("latency", "other"))
    lab.test(claiming())
    lab.test("import no_such_module_at_all\n" + claiming().replace("S1.latency", "S1.other"), "test_other.py")
    ran = lab.run(*way)
    assert ran.status in (1, 2)
    assert ran.verified != 0
    assert ran.verdicts["S1.other"] == "not-run"
    assert ran.evidence.inventory.errors == ("test_other.py",)


def test_a_session_that_goes_on_after_a_collection_error_is_no_go(lab):
    lab.gates(LATENCY, LATENCY.replace("latency", "other"))
    lab.test(claiming())
    lab.test("import no_such_module_at_all\n", "test_other.py")
    ran = lab.run("--continue-on-collection-errors")
    assert ran.verdicts == {"S1.latency": "not-run", "S1.other": "not-run"}
    assert ran.criterion("S1.latency").reason == "collection-error"
    assert ran.status == 1
    assert ran.verified == 1


def test_a_rerun_by_another_plugin_keeps_the_first_end(lab):
    lab.gates(LATENCY)
    lab.test("TRIES = []\n" + claiming(first="TRIES.append(1)", last="assert len(TRIES) > 1"))
    lab.write(
        "conftest.py",
        """
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for _ in range(2):
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
""",
    )
    ran = lab.run()
    assert ran.outcomes == {"passed": 1}
    assert ran.verdicts["S1.latency"] != "pass"
    assert ran.status == 1


def test_stopping_at_the_first_failure_leaves_the_rest_not_run_and_the_bundle_sound(lab, way):
    lab.gates(LATENCY, LATENCY.replace("latency", "other"))
    lab.test(claiming(value=1, last="assert 0"), "test_1.py")
    lab.test("import time\n" + claiming(first="time.sleep(0)").replace("S1.latency", "S1.other"), "test_2.py")
    ran = lab.run("-x", *way)
    assert ran.status in (1, 2)
    assert ran.verified == 1
    assert ran.verdicts["S1.latency"] == "fail"
    if not way or "no:xdist" in way:
        assert ran.criterion("S1.other").reason == "not-reached"
        assert ran.evidence.status == "interrupted"
