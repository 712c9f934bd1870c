"""Results for Allure: complete, stable, and never `passed` without a pass."""

import json
import re
import shutil
import subprocess
import uuid
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.render.allure import (
    ALLURERC,
    CATEGORIES,
    STATUSES,
    Page,
    add_outcome_label,
    allurerc,
    categories,
    claim_labels,
    criterion_result,
    environment_properties,
    limits_text,
)

START, STOP = 1_795_339_800_000, 1_795_339_849_811
DOCUMENT = Path(__file__).parents[2] / "docs" / "allure.md"


def page_of(run, **changes):
    return Page(run.judgement, run.plan, run.cards, run.start, **changes)


def made(run, name, page=None, **changes):
    return criterion_result(run.verdict(name), page or page_of(run), start_ms=START, stop_ms=STOP, **changes)


def result_of(run, name, page=None, **changes):
    return json.loads(made(run, name, page, **changes).content)


def labels_of(result):
    labels = {}
    for one in result["labels"]:
        labels.setdefault(one["name"], []).append(one["value"])
    return labels


def test_a_result_has_every_field_that_allure_reads(stage_b):
    result = result_of(stage_b, "B1.retrieval-latency", transport="rest")
    assert uuid.UUID(result["uuid"]).version == 5
    assert {"historyId", "testCaseId", "descriptionHtml", "stage", "steps", "titlePath"} <= set(result)
    assert (result["start"], result["stop"]) == (START, STOP)
    assert result["status"] == "passed"
    assert result["fullName"] == "B1.retrieval-latency"
    assert result["name"] == "B1.retrieval-latency: 95 % of retrievals on 10,000 items answer within 120 ms."
    assert set(result["statusDetails"]) == {"message", "trace", "known", "muted", "flaky"}
    assert {one["name"]: one["value"] for one in result["parameters"]} == {
        "target": "sandbox",
        "profile": "sandbox",
        "transport": "rest",
        "fidelity": "sandbox",
    }


def test_a_result_stands_under_stage_gate_and_criterion(stage_b):
    page = page_of(stage_b, titles={"stage_b": "Stage B — subsystem hardening"})
    labels = labels_of(result_of(stage_b, "B1.retrieval-latency", page))
    assert labels == {
        "epic": ["Stage B — subsystem hardening"],
        "feature": ["B1 Memory fabric load proof"],
        "story": ["B1.retrieval-latency"],
        "gate": ["B1"],
        "owner": ["@memory-squad"],
        "severity": ["blocker"],
        "parentSuite": ["Stage B — subsystem hardening"],
        "suite": ["B1 Memory fabric load proof"],
        "layer": ["acceptance"],
        "framework": ["pytest-spiral"],
        "outcome": ["pass"],
    }
    assert labels_of(result_of(stage_b, "B1.scale"))["severity"] == ["minor"]
    assert labels_of(result_of(stage_b, "B1.scale"))["epic"] == ["Stage B"]


@pytest.mark.parametrize("verdict", Verdict)
def test_nothing_but_a_pass_is_passed(stage_b, verdict):
    run = stage_b.but("B1.recall", verdict=verdict)
    assert (result_of(run, "B1.recall")["status"] == "passed") == (verdict is Verdict.PASS)
    assert labels_of(result_of(run, "B1.recall"))["outcome"] == [verdict.value]


@pytest.mark.parametrize("verdict", list(Verdict))
def test_what_is_advisory_and_left_open_is_not_red(stage_b, verdict):
    for level in ("blocker", "advisory"):
        run = stage_b.but("B1.recall", verdict=verdict, level=level)
        open_and_harmless = level == "advisory" and verdict in (Verdict.NOT_RUN, Verdict.INCONCLUSIVE)
        assert result_of(run, "B1.recall")["status"] == ("skipped" if open_and_harmless else STATUSES[verdict])


def test_every_verdict_has_a_status_that_allure_knows():
    assert set(STATUSES) == set(Verdict)
    assert set(STATUSES.values()) <= {"passed", "failed", "broken", "skipped"}


def test_the_message_says_what_stands_in_the_way_with_its_figures(broken_b1):
    message = result_of(broken_b1, "B1.recall")["statusDetails"]["message"]
    assert message == (
        "inconclusive: the figure clears the limit and its bound does not [point-only]; "
        "mean 95.8 %, bound 94.99996 % < 95 %, n=200 of 1000, margin -0.00004 %"
    )
    limited = result_of(broken_b1, "B2.dropouts")["statusDetails"]["message"]
    assert limited.startswith("environment-limited: pass on sandbox, needs live; worst of 2 runs: ")


def category_of(result):
    """The category that Allure 2 puts a result into: the first whose expression matches the whole message."""
    for one in categories():
        if result["status"] in one["matchedStatuses"] and re.fullmatch(
            one["messageRegex"], result["statusDetails"]["message"], re.DOTALL
        ):
            return one["name"]
    return ""


def test_every_criterion_falls_into_the_category_of_its_verdict(broken_b1):
    found = {one.id: category_of(result_of(broken_b1, one.id)) for one in broken_b1.judgement.criteria}
    assert found["B1.query-failures"] == "Limit not met"
    assert found["B1.ingestion-audit"] == "Invalid evidence"
    assert found["B1.recall"] == "Inconclusive"
    assert found["B1.scale"] == "Not run"
    assert found["B1.native-bundle"] == found["B2.dropouts"] == "Environment-limited"
    assert found["B2.hardware-audio"] == "Hardware required"
    assert {name for name, category in found.items() if not category} == {
        one.id for one in broken_b1.judgement.criteria if one.verdict is Verdict.PASS
    }


def test_allure_3_is_told_the_same_categories_by_labels(broken_b1):
    rules = re.findall(r'name: "([^"]*)", matchers: \{ labels: \{ ([^}]*) \}', ALLURERC)
    assert [name for name, _ in rules] == [name for name, _, _ in CATEGORIES]
    for one in broken_b1.judgement.criteria:
        labels = labels_of(result_of(broken_b1, one.id))
        matched = [name for name, matchers in rules if matches(matchers, labels)]
        assert (matched or [""])[0] == category_of(result_of(broken_b1, one.id))


def matches(matchers, labels):
    expected = re.findall(r"(\w+): /\^([^$]*)\$/", matchers)
    return all(value in labels.get(name, []) for name, value in expected)


def test_the_same_run_gives_the_same_bytes_and_another_run_another_uuid(stage_b):
    first, again = made(stage_b, "B1.recall"), made(stage_b, "B1.recall")
    assert first == again
    other = made(stage_b.started(nonce="1f" * 16), "B1.recall")
    assert other.name != first.name


def test_history_never_mixes_criteria_targets_machines_or_transports(stage_b):
    profile = msgspec.structs.replace(stage_b.start.profile, name="gate-runner-02")
    runs = [
        (stage_b, "B1.recall"),
        (stage_b, "B1.sharding"),
        (stage_b.judged(target="rack-1"), "B1.recall"),
        (stage_b.started(profile=profile), "B1.recall"),
    ]
    identities = {result_of(run, name)["historyId"] for run, name in runs}
    identities.add(result_of(stage_b, "B1.recall", transport="rest")["historyId"])
    assert len(identities) == len(runs) + 1
    later = stage_b.started(nonce="1f" * 16)
    assert result_of(later, "B1.recall")["historyId"] == result_of(stage_b, "B1.recall")["historyId"]
    assert len({result_of(run, "B1.recall")["testCaseId"] for run, _ in runs}) == 1


def test_attachments_are_the_pictures_and_the_figures_and_all_are_there(stage_b):
    made_of = made(stage_b, "B1.retrieval-latency")
    listed = json.loads(made_of.content)["attachments"]
    assert [one["source"] for one in listed] == [name for name, _ in made_of.attachments]
    assert [one["type"] for one in listed] == ["image/svg+xml", "application/json"]
    assert all(re.fullmatch(r"[0-9a-f-]{36}-attachment\.(svg|json)", one["source"]) for one in listed)
    picture, figures = (data for _, data in made_of.attachments)
    ET.fromstring(picture)  # noqa: S314 - made here
    (limit,) = json.loads(figures)
    assert (limit["value"], limit["upper"], limit["bound"], limit["unit"]) == (4.8, 5.1, 120, "ms")
    assert made(stage_b, "B1.native-bundle").attachments == ()


def test_the_description_shows_the_figures_and_the_picture_at_once(stage_b):
    text = result_of(stage_b, "B1.retrieval-latency")["descriptionHtml"]
    for cell in ("p95(retrieval) &lt;= 120 ms", "4.8 ms", "5.1 ms", "1000", "114.9 ms"):
        assert f"<td>{cell}&#160;" in text
    assert 'src="data:image/svg+xml;base64,' in text
    assert "at 95 % confidence; 50 warm-up samples left out" in text


def test_the_description_of_a_debt_says_what_to_run_where(stage_b):
    text = result_of(stage_b, "B2.hardware-audio")["descriptionHtml"]
    assert "Owed by @audio-lab, due C1: audio.playback." in text
    assert "<pre>pytest -m stage_b --spiral-evidence --spiral-gates B2</pre>" in text
    assert "<pre>probe: aplay -l: no soundcards found</pre>" in text


def test_a_control_says_that_its_figures_are_those_under_the_fault(stage_b):
    result = result_of(stage_b, "B1.control")
    assert "under the fault memory.fail-1-in-100, B1.query-failures must come out as fail" in result["descriptionHtml"]
    assert result["attachments"][0]["name"] == "under memory.fail-1-in-100: failures(retrieval) <= 0"
    assert result["status"] == "passed"


def test_the_link_leads_to_the_text_of_the_criterion(stage_b):
    (link,) = result_of(stage_b, "B1.retrieval-latency")["links"]
    assert link == {
        "type": "link",
        "name": "suites/stage_b/gates.toml:10",
        "url": "suites/stage_b/gates.toml#L10",
    }
    page = page_of(stage_b, source="https://host.example/blob/3f9c1a/")
    (link,) = result_of(stage_b, "B1.retrieval-latency", page)["links"]
    assert link["url"] == "https://host.example/blob/3f9c1a/suites/stage_b/gates.toml#L10"


def test_a_waived_fail_is_known_and_stays_failed(broken_b1):
    run = broken_b1.but("B1.query-failures", qualifiers=("waived",))
    result = result_of(run, "B1.query-failures")
    assert (result["status"], result["statusDetails"]["known"]) == ("failed", True)
    assert labels_of(result)["tag"] == ["waived"]


def test_the_limits_are_a_table_of_text(broken_b1):
    assert limits_text(broken_b1.verdict("B1.query-failures").limits) == (
        "limit                     verdict  value               n     margin  beside it\n"
        "failures(retrieval) <= 0  fail     10 of 1,000 failed  1000  -10     test_control\n"
    )
    assert limits_text(()) == ""


def test_a_claiming_test_gets_its_place_and_the_verdict(broken_b1):
    own = {
        "uuid": "1",
        "status": "passed",
        "labels": [{"name": "epic", "value": "mine"}, {"name": "tag", "value": "slow"}],
        "parameters": [{"name": "n", "value": "3"}, {"name": "target", "value": "'x'"}],
    }
    before = json.dumps(own)
    verdicts = [broken_b1.verdict("B1.retrieval-latency"), broken_b1.verdict("B1.query-failures")]
    labelled = add_outcome_label(own, claim_labels(verdicts, page_of(broken_b1)))
    assert json.dumps(own) == before
    labels = labels_of(labelled)
    assert labels["epic"] == ["Stage B"]
    assert labels["story"] == ["B1.query-failures", "B1.retrieval-latency"]
    assert labels["outcome"] == ["fail"]
    assert labels["tag"] == ["slow"]
    assert "layer" not in labels
    assert [one["value"] for one in labelled["parameters"] if one["name"] == "target"] == ["sandbox"]
    assert labelled["status"] == "passed"


def test_a_test_that_claims_nothing_is_left_as_it_is(stage_b):
    own = {"labels": [{"name": "tag", "value": "x"}], "parameters": []}
    assert add_outcome_label(own, claim_labels([], page_of(stage_b))) == own


def test_hostile_text_stays_text_everywhere(stage_b, hostile):
    target = msgspec.structs.replace(stage_b.start.target, name=hostile, faults=(hostile,))
    run = stage_b.but("B1.native-bundle", sentence=hostile, tests=(hostile,)).judged(target=hostile)
    run = run.started(target=target)
    content = made(run, "B1.native-bundle").content
    result = json.loads(content)
    assert content.isascii()
    ET.fromstring(f"<div>{result['descriptionHtml']}</div>".replace("&#160;", " "))  # noqa: S314 - made here
    assert "<script" not in result["descriptionHtml"]
    assert not {"\x1b", "\u202e", "\n"} & set(json.dumps(result["statusDetails"]["message"], ensure_ascii=False))
    plain, forged = (environment_properties(one.start, one.judgement).splitlines() for one in (stage_b, run))
    assert [line.split("=")[0] for line in forged] == [line.split("=")[0] for line in plain]
    assert json.loads(re.search(r"const NAME = (.*);", allurerc(run.judgement))[1]).startswith("CONDITIONAL GO: ")


def test_the_environment_says_decision_target_bar_and_standing(stage_b):
    lines = environment_properties(stage_b.start, stage_b.judgement).splitlines()
    assert "Decision=CONDITIONAL GO" in lines
    assert "Decision\\ stage\\ B=CONDITIONAL GO" in lines
    assert "Target=sandbox, fidelity sandbox, seed 7, no faults" in lines
    assert f"Bar=sha256\\:{'ab' * 32} under spiral-rules/1" in lines
    assert "Commit=3f9c1ad2 with changes" in lines
    assert {"Signed=none", "Log=none", "Version\\ pytest=9.2.0"} <= set(lines)


def test_the_page_is_named_by_the_decision(broken_b1):
    text = allurerc(broken_b1.judgement)
    assert 'const NAME = "NO-GO: stage B on sandbox";' in text
    assert text != ALLURERC


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize("broken", [False, True])
def test_the_configuration_is_a_module_that_node_reads(tmp_path, broken_b1, broken):
    text = allurerc(broken_b1.judgement)
    module = tmp_path / "allurerc.mjs"
    module.write_text(text.replace("export default {", "export default {{") if broken else text)
    ended = subprocess.run(["node", "--check", str(module)], check=False, capture_output=True)
    assert (ended.returncode == 0) is not broken


def test_the_analytics_script_is_what_the_configuration_takes_out():
    expression = re.search(r"const ANALYTICS = /(.*)/g;", ALLURERC)[1].replace(r"\/", "/")
    page = (
        '<body><script async src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>\n    <script>\n'
        "window.dataLayer = [];\n</script>\n<script>keep()</script></body>"
    )
    assert re.sub(expression, "", page) == "<body>\n<script>keep()</script></body>"


def test_the_document_names_every_category_status_and_command():
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, statuses, _ in CATEGORIES:
        assert f"| {statuses[0]} | {name} |" in text
    assert (
        "npx --yes allure@3 generate --config BUNDLE/allurerc.mjs --output allure-report BUNDLE/allure-results" in text
    )
