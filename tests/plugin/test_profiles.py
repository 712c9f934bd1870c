"""A declared profile: compared before the first test, named in the bundle, and its checks in the hands of a test."""

import pytest

FITS = """
format = 1
name = "fits"
title = "A machine such as this one"
[[fact]]
is = "memory >= 1 MiB"
[[fact]]
is = "cpu.cores >= 1 or cpu.threads >= 1"
[[check]]
name = "says-so"
promise = "It says so."
run = ["{python}", "-c", "print('so it is')"]
"""
FOREIGN = """
format = 1
name = "foreign"
title = "Another machine"
[[fact]]
is = "memory >= 1000000 GiB"
[[fact]]
is = "memory >= 1 MiB"
[[fact]]
is = "accelerator >= 100"
why = "nobody has so many"
"""
VALIDATED = 'validated\nlimit = "failures(environment) <= 0"\nsamples = 2'
TEST = """
@pytest.mark.criterion("S1.validated")
def test_environment(spiral, hardware_profile):
    print("a test runs")
    checked = hardware_profile.validate()
    with spiral.measure("environment") as m:
        for one in checked:
            m.check(one.passed, f"{one.name}: {one.evidence}")
"""


@pytest.fixture
def lab(lab):
    lab.write("profiles/fits.toml", FITS)
    lab.write("profiles/foreign.toml", FOREIGN)
    lab.gates(VALIDATED)
    lab.test(TEST)
    return lab


def test_a_machine_that_matches_is_named_in_the_bundle(lab, way):
    ran = lab.run("--spiral-profile=fits", *way)
    assert (ran.status, ran.verdicts) == (0, {"S1.validated": "pass"})
    start = ran.evidence.bundle
    assert start.profile.name == "fits"
    assert {"memory", "cpu.cores", "cpu.threads"} <= set(start.profile.by_name)
    assert start.options["profile"] == "fits"
    assert start.options["profile_digest"].startswith("sha256:")


def test_a_machine_that_does_not_match_stops_the_run_before_the_first_test(lab, way):
    for evidence in (True, False):
        ran = lab.run("--spiral-profile=foreign", "-s", *way, evidence=evidence)
        assert ran.status == 4
        assert ran.bundle is None
        assert "a test runs" not in ran.out
        told = [line for line in ran.out.splitlines() if "This machine is not foreign, which has " in line]
        assert len(told) == 2, ran.out
        assert "memory >= 1000000 GiB: memory is " in told[0]
        assert "accelerator >= 100: " in told[1]


def test_a_profile_is_compared_where_there_are_no_gates_too(lab):
    (lab.path / "gates.toml").unlink()
    lab.test("def test_plain():\n    print('a test runs')\n")
    assert lab.run("--spiral-profile=fits", evidence=False).status == 0
    assert lab.run("--spiral-profile=foreign", evidence=False).status == 4


def test_the_profile_of_the_ini_holds_where_evidence_is_taken(lab):
    lab.write("pytest.ini", "[pytest]\nspiral_profile = foreign\n")
    assert lab.run().status == 4
    assert lab.run(evidence=False).status == 0, "nothing is judged, so nothing is probed for it"
    assert lab.run("--spiral-profile=fits").verdicts == {"S1.validated": "pass"}


def test_profiles_may_lie_elsewhere(lab):
    (lab.path / "profiles").rename(lab.path / "machines")
    assert "There is no profile 'fits'" in lab.run("--spiral-profile=fits").out
    assert lab.run("--spiral-profile=fits", "-ospiral_profiles=machines").status == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fit", "There is no profile 'fit'; did you mean 'fits'?"),
        ("rack", "There is no profile 'rack'; there are fits, foreign in "),
        ("../profiles/fits", "There is no profile '../profiles/fits'"),
    ],
)
def test_a_profile_that_is_not_there_is_wrong_use(lab, name, words):
    ran = lab.run(f"--spiral-profile={name}")
    assert ran.status == 4
    assert words in ran.out


def test_a_check_that_fails_is_a_failed_sample(lab):
    lab.write("profiles/fits.toml", FITS.replace("print('so it is')", "print('not so'); raise SystemExit(3)"))
    ran = lab.run("--spiral-profile=fits")
    assert (ran.status, ran.verdicts) == (1, {"S1.validated": "fail"})
    assert "1 of 2 failed" in ran.out


def test_a_profile_with_fewer_checks_than_the_bar_wants_is_incomplete(lab):
    lab.write("profiles/fits.toml", FITS.partition("[[check]]")[0])
    ran = lab.run("--spiral-profile=fits")
    assert (ran.verdicts, ran.criterion("S1.validated").reason) == ({"S1.validated": "inconclusive"}, "incomplete")


def test_without_a_declared_profile_nothing_is_validated(lab):
    ran = lab.run()
    assert (ran.status, ran.verdicts) == (1, {"S1.validated": "not-run"})
    assert "no profile is declared" in ran.out
