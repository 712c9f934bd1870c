"""`spiral plan`: samples needed and who gets through, as lines and as JSON."""

import json

import pytest

from pytest_spiral.cli.main import main

GATES = """\
format = 1
[[gate]]
id = "S1"
title = "Boots"
owner = "@ops"
[[gate.criterion]]
id = "S1.boots"
limit = "rate(boot) >= 95 %"
samples = {samples}
confidence = 0.95
consecutive = 3
[[gate.criterion]]
id = "S1.gaps"
limit = "count-rate(gap) <= 2 per h"
exposure = "10 h"
confidence = 0.95
[[gate.criterion]]
id = "S1.answers"
limit = "failures(answer) <= 0"
samples = 10
[[gate.criterion]]
id = "S1.control"
control = {{ of = "S1.boots", fault = "s.dead" }}
"""


@pytest.fixture
def ask(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")

    def say(*arguments, samples=59):
        (tmp_path / "gates.toml").write_text(GATES.format(samples=samples))
        status = main(["plan", *arguments, f"--root={tmp_path}"])
        said = capsys.readouterr()
        return status, said.out + said.err

    return say


def test_three_runs_of_59_send_five_good_systems_of_six_back(ask):
    status, said = ask("S1.boots")
    assert status == 0
    assert "16.9 %" in said.splitlines()[1]
    assert "59 samples a run   at most 0 failed" in said
    assert "208                5           98.1 %      94.4 %" in said


def test_208_with_five_failed_let_it_through(ask):
    assert "94.4 %" in ask("S1.boots", samples=208)[1].splitlines()[1]


def test_the_picture_grows_with_the_quality(ask):
    bars = [line.count("#") for line in ask("S1.boots")[1].splitlines() if "|" in line]
    assert len(bars) == 9
    assert bars == sorted(bars)


def test_a_gate_says_what_its_chances_add_up_to_and_what_is_not_counted(ask):
    _, said = ask("S1")
    assert "S1.answers too" in said
    assert "not counted S1.gaps, S1.control" in said
    assert "at most 12" in said


def test_as_json_it_is_the_same(ask):
    status, said = ask("S1", "--json", "--true-rate", "99.5%")
    found = json.loads(said)
    assert status == 0
    assert (found["true_rate"], found["counted"], found["left_out"]) == (
        "0.995",
        ["S1.boots"],
        ["S1.gaps", "S1.control"],
    )
    assert found["chance"] == pytest.approx(0.995 ** (59 * 3))


@pytest.mark.parametrize("rate", ["99", "99 s", "high", "-1%", "1e-2"])
def test_a_rate_that_is_no_share_is_refused_with_what_to_write(ask, rate):
    status, said = ask("S1", f"--true-rate={rate}")
    assert status == 2
    assert "write it like 99% or 0.99" in said


def test_a_gate_that_is_not_there_is_refused_with_those_that_are(ask):
    status, said = ask("S9")
    assert status == 2
    assert "there are S1" in said


def test_a_folder_without_gates_is_refused(tmp_path, capsys):
    assert main(["plan", f"--root={tmp_path}"]) == 2
    assert "spiral init" in capsys.readouterr().err


def test_the_help_teaches_with_the_figures_that_it_gives(capsys):
    with pytest.raises(SystemExit):
        main(["plan", "--help"])
    said = capsys.readouterr().out
    assert "three in a row 17 %" in said
    assert "three in a row 94 %" in said
    assert "99.5%" in said
