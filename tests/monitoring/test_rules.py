"""The rules, tried by promtool: as they are shipped, and under other names of the environment."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

RULES = Path(__file__).parents[2] / "monitoring" / "rules"
LINTS = RULES.parent / "lints.txt"
RENAMED = {"as-shipped": "sandbox", "renamed": "production-eu.2", "without": ""}


def relabelled(folder, environment):
    """Copies of the rules and their tests, in which the tests' environment has another name, or no such label is there."""
    (folder / "tests").mkdir()
    for path in RULES.glob("*.yml"):
        shutil.copy(path, folder)
    for path in (RULES / "tests").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        if environment:
            text = text.replace('environment="sandbox"', f'environment="{environment}"')
            text = text.replace("environment: sandbox", f"environment: {environment}")
        else:
            text = re.sub(
                r', environment="sandbox"|environment="sandbox", |^ *environment: sandbox\n',
                "",
                text,
                flags=re.MULTILINE,
            )
        (folder / "tests" / path.name).write_text(text, encoding="utf-8")
    return sorted((folder / "tests").glob("*.yml"))


def alerts(path):
    """The alerts of a rule file."""
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}


def expected():
    """What the shipped unit tests say of each alert: fires, or stays silent."""
    told = {}
    for path in (RULES / "tests").glob("*.yml"):
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for one in test["alert_rule_test"]:
                told.setdefault(one["alertname"], set()).add("fires" if one["exp_alerts"] else "silent")
    return told


def test_each_alert_is_shown_to_fire_and_to_stay_silent():
    shipped = set().union(*(alerts(path) for path in RULES.glob("*.yml")))
    assert {"SpiralHeartbeatMissing", "SpiralLatencyMissing", "SpiralParityBroken"} < shipped
    assert expected() == {name: {"fires", "silent"} for name in shipped}


def test_each_alert_says_what_how_grave_and_what_it_means():
    for path in RULES.glob("*.yml"):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    assert rule["labels"]["severity"] in {"page", "ticket"}
                    assert set(rule["annotations"]) == {"summary", "description"}


def test_promtool_takes_the_rules_and_the_example(promtool):
    assert promtool("check", "rules", *RULES.glob("*.yml"))[0] == 0
    assert promtool("check", "config", "--syntax-only", RULES.parent / "prometheus.yml")[0] == 0


def test_promtool_refuses_a_broken_rule(promtool, tmp_path):
    text = (RULES / "transport.yml").read_text(encoding="utf-8")
    (tmp_path / "broken.yml").write_text(text.replace("[2m]", "[2", 1), encoding="utf-8")
    status, said = promtool("check", "rules", tmp_path / "broken.yml")
    assert status != 0, said


@pytest.mark.parametrize("name", RENAMED)
def test_the_rules_do_the_same_whatever_the_environment_is_called(promtool, tmp_path, tally, name):
    status, said = promtool("test", "rules", *relabelled(tmp_path, RENAMED[name]))
    assert status == 0, said
    tally(0, len(alerts(RULES / "transport.yml")), "alerts that a changed environment label silences or sets off")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('up{job="spiral-connectors"}', 'up{job="spiral-connectors", environment="sandbox"}'),
        ("sum without (instance, transport) (increase", "sum by (connector) (increase"),
    ],
)
def test_a_rule_that_is_tied_to_an_environment_fails_under_another_name(promtool, tmp_path, old, new):
    """The control: such a rule passes as long as nobody renames anything."""
    tests = relabelled(tmp_path, RENAMED["renamed"])
    rules = tmp_path / "transport.yml"
    text = rules.read_text(encoding="utf-8")
    assert old in text
    rules.write_text(text.replace(old, new, 1), encoding="utf-8")
    heartbeat = next(path for path in tests if path.name == "heartbeat.yml")
    status, said = promtool("test", "rules", heartbeat)
    assert status != 0
    assert "SpiralHeartbeat" in said


@pytest.mark.parametrize("path", sorted((RULES / "tests").glob("*.yml")), ids=lambda path: path.stem)
def test_a_threshold_that_nothing_reaches_is_found(promtool, tmp_path, path):
    """The control: with every alert made impossible, each file of unit tests fails."""
    tests = relabelled(tmp_path, "sandbox")
    rules = tmp_path / "transport.yml"
    groups = yaml.safe_load(rules.read_text(encoding="utf-8"))
    for group in groups["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                rule["expr"] = f"({rule['expr']}) and on () vector(1) > 1"
    rules.write_text(yaml.safe_dump(groups), encoding="utf-8")
    assert promtool("test", "rules", next(one for one in tests if one.name == path.name))[0] != 0


def listed():
    """The lints that are known."""
    lines = LINTS.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def test_promtool_finds_no_more_in_the_archive_than_is_known(promtool, bundle):
    """`check metrics` ends with 3 for lints; those of the contract's own names are listed."""
    found = set()
    for path in sorted(bundle.glob("metrics/*.prom")):
        status, said = promtool("check", "metrics", input=path.read_bytes())
        assert status in (0, 3), said
        found |= set(said.splitlines())
    assert found <= listed()


def test_promtool_finds_a_lint_that_is_not_listed(promtool):
    status, said = promtool("check", "metrics", input=b"# TYPE calls counter\ncalls 1\n")
    assert status == 3
    assert not set(said.splitlines()) <= listed()


def test_promtool_refuses_what_is_no_exposition(promtool):
    assert promtool("check", "metrics", input=b"calls_total{ 1\n")[0] not in (0, 3)
