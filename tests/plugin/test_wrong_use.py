"""Wrong use is one clear sentence and exit status 4, before anything runs, with and without workers."""

import pytest

TWO = ("-n", "2")


def refused(ran, *words):
    """Wrong use: status 4, one sentence with those words, nothing sealed, no test run, no traceback."""
    assert ran.status == 4, ran.out
    sentences = [line for line in ran.out.splitlines() if all(word in line for word in words)]
    assert len(sentences) == 1, ran.out
    assert "Traceback" not in ran.out
    assert ran.judgement is None
    assert not ran.outcomes.keys() & {"passed", "failed"}


@pytest.mark.parametrize("workers", [(), TWO], ids=["plain", "two-workers"])
@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--spiral-require=maybe", ["--spiral-require", "invalid choice: 'maybe'"]),
        ("--spiral-items=many", ["--spiral-items", "invalid int value: 'many'"]),
        ("--spiral-items=0", ["--spiral-items is 0", "from 1 up"]),
        ("--spiral-seed=-1", ["--spiral-seed is -1", "from 0 up"]),
        ("--spiral-gates=Z9", ["--spiral-gates names 'Z9'", "known gates: S1"]),
        ("--spiral-gates=", ["--spiral-gates names nothing"]),
        ("--spiral-reports=", ["--spiral-reports names no folder"]),
        ("--spiral-target=nowhere", ["there is no target 'nowhere'", "installed targets: "]),
        ("--spiral-target=sandbx", ["there is no target 'sandbx'", "did you mean 'sandbox'?"]),
        ("--spiral-fault=memory.stub", ["--spiral-fault memory.stub needs a target"]),
        ("-m=((", ["Wrong expression passed to '-m'"]),
    ],
)
def test_an_option_that_cannot_be_is_refused_in_one_sentence(lab, option, words, workers):
    lab.smallest()
    refused(lab.run(option, *workers), *words)


@pytest.mark.parametrize("option", ["--spiral-target=nowhere", "--spiral-fault=memory.stub", "--spiral-gates=Z9"])
def test_a_name_that_is_none_is_refused_without_evidence_too(lab, option):
    lab.smallest()
    refused(lab.run(option, evidence=False), option.partition("=")[2])


@pytest.mark.parametrize(
    ("ini", "words"),
    [
        ("spiral_require = maybe", ["spiral_require is 'maybe'"]),
        ("spiral_items = some", ["spiral_items is 'some'", "whole number"]),
        ("spiral_target = nowhere", ["there is no target 'nowhere'"]),
        ("spiral_secrets = SHORT_SECRET", ["value of SHORT_SECRET has fewer than 4 characters"]),
    ],
)
def test_an_ini_value_that_cannot_be_is_refused_in_one_sentence(lab, ini, words):
    lab.smallest()
    lab.monkeypatch.setenv("SHORT_SECRET", "abc")
    lab.write("pytest.ini", f"[pytest]\n{ini}\n")
    refused(lab.run(), *words)


@pytest.mark.parametrize("workers", [(), TWO], ids=["plain", "two-workers"])
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("samples = 100", "sampels = 100", ["gates.toml:11:", "unknown key 'sampels'", "did you mean `samples`?"]),
        ("samples = 100", "samples = 0", ["gates.toml:11:", "`samples` is 0", "from 1 up"]),
        ("samples = 100\n", "", ["gates.toml:10:", "S1.latency says not how many samples", "samples = 100"]),
        ("samples = 100", "samples = 10", ["gates.toml:11:", "10 samples can never prove", "at least 59"]),
        ("120 ms", "120", ["gates.toml:10:", "has no unit", "120 ms"]),
        ("120 ms", "120 msec", ["gates.toml:10:", "'msec'", "ms"]),
        ("p95(search) <= 120 ms", "rate(search) >= 95 ms", ["gates.toml:10:", "bounds a rate in ms", "in %"]),
        ("p95(search) <= 120 ms", "p95(search) < 120 ms", ["gates.toml:10:", "use `<=` or `>=`"]),
        ("p95(search) <= 120 ms", "fast", ["gates.toml:10:", "limit 'fast' is not understood"]),
        ('no_control = "first steps"\n', "", ["gates.toml:3:", "gate S1 has no control", "no_control = "]),
        ("confidence = 0.95\n", "", ["gates.toml:10:", "declares no confidence", "confidence = 0.95"]),
        ("confidence = 0.95", "confidence = 95", ["gates.toml:12:", "no share between 0.5 and 1"]),
        ('id = "S1.latency"', 'id = "T1.latency"', ["gates.toml:9:", "does not belong to gate S1"]),
        ("format = 1", "format = 2", ["gates.toml:2:", "`format` is 2", "write `format = 1`"]),
        ("[[gate.criterion]]", "[[gate.kriterion]]", ["gates.toml", "unknown key 'kriterion'", "criterion"]),
        ('owner = "@search"\n', "", ["gates.toml:3:", "`owner` is missing or empty"]),
        ('limit = "', "limit = ", ["gates.toml:10:", "this is no TOML"]),
        ("confidence", 'requires = "memry >= 1 GiB"\nconfidence', ["gates.toml:12:", "'memry", "memory"]),
        ("confidence", 'requires = "memory >= "\nconfidence', ["gates.toml:12:", "memory >= "]),
    ],
)  # fmt: skip
def test_a_mistake_in_the_gates_file_is_told_with_file_line_and_remedy(lab, smallest, old, new, words, workers):
    gates, _test = smallest
    assert gates.count(old) == 1 or old == "confidence"
    lab.smallest()
    lab.write("gates.toml", gates.replace(old, new, 1))
    refused(lab.run(*workers), *words)
    refused(lab.run(*workers, evidence=False), *words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["gates.toml", "`format` is missing"]),
        (b"format = 1\n", ["gates.toml", "there is no gate"]),
        (b"\xff\xfe\x00", ["gates.toml:1", "is not UTF-8"]),
        (b"<gates/>", ["gates.toml:1", "this is no TOML"]),
    ],
    ids=["empty", "no gate", "no text", "another format"],
)
def test_a_gates_file_that_says_nothing_is_refused(lab, content, words):
    lab.write("gates.toml", content)
    refused(lab.run(), *words)


def test_a_gates_file_without_read_permission_is_refused(lab, without_rights):
    lab.smallest()
    (lab.path / "gates.toml").chmod(0)
    ran = lab.run(apart=True, wrapper=without_rights)
    refused(ran, "gates.toml", "cannot be read", "Permission denied")


@pytest.mark.parametrize(("name", "start"), [("S1", "[[gate]]"), ("S1.latency", "[[gate.criterion]]")])
def test_an_id_that_stands_twice_is_refused_where_it_stands_again(lab, smallest, name, start):
    gates, _ = smallest
    lab.write("gates.toml", gates + start + gates.partition(start)[2])
    refused(lab.run(), f"gates.toml:13: {name} stands twice; it is also in gates.toml:", "another id")


def test_an_id_that_stands_in_two_files_is_refused(lab, smallest):
    gates, _ = smallest
    lab.write("gates.toml", gates)
    lab.write("suites/stage_x/gates.toml", gates)
    refused(lab.run(), "S1 stands twice", "suites/stage_x/gates.toml:3:", "gates.toml:3")


def test_evidence_without_a_gates_file_is_refused(lab):
    lab.test("def test_a(): pass\n")
    refused(lab.run(), "--spiral-evidence finds no gates file", "spiral init")


@pytest.mark.parametrize("workers", [(), TWO], ids=["plain", "two-workers"])
@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ('criterion("S1.latancy")', ["unknown criterion 'S1.latancy'", "did you mean S1.latency?"]),
        ("criterion()", ["the marker criterion takes ids"]),
    ],
)
def test_a_claim_of_an_unknown_criterion_is_refused_with_its_place(lab, marker, words, workers):
    lab.smallest()
    lab.test(f"\n@pytest.mark.{marker}\ndef test_a(): pass\n", "test_claim.py")
    refused(lab.run(*workers), "test_claim.py:3: test_a: ", *words)
    if not workers:
        refused(lab.run(evidence=False), "test_claim.py:3: test_a: ", *words)


@pytest.mark.parametrize("workers", [(), TWO], ids=["plain", "two-workers"])
def test_a_test_under_a_stage_folder_must_claim_a_criterion(lab, smallest, workers):
    gates, _ = smallest
    lab.write("suites/stage_x/gates.toml", gates)
    lab.test("\ndef test_of_nothing(): pass\n", "suites/stage_x/test_x.py")
    refused(lab.run(*workers), "test_x.py:3: test_of_nothing: ", "stands under stage_x/ and claims no criterion")


def test_every_wrong_claim_is_listed(lab):
    lab.smallest()
    lab.test("".join(f'@pytest.mark.criterion("S1.x{n}")\ndef test_{n}(): pass\n' for n in range(3)), "test_claim.py")
    ran = lab.run()
    assert ran.status == 4
    assert all(f"test_{n}: unknown criterion 'S1.x{n}'" in ran.out for n in range(3))


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ("environment_limited()", ["the marker environment_limited takes what is needed"]),
        ('environment_limited("module.")', ["marker environment_limited: "]),
        ('hardware_required("flux.capacitor")', ["marker hardware_required: ", "flux.capacitor"]),
        ('hardware_required("memory > ")', ["marker hardware_required: "]),
    ],
)
def test_a_need_that_cannot_be_evaluated_is_refused(lab, marker, words):
    lab.smallest()
    lab.test(f"@pytest.mark.{marker}\ndef test_a(): pass\n", "test_need.py")
    refused(lab.run(evidence=False), "test_need.py:2: test_a: ", *words)


def test_a_file_in_place_of_the_reports_folder_is_refused(lab):
    lab.smallest()
    lab.write("reports", "in the way")
    refused(lab.run(), "reports/run/", "a file stands where a folder belongs")


@pytest.mark.parametrize("workers", [(), TWO], ids=["plain", "two-workers"])
def test_a_reports_folder_that_cannot_be_written_is_refused(lab, without_rights, workers):
    lab.smallest()
    (lab.path / "reports").mkdir(mode=0o555)
    ran = lab.run(*workers, apart=True, wrapper=without_rights)
    refused(ran, "No evidence can be written to", "Permission denied")


def test_a_test_that_needs_the_plugin_where_there_are_no_gates_says_so(lab):
    lab.test("def test_a(spiral): pass\n")
    ran = lab.run(evidence=False)
    assert ran.status == 1
    assert "no gates file was found" in ran.out
    assert "spiral init" in ran.out


def test_two_workers_that_collect_different_tests_are_refused(lab):
    lab.smallest()
    lab.test("@pytest.mark.parametrize('w', [os.environ.get('PYTEST_XDIST_WORKER', '')])\ndef test_a(w): pass\n")
    ran = lab.run(*TWO)
    assert ran.status != 0
    assert ran.judgement is None
    assert "two processes have collected different tests" in ran.out or "Different tests were collected" in ran.out
