"""`spiral history`: a gate's attempts over time, from the ledger and the bundles."""

import json
import shutil
import subprocess
import sys

import pytest

from pytest_spiral.model.judgement import LimitVerdict
from pytest_spiral.render.history import picture_of

from .conftest import ONE_GATE

TEST = """\
import pytest
from pathlib import Path

@pytest.mark.criterion("S1.latency", "S1.failures")
def test_search(spiral):
    with spiral.measure("search", unit="ms") as m:
        for number in range(100):
            m.value(float(Path("slow").read_text()))
"""


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    """A project with a draft and three release runs: a good one, a slow one, a good one."""
    folder = tmp_path_factory.mktemp("past") / "project"
    folder.mkdir()
    (folder / "gates.toml").write_text(ONE_GATE)
    (folder / "test_search.py").write_text(TEST)
    (folder / ".gitignore").write_text("slow\n__pycache__/\n")
    who = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
    for arguments in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "it")):
        subprocess.run(["git", "-C", folder, *arguments], check=True)
    for figure, mode in (("4.5", "--spiral-evidence"), ("4.5", "--spiral-release"), ("500", "--spiral-release"), ("4.5", "--spiral-release")):  # fmt: skip
        (folder / "slow").write_text(figure)
        command = [
            sys.executable,
            "-m",
            "pytest",
            mode,
            "--spiral-ledger=reports/ledger.jsonl",
            "-p",
            "no:allure_pytest",
        ]
        subprocess.run([*command, "-p", "no:cacheprovider"], cwd=folder, check=False, capture_output=True, timeout=60)
    return folder


@pytest.fixture
def here(past, tmp_path):
    """A copy of its reports where the command runs."""
    shutil.copytree(past / "reports", tmp_path / "reports")
    return tmp_path


def told(said):
    return {one["criterion"]: one for one in json.loads(said.out)["criteria"]}


def test_attempts_stand_in_the_ledgers_order_with_figures_and_denominators(here, spiral_command):
    latency = told(spiral_command("history", "S1", "--json"))["S1.latency"]
    rows = latency["rows"]
    assert latency["attempts"] == "attempts 3 of 3: 2 passed, 1 failed; 1 draft beside"
    assert [(one["number"], one["draft"], one["word"], one["verdict"]) for one in rows] == [
        (0, True, "pass", "pass"),
        (1, False, "pass", "pass"),
        (2, False, "fail", "fail"),
        (3, False, "pass", "fail"),
    ]
    assert [one["limits"][0]["value"] for one in rows] == [4.5, 4.5, 500.0, 4.5]
    assert [one["limits"][0]["upper"] for one in rows] == [4.5, 4.5, 500.0, 4.5]
    assert [one["limits"][0]["bound"] for one in rows] == [120] * 4
    assert len({one["bar"] for one in rows}) == 1
    assert rows == sorted(rows, key=lambda one: one["seq"])


def test_the_same_as_text_with_a_picture(here, spiral_command):
    said = spiral_command("history", "S1")
    text = " ".join(said.out.split())
    assert said.status == 0
    assert "(p)PFF" in text
    assert "attempts 3 of 3: 2 passed, 1 failed; 1 draft beside" in text
    assert "pass alone, fail among attempts" in text
    assert "*....|.................. p95(search) <= 120 ms" in text
    assert ".....|.................* p95(search) <= 120 ms" in text


def test_a_document_is_told_with_what_kept_it_and_without_doubles(tmp_path, spiral_command):
    """What makes a pass a condition is no other attempt."""
    gates = ONE_GATE.partition("[[gate.criterion]]")[0]
    (tmp_path / "gates.toml").write_text(
        f'{gates}[[gate.criterion]]\nid = "S1.notes"\nmethod = "examine"\ndocument = "notes.md"\nsigner = "ada"\n'
    )
    (tmp_path / "notes.md").write_text("read me")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    command = [sys.executable, "-m", "pytest", "--spiral-evidence", "--spiral-ledger=reports/ledger.jsonl", "-q"]
    for signs in (False, True):
        if signs:
            spiral_command("examine", "--key", tmp_path / "key")
        subprocess.run([*command, "-p", "no:cacheprovider"], cwd=tmp_path, check=False, capture_output=True, timeout=60)
    text = " ".join(spiral_command("history", "S1").out.split())
    assert "not-run notes.md waits for ada to examine and sign it" in text
    assert "pass, environment-limited" in text
    assert text.count("examined(notes.md)") == 1
    assert "among attempts" not in text


def test_a_bundle_that_is_gone_or_changed_gives_no_figures(here, spiral_command):
    rows = told(spiral_command("history", "S1", "--json"))["S1.latency"]["rows"]
    shutil.rmtree(here / "reports" / "run" / rows[1]["run"])
    sample = next((here / "reports" / "run" / rows[2]["run"] / "samples").rglob("*.jsonl"))
    sample.write_bytes(sample.read_bytes().replace(b"500.0", b"100.0"))
    rows = told(spiral_command("history", "S1", "--json"))["S1.latency"]["rows"]
    assert [one["missing"] for one in rows] == [
        "", "its bundle is not under reports", "its bundle is not to be trusted (digest-mismatch)", "",
    ]  # fmt: skip
    assert [len(one["limits"]) for one in rows] == [1, 0, 0, 1]
    assert [one["word"] for one in rows] == ["pass", "pass", "fail", "pass"], "the ledger still has these"


def test_a_gate_that_nobody_registered_is_wrong_use(here, spiral_command):
    said = spiral_command("history", "X9")
    assert (said.status, said.err) == (2, "spiral: no run has registered the gate 'X9'; known: S1.\n")


def test_without_a_ledger_there_is_no_history(spiral_command):
    assert spiral_command("history", "S1").status == 2


@pytest.mark.parametrize(
    ("limit", "value", "lower", "upper", "picture"),
    [
        ("p95(x) <= 10 ms", 0, None, 5, "*...........]..........|"),
        ("rate(x) >= 10 %", 10, 5, None, "............[..........*"),
        ("p95(x) <= 10 ms", None, None, None, ""),
        ("max(x) <= 10 ms", 3, None, None, ".......*...............|"),
    ],
)
def test_a_picture_shows_figure_bound_and_limit(limit, value, lower, upper, picture):
    one = LimitVerdict(
        limit=limit, statistic="max", verdict="pass", value=value, lower=lower, upper=upper, bound=10, unit="ms"
    )
    assert picture_of(one, (0.0, 10.0)) == picture
    assert picture_of(one, None) == ""


def test_figures_that_are_all_alike_stand_in_the_middle():
    one = LimitVerdict(limit="max(x) <= 10", statistic="max", verdict="pass", value=10, bound=10)
    assert picture_of(one, (10.0, 10.0)).index("*") == 12
