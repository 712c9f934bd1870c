"""Mistakes in measuring: one clear sentence, what was recorded stays, and none of them passes."""

import pytest

LATENCY = 'latency\nlimit = "max(search) <= 120 ms"\nsamples = 3'
HEAD = '@pytest.mark.criterion("S1.latency")\ndef test_a(spiral):\n'


def body(lines):
    """The claiming test with these lines in it; `measure as` opens its measurement."""
    lines = lines.replace("measure as", 'spiral.measure("search", unit="ms") as')
    return HEAD + "".join(f"    {line}\n" for line in lines.strip().splitlines())


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("with measure as m: m.value(float('nan'))", "measurement 'search' got nan, which is not a finite number"),
        ("with measure as m: m.value(float('inf'))", "measurement 'search' got inf, which is not a finite number"),
        ("with measure as m: m.value('3')", "measurement 'search' got '3', which is not a finite number"),
        ("with measure as m: m.value(True)", "measurement 'search' got True, which is not a finite number"),
        ("with measure as m: m.count(1.5, over=1)", "a count is a whole number"),
        ("with measure as m: m.count(1, over=0)", "an exposure is more than zero"),
        ("with spiral.measure('serch', unit='ms'): pass", "'serch'; did you mean 'search'?"),
        ("with spiral.measure('volume', unit='ms'): pass", "'volume'; they name 'search'"),
        ("with spiral.measure('search', unit='MiB'): pass", "measured in 'MiB', and S1.latency bounds it in 'ms'"),
        ("with spiral.measure('search'): pass", "measured in 'no unit', and S1.latency bounds it in 'ms'"),
        (
            "with measure as m:\n    for n in range(3): m.value(1)\nwith measure as m: pass",
            "'search' is measured twice in one run block",
        ),
        ("with spiral.rehearsal():\n    with spiral.rehearsal(): pass", "opens a rehearsal inside a rehearsal"),
        ("with spiral.control(): pass", "opens a control and claims 0 criteria that are one"),
    ],
)
def test_a_wrong_measurement_is_an_error_with_and_without_evidence(lab, lines, sentence):
    lab.gates(LATENCY)
    lab.test(body(lines))
    plain, ran = lab.run(evidence=False), lab.run()
    assert sentence in plain.out
    assert sentence in ran.out
    assert plain.status == ran.status == 1
    assert ran.outcomes == {"failed": 1}
    assert ran.verdicts["S1.latency"] in {"not-run", "invalid"}
    assert ran.decision in {"NO-GO", "NOT-EVALUABLE"}


@pytest.mark.parametrize(
    ("lines", "verdict", "reason"),
    [
        ("with measure as m:\n    for n in range(3): m.value(1)", "pass", ""),
        ("with measure as m:\n    for n in range(3): m.value(121)", "fail", "fail"),
        ("pass", "not-run", "not-delivered"),
        ("with measure as m: pass", "invalid", "empty"),
        ("with measure as m: m.value(1)", "inconclusive", "incomplete"),
        ("with measure as m:\n    for n in range(4): m.value(1)", "invalid", "more-than-planned"),
        ("with measure as m:\n    for n in range(2): m.value(1)\n    m.failed('timed out')", "fail", "fail"),
        ("with measure as m:\n    for n in range(3): m.hit()", "invalid", "wrong-kind"),
        ("with measure as m:\n    for n in range(3): m.value(1)\nassert 0", "fail", "raised-after-measuring"),
        ("with measure as m:\n    for n in range(3): m.value(1)\n    assert 0", "fail", "raised-after-measuring"),
        ("with measure as m:\n    for n in range(3): m.value(1)\npytest.fail('no')", "fail", "raised-after-measuring"),
        ("with measure as m:\n    for n in range(3): m.value(1)\n1 / 0", "invalid", "raised-after-measuring"),
        ("with measure as m:\n    for n in range(3): m.value(1)\nraise SystemExit(0)", "not-run", "interrupted"),
        ("with measure as m:\n    for n in range(2): m.value(1)\n    m.value(float('nan'))", "invalid", "raised-after-measuring"),
        ("assert 0\nwith measure as m:\n    for n in range(3): m.value(1)", "not-run", "raised-before-measuring"),
        ("1 / 0\nwith measure as m:\n    for n in range(3): m.value(1)", "not-run", "raised-before-measuring"),
    ],
)  # fmt: skip
def test_what_a_test_delivers_and_how_it_ends_give_the_verdict(lab, lines, verdict, reason):
    lab.gates(LATENCY)
    lab.test(body(lines))
    ran = lab.run()
    found = ran.criterion("S1.latency")
    assert (str(found.verdict), found.reason) == (verdict, reason)
    assert ran.status == (0 if verdict == "pass" else 1)
    assert ran.verified == (0 if verdict == "pass" else 1)


def test_what_was_measured_before_an_error_stays(lab):
    lab.gates(LATENCY)
    lab.test(body("with measure as m:\n    m.value(7)\n    m.value(float('nan'))"))
    (measurement,) = lab.run().evidence.measurements
    assert [sample.value for sample in measurement.samples] == [7]
    assert measurement.raised == "MeasurementError"


def test_too_few_samples_say_how_many_more(lab):
    lab.gates('latency\nlimit = "p95(search) <= 120 ms"\nsamples = 100\nconfidence = 0.95')
    lab.test(body("with measure as m:\n    for n in range(60): m.value(1)"))
    ran = lab.run()
    assert ran.criterion("S1.latency").reason == "incomplete"
    assert "inconclusive (incomplete), 40 more" in ran.out
    assert ran.decision == "NO-GO"


def test_another_unit_of_the_same_dimension_is_converted_exactly(lab):
    lab.gates(LATENCY)
    lab.test(HEAD + '    with spiral.measure("search", unit="s") as m:\n        for n in range(3): m.value(0.121)\n')
    ran = lab.run()
    assert ran.verdicts == {"S1.latency": "fail"}
    assert "121 ms" in ran.line(" latency ")


def test_a_failed_call_in_a_timed_block_is_a_failed_sample_and_no_error(lab):
    lab.gates('failures\nlimit = "failures(search) <= 1"\nsamples = 3')
    lab.test("""
@pytest.mark.criterion("S1.failures")
def test_a(spiral):
    with spiral.measure("search", unit="ms") as m:
        for n in range(3):
            with m.timed():
                if n == 1: raise ConnectionError("refused")
""")
    ran = lab.run()
    assert ran.verdicts == {"S1.failures": "pass"}
    assert [sample.failed for sample in ran.evidence.measurements[0].samples] == [
        None,
        "ConnectionError: refused",
        None,
    ]


def test_an_error_in_teardown_overrules_a_pass(lab):
    lab.gates(LATENCY)
    lab.test("""
@pytest.fixture
def late():
    yield
    1 / 0

@pytest.mark.criterion("S1.latency")
def test_a(spiral, late):
    with spiral.measure("search", unit="ms") as m:
        for n in range(3): m.value(1)
""")
    ran = lab.run()
    assert ran.verdicts == {"S1.latency": "invalid"}
    assert ran.status == 1


@pytest.mark.parametrize(("values", "verdict"), [((1, 1), "pass"), ((1, 121), "fail"), ((121, 1), "fail")])
def test_every_test_that_measures_for_a_criterion_counts(lab, way, values, verdict):
    lab.gates(LATENCY)
    for number, value in enumerate(values):
        lab.test(body(f"with measure as m:\n    for n in range(3): m.value({value})"), f"test_{number}.py")
    ran = lab.run(*way)
    assert ran.verdicts == {"S1.latency": verdict}
    assert len(ran.evidence.measurements) == 2


@pytest.mark.parametrize(
    ("runs", "verdict"),
    [("[1, 1, 1]", "pass"), ("[121, 1, 1, 1]", "pass"), ("[1, 121, 1]", "fail"), ("[1, 1]", "inconclusive")],
)
def test_runs_in_a_row_are_counted_by_rehearsals(lab, runs, verdict):
    lab.gates(LATENCY + "\nconsecutive = 3")
    lab.test(
        body(f"""
for value in {runs}:
    with spiral.rehearsal(), measure as m:
        for n in range(3): m.value(value)
""")
    )
    ran = lab.run()
    assert ran.verdicts["S1.latency"] == verdict, ran.out


def test_the_same_name_in_two_rehearsals_is_two_populations(lab):
    lab.gates(LATENCY)
    lab.test(
        body("""
for value in (1, 121):
    with spiral.rehearsal(), measure as m:
        for n in range(3): m.value(value)
""")
    )
    ran = lab.run()
    assert ran.verdicts == {"S1.latency": "fail"}
    assert {limit.where: str(limit.verdict) for limit in ran.criterion("S1.latency").limits} == {
        "run 1": "pass",
        "run 2": "fail",
    }


@pytest.mark.parametrize(
    ("other", "verdict"), [("2", "pass"), ("3", "fail"), ("2.0", "pass"), ("True", "fail"), ("'2'", "fail")]
)
def test_two_sides_are_compared_item_by_item(lab, other, verdict):
    lab.gates('same\nlimit = "equal(rest, grpc)"\nsamples = 2')
    lab.test(
        """
@pytest.mark.criterion("S1.same")
def test_a(spiral):
    with spiral.measure("rest") as m:
        m.item("a", 1)
        m.item("b", 2)
    with spiral.measure("grpc") as m:
        m.item("a", 1)
        m.item("b", OTHER)
""".replace("OTHER", other)
    )
    ran = lab.run()
    assert ran.verdicts == {"S1.same": verdict}
    assert ("differing: b" in ran.out) is (verdict == "fail")
