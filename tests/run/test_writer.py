"""Attaching: what looks like a secret becomes a stub beside its record, in logs and traces as in attachments."""

import json

import pytest

from pytest_spiral.errors import EvidenceError
from pytest_spiral.evidence.store import create_bundle
from pytest_spiral.model.record import End
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.redact import Redactor
from pytest_spiral.run.writer import ALLURE, Writer

TOKEN = "xoxb-" + "123456789012-abcdef"


@pytest.fixture
def writer(tmp_path):
    folder = create_bundle(tmp_path, "20261122T093000Z-run-3f9c1a")
    return Writer(folder, "main", digest(b"{}\n"), "3f" * 16, Redactor(["declared-secret"]))


def attached(writer):
    """The journal's attached records."""
    writer.close(End())
    lines = (writer.folder / "journal" / "main.jsonl").read_text().splitlines()
    return [one["body"] for one in map(json.loads, lines) if one["kind"] == "attached"]


def test_a_log_with_a_token_is_a_stub(writer, tmp_path):
    log = tmp_path / "store.log"
    log.write_text(f"starting\ntoken {TOKEN}\n")
    writer.keep_log("store.log", log)
    (record,) = attached(writer)
    assert (record["path"], record["quarantined"]) == ("logs/store.log.quarantined", ["Slack token"])
    kept = (writer.folder / record["path"]).read_bytes()
    assert (digest(kept), len(kept)) == (record["sha256"], record["bytes"])
    assert TOKEN.encode() not in kept


def test_a_log_without_one_is_kept(writer, tmp_path):
    log = tmp_path / "store.log"
    log.write_text("starting\n")
    writer.keep_log("store.log", log)
    assert [(one["path"], one["quarantined"]) for one in attached(writer)] == [("logs/store.log", [])]


def test_a_declared_secret_is_refused_and_not_quarantined(writer):
    with pytest.raises(EvidenceError, match="a declared secret"):
        writer.attach("attachments/x", b"a declared-secret here", name="x", media_type="text/plain")
    assert attached(writer) == []


def test_a_declared_secret_in_a_file_is_refused_too(writer, tmp_path):
    (tmp_path / "big").write_bytes(b"x" * 5_000_000 + b"a declared-secret here")
    with pytest.raises(EvidenceError, match="a declared secret"):
        writer.attach("attachments/x", tmp_path / "big", name="x", media_type="text/plain")
    assert attached(writer) == []


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_a_file_is_copied_whole(writer, tmp_path, size):
    data = bytes(range(256)) * (size // 256) + b"z" * (size % 256)
    (tmp_path / "f").write_bytes(data)
    writer.attach("attachments/f", tmp_path / "f", name="f", media_type="text/plain")
    (record,) = attached(writer)
    assert (record["bytes"], record["sha256"], record["cut"]) == (size, digest(data), 0)
    assert (writer.folder / "attachments/f").read_bytes() == data


def test_of_a_file_beyond_the_limit_the_rest_is_left_out_and_counted(writer, tmp_path, monkeypatch):
    monkeypatch.setattr("pytest_spiral.run.writer.ATTACHMENT_LIMIT", 1000)
    (tmp_path / "f").write_bytes(b"a" * 1500)
    writer.attach("attachments/f", tmp_path / "f", name="f", media_type="text/plain")
    (record,) = attached(writer)
    assert (record["bytes"], record["cut"], record["sha256"]) == (1000, 500, digest(b"a" * 1000))


def test_a_file_with_a_token_is_a_stub(writer, tmp_path):
    (tmp_path / "f").write_text(f"token {TOKEN}\n")
    writer.attach("attachments/f", tmp_path / "f", name="f", media_type="text/plain")
    (record,) = attached(writer)
    assert (record["path"], record["quarantined"]) == ("attachments/f.quarantined", ["Slack token"])
    assert TOKEN.encode() not in (writer.folder / record["path"]).read_bytes()


def test_allures_results_are_struck_where_they_stand(writer):
    results = writer.folder / ALLURE
    results.mkdir()
    (results / "a-result.json").write_text(json.dumps({"name": "a", "trace": f"token {TOKEN}"}))
    (results / "b-result.json").write_text(json.dumps({"name": "b"}))
    writer.quarantine()
    assert json.loads((results / "a-result.json").read_bytes())["trace"] == "token [quarantined: Slack token]"
    (record,) = attached(writer)
    told = json.loads((writer.folder / record["path"]).read_bytes())
    assert told["struck"] == [{"path": "allure-results/a-result.json", "looked_like": ["Slack token"]}]


def test_nothing_is_told_where_nothing_was_struck(writer):
    writer.quarantine()
    assert attached(writer) == []
