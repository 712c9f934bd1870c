"""Attaching: what looks like a secret becomes a stub beside its record, in logs and traces as in attachments."""

import json
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.skipif(not Path("/proc/self/cmdline").is_file(), reason="this system has no /proc")
def test_a_declared_secret_in_a_file_that_says_it_is_empty_is_refused_too(writer):
    """Linux says so of what it makes up as it is read."""
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", "a declared-secret here"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        path = Path(f"/proc/{other.pid}/cmdline")
        assert (path.stat().st_size, b"declared-secret" in path.read_bytes()) == (0, True)
        with pytest.raises(EvidenceError, match="a declared secret"):
            writer.attach("attachments/x", path, name="x", media_type="text/plain")
        other.stdin.close()


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


SPAN = '{"resourceSpans":[{"name":"%s"}]}\n'


def test_what_a_component_emits_lies_where_its_kind_lies(writer, tmp_path):
    (tmp_path / "own.prom").write_text("calls_total 1.0\n")
    (tmp_path / "own.jsonl").write_text(SPAN % "call")
    for prefix in ("", "second-1-"):
        writer.keep_telemetry("store", "metrics", tmp_path / "own.prom", prefix)
        writer.keep_telemetry("store", "spans", tmp_path / "own.jsonl", prefix)
    records = attached(writer)
    assert [(one["path"], one["name"], one["media_type"]) for one in records] == [
        ("metrics/store.prom", "own.prom", "text/plain"),
        ("traces/store/spans.jsonl", "own.jsonl", "application/x-ndjson"),
        ("metrics/second-1-store.prom", "own.prom", "text/plain"),
        ("traces/store/second-1-spans.jsonl", "own.jsonl", "application/x-ndjson"),
    ]
    for one in records:
        kept = (writer.folder / one["path"]).read_bytes()
        assert (kept, digest(kept)) == ((tmp_path / one["name"]).read_bytes(), one["sha256"])


def test_a_worker_keeps_telemetry_under_its_own_name(tmp_path):
    folder = create_bundle(tmp_path, "20261122T093000Z-run-3f9c1a")
    worker = Writer(folder, "gw1", digest(b"{}\n"), "3f" * 16, Redactor([]))
    (tmp_path / "own.prom").write_text("calls_total 1.0\n")
    worker.keep_telemetry("store", "metrics", tmp_path / "own.prom", "second-2-")
    worker.close(End())
    assert (folder / "metrics" / "gw1-second-2-store.prom").is_file()


@pytest.mark.parametrize(
    ("content", "limit", "kept"),
    [
        (SPAN % "a" + SPAN % "b", 100, SPAN % "a" + SPAN % "b"),
        (SPAN % "a" + SPAN % "b", 2 * len(SPAN % "a"), SPAN % "a" + SPAN % "b"),
        (SPAN % "a" + SPAN % "b", 2 * len(SPAN % "a") - 1, SPAN % "a"),  # whole lines or nothing
        (SPAN % "a" + '{"torn', 100, SPAN % "a"),  # a component that was killed
        (SPAN % "a", 10, ""),
        ('{"torn', 100, ""),
        ("", 100, ""),
    ],
)
def test_telemetry_is_cut_at_a_lines_end_and_the_cut_is_counted(writer, tmp_path, monkeypatch, content, limit, kept):
    monkeypatch.setattr("pytest_spiral.run.writer.TELEMETRY_LIMIT", limit)
    (tmp_path / "own.jsonl").write_text(content)
    writer.keep_telemetry("store", "spans", tmp_path / "own.jsonl")
    (record,) = attached(writer)
    assert (writer.folder / record["path"]).read_text() == kept
    assert (record["bytes"], record["cut"]) == (len(kept), len(content) - len(kept))


def test_telemetry_that_is_not_there_is_not_kept(writer, tmp_path):
    writer.keep_telemetry("store", "metrics", tmp_path / "never-written.prom")
    assert attached(writer) == []


def test_a_declared_secret_in_telemetry_is_struck(writer, tmp_path):
    (tmp_path / "own.jsonl").write_text(SPAN % "call with declared-secret")
    writer.keep_telemetry("store", "spans", tmp_path / "own.jsonl")
    (record,) = attached(writer)
    kept = (writer.folder / record["path"]).read_bytes()
    assert b"declared-secret" not in kept
    assert json.loads(kept)["resourceSpans"][0]["name"].startswith("call with ")


def test_telemetry_with_a_token_is_a_stub(writer, tmp_path):
    (tmp_path / "own.prom").write_text(f'calls_total{{token="{TOKEN}"}} 1.0\n')
    writer.keep_telemetry("store", "metrics", tmp_path / "own.prom")
    (record,) = attached(writer)
    assert (record["path"], record["quarantined"]) == ("metrics/store.prom.quarantined", ["Slack token"])
    assert TOKEN.encode() not in (writer.folder / record["path"]).read_bytes()
