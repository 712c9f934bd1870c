"""`spiral selftest`, and what the certificate in a bundle is worth: made again by whoever verifies."""

import json

import pytest

import pytest_spiral.rules.judge.criterion as judging
from pytest_spiral.evidence.seal import write_manifest
from pytest_spiral.run.selftest import certificate_of
from pytest_spiral.run.verify import verify_bundle

TOML = """\
format = 1
[[gate]]
id = "S1"
title = "Search answers"
owner = "@search"
no_control = "a test of the tool"
[[gate.criterion]]
id = "S1.failures"
limit = "failures(search) <= {allowed}"
samples = 50
[[gate.criterion]]
id = "S1.later"
planned = true
limit = "failures(later) <= 0"
samples = 1
"""


@pytest.fixture
def gates(tmp_path):
    """Write gates.toml with a number of failures allowed among 50."""

    def write(allowed):
        (tmp_path / "gates.toml").write_text(TOML.format(allowed=allowed))

    return write


@pytest.fixture
def reseal():
    """Change a bundle's certificate and seal it anew, as an insider could."""

    def change(folder, edit):
        path = folder / "selftest.json"
        said = edit(json.loads(path.read_bytes()))
        path.unlink()
        if said is not None:
            path.write_text(said if isinstance(said, str) else json.dumps(said, sort_keys=True, separators=(",", ":")))
        (folder / "manifest.json").unlink()
        write_manifest(folder)
        return [(one.step, one.code) for one in verify_bundle(folder).report.findings]

    return change


@pytest.fixture(autouse=True)
def _made_anew():
    """A certificate is remembered in a process; what these tests switch off must not stay so."""
    certificate_of.cache_clear()
    yield
    certificate_of.cache_clear()


def test_a_bar_that_can_fail_is_proven(spiral_command, gates):
    gates(0)
    said = spiral_command("selftest")
    assert said.status == 0
    assert "S1.failures  proven" in said.out
    assert "planned, so nothing judges it yet" in said.out
    assert "this bar: 39 of 39 caught" in said.out


def test_a_bar_that_cannot_fail_is_found_out(spiral_command, gates):
    gates(50)
    said = spiral_command("selftest", "S1.failures")
    assert said.status == 1
    assert "S1.failures  blind" in said.out
    assert "all-bad came through" in " ".join(said.out.split())


def test_a_judge_with_a_check_switched_off_is_found_out_whatever_the_bar(spiral_command, gates, monkeypatch):
    gates(0)
    monkeypatch.setattr(judging, "on_requirement", lambda shown, *_: shown)
    said = spiral_command("selftest", "S1.failures")
    assert said.status == 1
    assert "requirement-unmet came through" in " ".join(said.out.split())


def test_json_has_both_certificates(spiral_command, gates):
    gates(0)
    said = spiral_command("selftest", "S1", "--json")
    both = json.loads(said.out)
    assert (said.status, sorted(both)) == (0, ["bar", "judge"])
    assert {one["id"]: one["state"] for one in both["bar"]["criteria"]} == {
        "S1.failures": "proven",
        "S1.later": "waits",
    }
    assert both["bar"]["format"] == "spiral-selftest/1"


@pytest.mark.parametrize("selector", ["S2", "stage_b", "S1.nothing"])
def test_an_unknown_selector_is_wrong_use(spiral_command, gates, selector):
    gates(0)
    said = spiral_command("selftest", selector)
    assert (said.status, said.err.startswith(f"spiral: {selector!r} is no stage, gate or criterion")) == (2, True)


def test_no_gates_file_is_wrong_use(spiral_command):
    said = spiral_command("selftest")
    assert (said.status, "spiral init" in said.err) == (2, True)


# the certificate in a bundle


def test_a_bundle_holds_the_certificate_of_its_plan(bundle):
    folder = bundle("conditional")
    found = verify_bundle(folder)
    said = json.loads((folder / "selftest.json").read_bytes())
    assert said["plan"] == json.loads((folder / "bundle.json").read_bytes())["plan"]
    assert {one["state"] for one in said["criteria"]} == {"proven"}
    assert found.report.outcome == "sound"
    assert "pieces of defective evidence caught" in found.report.checked(10).note


@pytest.mark.parametrize(
    "edit",
    [
        lambda said: {**said, "plan": "sha256:" + "0" * 64},
        lambda said: {**said, "criteria": said["criteria"][1:]},
        lambda said: {**said, "criteria": [{**said["criteria"][0], "tried": 1}, *said["criteria"][1:]]},
        lambda said: {**said, "format": "spiral-selftest/2"},
        lambda said: {**said, "catalogue": 99, "plan": "sha256:" + "0" * 64},
        lambda _: "no JSON",
        lambda said: json.dumps(said, indent=1),
    ],
)
def test_a_certificate_that_is_not_what_the_plan_gives_is_found(bundle, reseal, edit):
    assert reseal(bundle("conditional"), edit) == [(10, "selftest-mismatch")]


def test_a_bundle_without_its_certificate_is_found(bundle, reseal):
    assert reseal(bundle("conditional"), lambda _: None) == [(10, "selftest-missing")]


def test_a_certificate_of_another_catalogue_is_not_compared(bundle, reseal):
    assert reseal(bundle("conditional"), lambda said: {**said, "catalogue": 99}) == []


def test_a_verifier_whose_judge_lets_a_defect_through_trusts_nothing(bundle, monkeypatch):
    folder = bundle("conditional")
    monkeypatch.setattr(judging, "is_whole", lambda _: True)
    found = verify_bundle(folder)
    assert {one.code for one in found.report.findings} == {"summary-mismatch", "selftest-mismatch"}
    verdicts = {one.id: (str(one.verdict), one.reason) for one in found.judgement.criteria}
    assert verdicts["S1.latency"] == ("invalid", "unproven")
