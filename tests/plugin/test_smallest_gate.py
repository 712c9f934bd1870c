"""The smallest gate, exactly as the manual prints it: what it says, and what pytest's exit status then is."""

import json

import pytest

SLOW = """
class Client:
    def search(self, text):
        return text

@pytest.fixture
def client():
    return Client()

@pytest.mark.criterion("S1.latency")
def test_search_is_fast(spiral, client):
    with spiral.measure("search", unit="ms") as m:
        for n in range(100):
            m.value(VALUE)
"""


def slow(lab, smallest, value):
    """The smallest gate with a client whose every search takes `value` milliseconds."""
    lab.write("gates.toml", smallest[0])
    lab.test(SLOW.replace("VALUE", value))


def test_the_smallest_gate_is_a_go(lab, way):
    lab.smallest()
    ran = lab.run(*way)
    assert ran.status == 0
    assert ran.verdicts == {"S1.latency": "pass"}
    assert ran.decision == "GO"
    assert ran.checked.status("go") == 0
    assert ran.outcomes == {"passed": 1}
    assert "sealed, E0: hashes only" in ran.line(" evidence ")


def test_the_summary_shows_value_bound_limit_samples_and_margin(lab, smallest):
    slow(lab, smallest, "3.5")
    assert "pass   p95 3.5 ms, bound 3.5 ms <= 120 ms   n=100   margin 116.5 ms" in lab.run().line("latency")


def test_the_command_that_checks_is_printed_with_a_path_that_is_there(lab):
    lab.smallest()
    ran = lab.run()
    printed = ran.line(" check it ").split("spiral verify ")[1].strip()
    assert (lab.path / printed).resolve() == ran.bundle


def test_a_slow_client_is_a_no_go(lab, way, smallest):
    slow(lab, smallest, "121.0")
    ran = lab.run(*way)
    assert ran.status == 1
    assert ran.outcomes == {"passed": 1}
    assert ran.verdicts == {"S1.latency": "fail"}
    assert ran.decision == "NO-GO"
    assert ran.verified == 1
    assert "p95 121 ms, bound 121 ms > 120 ms" in ran.out


def test_the_limit_itself_still_holds(lab, smallest):
    slow(lab, smallest, "120.0")
    assert lab.run().decision == "GO"


def test_no_line_reads_as_if_equals_differed(lab, smallest):
    slow(lab, smallest, "120.0000001")
    ran = lab.run()
    assert ran.decision == "NO-GO"
    assert "120.0000001 ms > 120 ms" in ran.line("latency")


@pytest.mark.parametrize("how", ["--spiral-require=go", "spiral_require = go"])
def test_a_condition_is_not_enough_where_go_is_required(lab, how):
    latency = 'limit = "max(search) <= 120 ms"\nsamples = 1'
    lab.gates(f"latency\n{latency}", f'live-latency\n{latency}\nfidelity = "live"')
    lab.test("""
@pytest.mark.criterion("S1.latency", "S1.live-latency")
def test_a(spiral):
    with spiral.measure("search", unit="ms") as m:
        m.value(1.0)
""")
    assert lab.run().status == 0
    if not how.startswith("--"):
        lab.write("pytest.ini", f"[pytest]\n{how}\n")
    ran = lab.run(*([how] if how.startswith("--") else []))
    assert ran.decision == "CONDITIONAL GO"
    assert ran.status == 1
    assert ran.verified == 0
    assert ran.checked.status("go") == 1
    assert ran.evidence.bundle.require == "go"


def test_plain_pytest_writes_nothing(lab, way):
    lab.smallest()
    before = {path for path in lab.path.rglob("*") if "__pycache__" not in path.parts}
    ran = lab.run(*way, "-p", "no:cacheprovider", evidence=False)
    assert ran.status == 0
    assert ran.outcomes == {"passed": 1}
    assert {path for path in lab.path.rglob("*") if "__pycache__" not in path.parts} == before
    assert "spiral:" not in ran.out


@pytest.mark.parametrize("evidence", [False, True], ids=["plain", "evidence"])
def test_a_number_that_is_none_is_an_error_in_every_way_to_run(lab, smallest, evidence):
    slow(lab, smallest, "float('nan')")
    ran = lab.run(evidence=evidence)
    assert ran.status == 1
    assert ran.outcomes == {"failed": 1}
    assert "measurement 'search' got nan, which is not a finite number" in ran.out


def test_without_a_gates_file_the_plugin_does_nothing(lab):
    lab.test("def test_a(request): assert request.config.pluginmanager.has_plugin('spiral')\n")
    ran = lab.run("--strict-markers", "-m", "not criterion", evidence=False)
    assert ran.status == 0
    assert ran.outcomes == {"passed": 1}


def test_a_test_that_claims_nothing_runs_as_ever_and_is_listed(lab):
    lab.smallest()
    lab.test("def test_other(): pass\n")
    ran = lab.run()
    assert ran.decision == "GO"
    assert ran.outcomes == {"passed": 2}
    assert {item.id: item.criteria for item in ran.evidence.inventory.items} == {
        "test_gate.py::test_other": (),
        "test_search.py::test_search_is_fast": ("S1.latency",),
    }


def test_a_failing_test_that_claims_nothing_still_fails_the_session(lab):
    lab.smallest()
    lab.test("def test_other(): assert False\n")
    ran = lab.run()
    assert ran.decision == "GO"
    assert ran.status == 1
    assert ran.verified == 0


def test_the_bundle_says_what_was_run_and_with_what(lab):
    lab.smallest()
    ran = lab.run("--spiral-seed=7")
    start = ran.evidence.bundle
    assert "--spiral-evidence" in start.argv
    assert start.options["seed"] == 7
    assert start.packages["pytest"] == pytest.__version__
    assert start.plugin["pytest_spiral"].startswith("sha256:")
    assert start.plugin["conftest.py"].startswith("sha256:")
    assert {fact.name for fact in start.profile.facts} >= {"memory", "cpu.cores", "os.name"}
    assert start.gates[0].owner == "@search"
    assert start.mode == "draft"


def test_every_sample_is_on_disk_as_it_was_taken(lab, smallest):
    slow(lab, smallest, "n / 7")
    ran = lab.run()
    (file,) = (ran.bundle / "samples").rglob("*.jsonl")
    assert [json.loads(line)["value"] for line in file.read_text().splitlines()] == [n / 7 for n in range(100)]


def test_evidence_of_a_collection_only_is_none(lab):
    lab.smallest()
    ran = lab.run("--spiral-evidence", "--collect-only", evidence=False)
    assert ran.bundle is None
    assert ran.status == 0


def test_evidence_with_no_tests_at_all_is_no_go_ahead(lab, smallest):
    lab.write("gates.toml", smallest[0])
    ran = lab.run()
    assert ran.status == 1
    assert ran.decision == "NOT-EVALUABLE"
