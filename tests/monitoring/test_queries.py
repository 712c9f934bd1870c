"""What boards and rules ask for can be parsed, is emitted, and does not depend on an environment's name."""

import re

import pytest

MISSPELT = {
    "sum(rate(operator_api_transport_latency_ms_cuont[5m]))": "operator_api_transport_latency_ms_cuont",
    "razar_boot_succes_rate > 1": "razar_boot_succes_rate",
    "up unless on (job) neoabzu_vector_store_sizes": "neoabzu_vector_store_sizes",
    "max_over_time(rate(operator_mcp_heartbeat_total[1m])[5m:1m])": "operator_mcp_heartbeat_total",
    '{__name__="operator_api_transport_latency"}': "",
}
TIED = {
    'up{environment="sandbox"} == 0': "chooses",
    'rate(up{environment=~"s.*"}[5m])': "chooses",
    "sum(up)": "adds",
    "sum by (job) (up)": "adds",
    "sum without (environment, job) (up)": "adds",
    "up * on (job) up": "matches",
    "up / ignoring (environment) up": "matches",
    "absent(up)": "loses",
}
FREE = (
    "up == 0",
    "sum by (environment, job) (up)",
    "sum without (job) (up)",
    "up - ignoring (transport) up",
    "up * on (environment) up",
    "up unless on (job) up",
)


def asked(queries):
    return [*queries.rule_queries(), *queries.board_queries()]


def unknown(queries, text, series):
    """The series of an expression that nobody emits or records."""
    recorded = {one.records for one in queries.rule_queries() if one.records}
    return queries.names(text) - series.keys() - recorded - queries.MADE_BY_PROMETHEUS


def test_every_expression_parses(queries, tally):
    found = asked(queries)
    assert len([one for one in found if one.where.startswith("transport.json")]) >= 20
    assert len([one for one in found if one.where.startswith("boot.json")]) >= 10
    for one in found:
        assert queries.parts(one.text), one.where
    tally(0, len(found), "expressions of boards and rules without a parse")


@pytest.mark.parametrize("text", ["sum by (job (up)", "rate(up)", "up{job=}", "histogram_quantile(up)", ""])
def test_an_expression_that_does_not_parse_is_found(queries, text):
    with pytest.raises(ValueError, match=r"\w"):
        queries.parts(text)


def test_every_metric_that_is_asked_for_is_in_the_archive(queries, series):
    assert {one.where: unknown(queries, one.text, series) for one in asked(queries)} == {
        one.where: set() for one in asked(queries)
    }


@pytest.mark.parametrize("text", MISSPELT)
def test_a_misspelt_metric_is_found(queries, series, text):
    assert unknown(queries, text, series) == {MISSPELT[text]}


def test_every_label_that_is_asked_for_is_in_the_archive(queries, series):
    known = set().union(*series.values()) | queries.LABELS_OF_SCRAPING
    assert {one.where: queries.labels(one.text) - known for one in asked(queries)} == {
        one.where: set() for one in asked(queries)
    }


@pytest.mark.parametrize(
    "text", ['up{transprot="rest"}', "sum by (operatoin) (up)", "up * on (tranport) up", 'rate(up{tarnsport="x"}[5m])']
)
def test_a_misspelt_label_is_found(queries, series, text):
    assert queries.labels(text) - set().union(*series.values()) - queries.LABELS_OF_SCRAPING


def test_no_rule_is_tied_to_an_environment(queries):
    found = list(queries.rule_queries())
    assert {one.where: queries.environment_flaws(one.text) for one in found} == {one.where: [] for one in found}


@pytest.mark.parametrize("text", TIED)
def test_a_rule_that_is_tied_to_an_environment_is_found(queries, text):
    (flaw,) = queries.environment_flaws(text)
    assert flaw.startswith(TIED[text])


@pytest.mark.parametrize("text", FREE)
def test_a_rule_that_is_free_is_let_through(queries, text):
    assert queries.environment_flaws(text) == []


def test_every_choice_of_a_board_is_by_the_environment_that_is_chosen(queries):
    for one in queries.board_queries():
        for selector in queries.selectors(one.text):
            assert [str(each) for each in selector.matchers.matchers if each.name == "environment"], one.where


def test_no_rule_file_names_an_environment(queries):
    for path in (queries.HERE / "rules").glob("*.yml"):
        text = re.sub(r"^\s*#.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert not re.search(r"sandbox|staging|production|live", text)
