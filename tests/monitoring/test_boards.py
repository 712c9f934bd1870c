"""The boards are what the code makes, whole, and what the manual says of them."""

import json
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MANUAL = ROOT / "docs" / "monitoring.md"


@pytest.fixture(scope="module")
def documents(boards):
    return {name: json.loads(text) for name, text in boards.boards().items()}


def panels(document):
    return [one for one in document["panels"] if one["type"] != "row"]


def test_making_the_boards_again_leaves_the_tree_as_it_is(boards):
    committed = {path.name: path.read_text(encoding="utf-8") for path in boards.FOLDER.glob("*.json")}
    assert boards.boards() == committed


def test_a_board_that_was_changed_by_hand_is_found(boards, tmp_path, monkeypatch, capsys):
    for name, text in boards.boards().items():
        (tmp_path / name).write_text(text.replace("Calls per second", "Calls"), encoding="utf-8")
    monkeypatch.setattr(boards, "FOLDER", tmp_path)
    assert boards.main(["--check"]) == 1
    assert capsys.readouterr().out == "not what boards.py makes: transport.json\n"
    assert boards.main([]) == 0
    assert boards.main(["--check"]) == 0


def test_ids_source_and_title_are_set_everywhere(documents):
    assert len({one["uid"] for one in documents.values()}) == len(documents)
    for document in documents.values():
        numbers = [one["id"] for one in document["panels"]]
        assert len(set(numbers)) == len(numbers)
    for document in documents.values():
        for panel in panels(document):
            assert panel["title"], document["title"]
            assert panel["description"], panel["title"]
            for asked in (panel, *panel["targets"]):
                assert asked["datasource"] == {"type": "prometheus", "uid": "${source}"}, panel["title"]
            letters = [one["refId"] for one in panel["targets"]]
            assert len(set(letters)) == len(letters) > 0
        titles = [one["title"] for one in panels(document)]
        assert len(set(titles)) == len(titles)


def test_no_panel_lies_on_another_or_beside_the_grid(documents):
    for document in documents.values():
        for one, other in combinations((each["gridPos"] for each in panels(document)), 2):
            apart = any(
                one[at] + one[size] <= other[at] or other[at] + other[size] <= one[at] for at, size in ("xw", "yh")
            )
            assert apart, (document["title"], one, other)
        assert all(each["gridPos"]["x"] + each["gridPos"]["w"] <= 24 for each in panels(document))


def test_source_and_environment_are_chosen_by_who_looks(documents):
    for document in documents.values():
        variables = {one["name"]: one for one in document["templating"]["list"]}
        assert (variables["source"]["type"], variables["source"]["query"]) == ("datasource", "prometheus")
        assert variables["environment"]["allValue"] == ".*"
        assert variables["environment"]["multi"]


def nulls(value, name=""):
    """The keys whose value is null, wherever they are."""
    if isinstance(value, dict):
        return {found for key, one in value.items() for found in nulls(one, key)}
    if isinstance(value, list):
        return {found for one in value for found in nulls(one, name)}
    return {name} if value is None else set()


def test_nothing_is_null_but_where_thresholds_begin(documents):
    """The first step of thresholds is null in Grafana's own files too: minus infinity is no number of JSON."""
    assert {title: nulls(document) for title, document in documents.items()} == {
        title: {"value"} for title in documents
    }


def test_the_baseline_is_dashed_on_each_panel_that_has_one(documents):
    """Grafana takes a pattern without slashes for the whole name, so that it would match no series."""
    dashed = 0
    for panel in panels(documents["transport.json"]):
        for override in panel["fieldConfig"]["overrides"]:
            pattern = override["matcher"]["options"]
            assert (pattern[0], pattern[-1]) == ("/", "/")
            legends = [one["legendFormat"].replace("{{transport}}", "rest") for one in panel["targets"]]
            assert [legend for legend in legends if re.search(pattern[1:-1], legend)], panel["title"]
            assert override["properties"][0]["value"]["fill"] == "dash"
            dashed += 1
    assert dashed == 4


def test_each_transport_panel_shows_both(documents):
    """What compares the transports asks for REST and for gRPC, and for the same of each."""
    found = 0
    for panel in panels(documents["transport.json"]):
        asked = [one["expr"] for one in panel["targets"]]
        rest = [one.replace('transport="rest"', "") for one in asked if 'transport="rest"' in one]
        grpc = [one.replace('transport="grpc"', "") for one in asked if 'transport="grpc"' in one]
        if len(asked) == 2 and rest:
            assert rest == grpc
            found += 1
    assert found == 3


def test_the_manual_has_the_outline_of_each_board(boards):
    lines = [line for text in boards.boards().values() for line in boards.outline(json.loads(text))]
    told = [line for line in lines if not line.startswith("      ")]
    assert "\n".join(told) in MANUAL.read_text(encoding="utf-8")


def test_the_outline_is_printed():
    done = subprocess.run(
        [sys.executable, ROOT / "monitoring" / "boards.py", "--outline"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Spiral: transports (spiral-transport)\n")
    assert "      A: razar_boot_success_rate" in done.stdout
