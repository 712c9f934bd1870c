"""A sound bundle is found sound; every way in which one is not is found, named, and told under its code."""

import json
import os
import shutil
import stat

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_spiral.errors import UntrustedError, UseError
from pytest_spiral.evidence.findings import ALIKE
from pytest_spiral.evidence.read import read_evidence
from pytest_spiral.evidence.report import Report
from pytest_spiral.evidence.verify import examine, verify_integrity
from pytest_spiral.model import record
from pytest_spiral.model.evidence import Inventory, InventoryItem
from pytest_spiral.rules.canonical import canonical_bytes, digest
from pytest_spiral.rules.integrity import REASONS, Finding, Limits, finding
from pytest_spiral.rules.inventory import encode_inventory

GW0 = "journal/gw0.jsonl"
MAIN = "journal/main.jsonl"
SAMPLES = "samples/B1.latency/gw0-1.jsonl"
TEST = "suites/test_b1.py::test_search"
SMALL = Limits(files=5)


def replacing(old, new):
    def change(data):
        assert old in data
        return data.replace(old, new, 1)

    return change


def add(path, data=b"x"):
    """Put a file into the bundle and seal anew."""

    def tamper(forger):
        target = forger.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        forger.seal()

    return tamper


def edit(path, old, new):
    """Change bytes of a file and seal anew."""

    def tamper(forger):
        forger.edit(path, replacing(old, new))
        forger.seal()

    return tamper


def only_edit(path, old, new):
    """Change bytes of a file and leave the manifest."""
    return lambda forger: forger.edit(path, replacing(old, new))


def remove(path, *, sealing=True):
    def tamper(forger):
        (forger.folder / path).unlink()
        if sealing:
            forger.seal()

    return tamper


def body(process, kind, /, **change):
    """Change fields of the first record of a kind, with good chains."""

    def tamper(forger):
        def edit_it(records):
            next(one for name, one in records if name == kind).update(change)

        forger.change(process, edit_it)

    return tamper


def records(process, change):
    """Change a journal's list of records, with good chains."""
    return lambda forger: forger.change(process, change)


def lines(path, change):
    """Change a journal's raw lines, and seal anew."""

    def tamper(forger):
        forger.edit(path, lambda data: b"".join(change(data.splitlines(keepends=True))))
        forger.seal()

    return tamper


def end(change):
    """Change the main journal's end record."""

    def tamper(forger):
        forger.end(change)
        forger.seal()

    return tamper


def inventory(change):
    """Change the inventory's items, and seal anew."""

    def tamper(forger):
        path = forger.folder / "inventory.json"
        known = msgspec.json.decode(path.read_bytes(), type=Inventory)
        path.write_bytes(encode_inventory(Inventory(items=tuple(change(list(known.items))))))
        forger.seal()

    return tamper


def link(path, to):
    def tamper(forger):
        (forger.folder / path).symlink_to(to)

    return tamper


def pipe(forger):
    os.mkfifo(forger.folder / "pipe")


def emptied(forger):
    shutil.rmtree(forger.folder)
    forger.folder.mkdir()


def manifest_swapped(forger):
    path = forger.folder / "manifest.json"
    known = json.loads(path.read_bytes())
    known["files"].reverse()
    path.write_bytes(canonical_bytes(known))


def manifest_spaced(forger):
    forger.edit("manifest.json", lambda data: data + b"\n")


def deep(forger):
    forger.edit("plan.json", replacing(b'"rules":', b'"x":' + b"[" * 60 + b"]" * 60 + b',"rules":'))
    forger.seal()


def other_plan(forger):
    plan = json.loads((forger.folder / "plan.json").read_bytes())
    plan["gates"][0]["criteria"][0]["limits"][0]["bound"] = "9999"
    (forger.folder / "plan.json").write_bytes(canonical_bytes(plan))
    forger.seal()


def torn_after_end(forger):
    forger.edit(GW0, lambda data: data + b'{"n":7')
    forger.seal()


def rebound(forger, old, new, count=4):
    """Change samples and bind them anew in the journal, as the journal's owner could."""
    forger.edit(SAMPLES, replacing(old, new))
    data = (forger.folder / SAMPLES).read_bytes()
    said = {"bytes": len(data), "count": count, "sha256": digest(data)}

    def change(known):
        for kind, one in known:
            if kind in ("range", "measure-closed"):
                one.update(said)

    forger.change("gw0", change)


def halves(first, second):
    """Two ranges in the place of one."""

    def change(known):
        at = next(at for at, (kind, _) in enumerate(known) if kind == "range")
        whole = known[at][1]
        data = b'{"n":0,"value":4.25}\n{"n":1,"value":3}\n{"n":2,"value":117.5}\n{"n":3,"value":0.1}\n'
        known[at : at + 1] = [
            ("range", {**whole, "offset": a, "bytes": b - a, "count": count, "sha256": digest(data[a:b])})
            for a, b, count in (first, second)
        ]

    return records("gw0", change)


def without(kind):
    return lambda known: known.remove(next(one for one in known if one[0] == kind))


def unended(known):
    del known[-1]


# What is done to a sealed bundle, where it must be noticed, and under which code. Codes that only an unsealed run
# gets, or that need a limit or a permission, have tests of their own below.
HEAD = {"id": f"sha256:{'1' * 64}", "seq": 1, "digest": f"sha256:{'2' * 64}"}
PUBLISHED = {"head": HEAD, "by": "job", "ok": True}
CATALOGUE = [
    ("never-opened", "", emptied),
    ("artifact-missing", "summary.json", remove("summary.json")),
    ("artifact-missing", "plan.json", remove("plan.json")),
    ("artifact-missing", "bundle.json", remove("bundle.json")),
    ("artifact-missing", "inventory.json", remove("inventory.json")),
    ("artifact-missing", MAIN, remove(MAIN)),
    ("file-missing", "log.txt", remove("log.txt", sealing=False)),
    ("file-missing", SAMPLES, remove(SAMPLES, sealing=False)),
    ("file-extra", "more.txt", lambda forger: (forger.folder / "more.txt").write_bytes(b"x")),
    ("file-extra", "journal/gw9.jsonl", lambda forger: (forger.folder / "journal/gw9.jsonl").write_bytes(b"")),
    ("file-extra", "manifest.json", only_edit("manifest.json", b'{"bytes":6,"path":"log.txt"', b'{"bytes":6,"path":"manifest.json"')),
    ("file-irregular", "passwords", link("passwords", "/etc/passwd")),
    ("file-irregular", "folder", link("folder", "/etc")),
    ("file-irregular", "pipe", pipe),
    ("path-name", "a b", add("a b")),
    ("path-name", ".hidden", add(".hidden")),
    ("path-name", "folder\\n/x", add("folder\n/x")),
    ("path-name", "\\xe4", add("ä")),
    ("path-name", GW0, body("gw0", "measure-opened", file="../../x.jsonl")),
    ("path-length", "x" * 101, add("x" * 101)),
    ("path-depth", "a/b/c/d/e/f/g/h", add("a/b/c/d/e/f/g/h/i")),
    ("path-device", "logs/aux.txt", add("logs/aux.txt")),
    ("path-twin", "log.txt", add("LOG.txt")),
    ("path-twin", "samples", add("Samples/x")),
    ("manifest-order", "bundle.json", manifest_swapped),
    ("json-depth", "plan.json", deep),
    ("json-encoding", "bundle.json", edit("bundle.json", b'"pytest"', b'"pyt\xffest"')),
    ("json-syntax", "bundle.json", edit("bundle.json", b'"nonce":', b'"nonce"')),
    ("json-syntax", MAIN, lines(MAIN, lambda known: [known[0], b"\n", *known[1:]])),
    ("json-duplicate-key", "plan.json", edit("plan.json", b'"bound":"120"', b'"bound":"120","bound":"999"')),
    ("json-duplicate-key", GW0, lines(GW0, lambda known: [*known[:4], known[4].replace(b'"raised":""', b'"raised":"error","raised":""'), *known[5:]])),
    ("json-number", "bundle.json", edit("bundle.json", b'"value":2', b'"value":NaN')),
    ("json-number", "bundle.json", edit("bundle.json", b'"value":2', b'"value":1e999')),
    ("json-negative-zero", "bundle.json", edit("bundle.json", b'"attempt":1', b'"attempt":-0')),
    ("json-integer", "bundle.json", edit("bundle.json", b'"attempt":1', b'"attempt":99999999999999999999')),
    ("json-surrogate", "bundle.json", edit("bundle.json", b'"pytest"', rb'"\ud800"')),
    ("not-canonical", "plan.json", edit("plan.json", b'{"format"', b'{ "format"')),
    ("not-canonical", "manifest.json", manifest_spaced),
    ("format-unknown", "bundle.json", edit("bundle.json", b"spiral-bundle/1", b"spiral-bundle/2")),
    ("format-unknown", "manifest.json", only_edit("manifest.json", b"spiral-manifest/1", b"spiral-manifest/2")),
    ("format-unknown", "inventory.json", edit("inventory.json", b"spiral-inventory/1", b"spiral-inventory/2")),
    ("format-unknown", GW0, body("gw0", "start", format="spiral-journal/2")),
    ("record-unknown", GW0, records("gw0", lambda known: known.insert(5, ("verdict", {"pass": True})))),
    ("field-wrong", "summary.json", edit("summary.json", b'"permission":0', b'"permission":"2"')),
    ("field-wrong", GW0, body("gw0", "test", outcome="pass")),
    ("field-wrong", SAMPLES, lambda forger: rebound(forger, b'"value":3', b'"value":"3"')),
    ("inventory-form", "inventory.json", edit("inventory.json", b'"selected":true},\n', b'"selected":true}\n')),
    ("digest-mismatch", SAMPLES, only_edit(SAMPLES, b"117.5", b"117.4")),
    ("digest-mismatch", "log.txt", only_edit("log.txt", b"hello", b"hellos")),
    ("digest-mismatch", GW0, only_edit(GW0, b"not found", b"it found ")),
    ("plan-mismatch", "plan.json", other_plan),
    ("attachment-missing", "log.txt", remove("log.txt")),
    ("attachment-mismatch", "log.txt", edit("log.txt", b"hello", b"HELLO")),
    ("attachment-mismatch", "plan.json", body("main", "attached", path="plan.json")),
    ("attachment-missing", "../../etc/passwd", body("main", "attached", path="../../etc/passwd")),
    ("journal-missing", GW0, remove(GW0)),
    ("journal-unlisted", "journal/gw1.jsonl", end(lambda one: one["workers"].pop("gw1"))),
    ("journal-unlisted", "journal/notes.txt", add("journal/notes.txt")),
    ("journal-start", GW0, records("gw0", without("start"))),
    ("journal-start", GW0, records("gw0", lambda known: known.insert(2, known[0]))),
    ("journal-start", "journal/gw2.jsonl", lambda forger: (forger.rechain("gw2", [("end", {})]), forger.seal())),
    ("journal-foreign", GW0, body("gw0", "start", nonce="00" * 16)),
    ("journal-foreign", GW0, body("gw0", "start", process="gw1")),
    ("journal-sequence", GW0, lines(GW0, lambda known: known[:4] + known[5:])),
    ("journal-sequence", GW0, lines(GW0, lambda known: known[:5] + known[4:])),
    ("journal-sequence", GW0, lines(GW0, lambda known: [*known[:4], known[5], known[4], *known[6:]])),
    ("journal-chain", GW0, edit(GW0, b"not found", b"it found ")),
    ("journal-chain", MAIN, edit("bundle.json", b'"sandbox","fidelity":"sandbox"', b'"sandbox","fidelity":"live"')),
    ("journal-time", GW0, lines(GW0, lambda known: [known[0].replace(b'"mono":', b'"mono":999'), *known[1:]])),
    ("journal-unended", MAIN, records("main", unended)),
    ("journal-after-end", GW0, records("gw0", lambda known: known.append(("test", {"id": TEST})))),
    ("journal-head", GW0, end(lambda one: one["workers"]["gw0"].update(n=5))),
    ("journal-head", GW0, end(lambda one: one["workers"]["gw0"].update(digest="sha256:" + "0" * 64))),
    ("journal-head", "journal/gw1.jsonl", end(lambda one: one["workers"]["gw1"].update(ended=True))),
    ("journal-head", GW0, lines(GW0, lambda known: known[:-1])),
    ("journal-torn", GW0, torn_after_end),
    ("crash-unrecorded", "journal/gw1.jsonl", records("main", without("crash"))),
    ("record-order", GW0, records("gw0", lambda known: known.insert(5, ("range", known[2][1] | {"offset": 81})))),
    ("record-order", GW0, records("gw0", without("measure-opened"))),
    ("record-order", GW0, records("gw0", lambda known: known.insert(2, known[1]))),
    ("record-order", MAIN, records("main", without("run-opened"))),
    ("record-order", MAIN, records("main", without("control-opened"))),
    ("record-order", MAIN, records("main", lambda known: known.insert(2, ("published", PUBLISHED)))),
    ("record-order", GW0, records("gw0", lambda known: known.insert(1, ("published", PUBLISHED)))),
    ("samples-missing", SAMPLES, remove(SAMPLES)),
    ("samples-unlisted", "samples/B1.latency/gw0-2.jsonl", add("samples/B1.latency/gw0-2.jsonl", b'{"n":0,"ok":true}\n')),
    ("samples-unlisted", "samples/B1.latency/x-1.jsonl", add("samples/B1.latency/x-1.jsonl")),
    ("samples-foreign", "journal/gw1.jsonl", body("gw1", "measure-opened", file="B1.latency/gw0-9.jsonl")),
    ("samples-tiling", SAMPLES, records("gw0", without("range"))),
    ("samples-digest", SAMPLES, body("gw0", "range", bytes=80)),
    ("samples-tiling", SAMPLES, body("gw0", "range", bytes=82)),
    ("samples-tiling", SAMPLES, body("gw0", "range", bytes=0)),
    ("samples-tiling", SAMPLES, body("gw0", "range", bytes=2_000_000)),
    ("samples-tiling", SAMPLES, body("gw0", "range", offset=1)),
    ("samples-tiling", SAMPLES, halves((0, 21, 1), (22, 81, 3))),
    ("samples-tiling", SAMPLES, halves((0, 39, 2), (21, 81, 3))),
    ("samples-tiling", SAMPLES, halves((0, 20, 1), (20, 81, 3))),
    ("samples-tiling", SAMPLES, lambda forger: (forger.edit(SAMPLES, lambda data: data + b'{"n":4,"ok":true}\n'), forger.seal())),
    ("samples-tiling", SAMPLES, body("gw0", "measure-closed", bytes=80)),
    ("samples-digest", SAMPLES, edit(SAMPLES, b"117.5", b"17.55")),
    ("samples-digest", SAMPLES, body("gw0", "measure-closed", sha256="sha256:" + "0" * 64)),
    ("samples-count", SAMPLES, body("gw0", "range", count=5)),
    ("samples-count", SAMPLES, body("gw0", "measure-closed", count=3)),
    ("samples-order", SAMPLES, lambda forger: rebound(forger, b'"n":2', b'"n":7')),
    ("samples-order", SAMPLES, lambda forger: rebound(forger, b'{"n":1,"value":3}\n', b"", 3)),
    ("samples-unclosed", SAMPLES, records("gw0", without("measure-closed"))),
    ("inventory-doubled", "inventory.json", inventory(lambda items: [*items, items[0]])),
    ("inventory-not-run", "inventory.json", inventory(lambda items: [*items, InventoryItem(id="new")])),
    ("inventory-not-run", "inventory.json", records("gw0", without("test"))),
    ("inventory-uncollected", GW0, inventory(lambda items: items[1:])),
    ("inventory-deselected", GW0, body("gw0", "test", id="suites/test_b1.py::test_slow")),
]  # fmt: skip

ELSEWHERE = {
    "file-unreadable", "file-too-large", "line-too-long", "too-many-files",
    "unsealed-running", "unsealed-abandoned", "unsealed-incomplete", "unsealed-ended", "unsealed-unattested",
}  # fmt: skip


def codes(report):
    return {one.code for one in report.findings}


def test_a_sound_bundle_is_found_sound(sealed):
    report = verify_integrity(sealed)
    assert report.findings == ()
    assert (report.outcome, report.state, report.run) == ("sound", "sealed", "20261122T093000Z-stage_b-3f9c1a")
    assert (report.records, report.tests, report.samples, report.files) == (19, 2, 5, 11)
    assert report.bytes == sum(path.stat().st_size for path in sealed.rglob("*") if path.is_file())
    assert report.walls.keys() == {"main", "gw0", "gw1"}
    assert all(1_795_339_800_000_000 <= first < last < 1_795_339_900_000_000 for first, last in report.walls.values())
    assert report.manifest == digest((sealed / "manifest.json").read_bytes())
    assert {one.step for one in report.steps if one.state == "held"} == {1, 2, 3, 5, 6}
    assert {one.step for one in report.steps if one.state == "not-checked"} == {4, 7, 8, 9, 10, 11}


@pytest.mark.parametrize(
    ("code", "path", "tamper"), CATALOGUE, ids=[f"{code}-{at}" for at, (code, *_) in enumerate(CATALOGUE)]
)
def test_a_bundle_that_was_tampered_with_is_found_under_its_code(forger, code, path, tamper):
    tamper(forger)
    report, evidence = examine(forger.folder)
    assert (code, path) in {(one.code, one.path) for one in report.findings}
    assert report.outcome == "untrusted"
    assert evidence is None
    assert report.checked(REASONS[code].step).state == "found"
    for one in report.findings:
        assert one.step == REASONS[one.code].step
        assert (one.path + one.sentence).isascii()
        assert (one.path + one.sentence).isprintable()


def test_every_code_has_a_bundle_that_provokes_it():
    elsewhere = ("expected-", "launcher-")  # what a reviewer expects, and what `spiral record` finds before it signs
    own = {one.code for one in REASONS.values() if one.step in (1, 2, 3, 5, 6) and not one.code.startswith(elsewhere)}
    assert {code for code, *_ in CATALOGUE} | ELSEWHERE == own


def test_mending_every_chain_without_changing_anything_leaves_the_bundle_sound(forger):
    for process in ("gw0", "gw1", "main"):
        forger.change(process, len)
    assert verify_integrity(forger.folder).findings == ()


@pytest.mark.parametrize(
    ("limits", "code", "path"),
    [
        (Limits(files=10), "too-many-files", ""),
        (Limits(file=100), "file-too-large", GW0),
        (Limits(json=500), "file-too-large", "bundle.json"),
        (Limits(json=500), "file-too-large", "manifest.json"),
        (Limits(journal_line=300), "line-too-long", MAIN),
        (Limits(sample_line=15), "line-too-long", SAMPLES),
        (Limits(depth=3), "json-depth", "bundle.json"),
        (Limits(range=80), "samples-tiling", SAMPLES),
    ],
    ids=repr,
)
def test_a_bundle_beyond_a_limit_is_refused(sealed, limits, code, path):
    report = verify_integrity(sealed, limits)
    assert (code, path) in {(one.code, one.path) for one in report.findings}
    assert report.outcome == "untrusted"


def test_of_a_folder_with_too_many_files_nothing_more_is_said(sealed):
    report = verify_integrity(sealed, Limits(files=10))
    assert codes(report) == {"too-many-files"}
    assert {one.step for one in report.steps if one.state == "held"} == set()
    assert verify_integrity(sealed, Limits(files=11)).outcome == "sound"


def test_an_unsealed_journal_line_of_any_length_is_refused_in_bounded_memory(forger):
    forger.edit(GW0, lambda data: data + b"x" * 200_000)
    forger.seal()
    assert ("line-too-long", GW0) in {(one.code, one.path) for one in verify_integrity(forger.folder).findings}


def test_a_folder_that_cannot_be_read_is_told(sealed, monkeypatch):
    real = os.scandir

    def scandir(at):
        if stat.S_ISDIR(os.fstat(at).st_mode) and os.path.samestat(os.fstat(at), (sealed / "samples").stat()):
            raise PermissionError(13, "denied")
        return real(at)

    monkeypatch.setattr(os, "scandir", scandir)
    report = verify_integrity(sealed)
    assert ("file-unreadable", "samples") in {(one.code, one.path) for one in report.findings}
    assert report.outcome == "untrusted"


def test_a_file_that_cannot_be_read_is_told(sealed, monkeypatch):
    real = os.open

    def refuse(path, flags, *arguments, **more):
        if path == "log.txt":
            raise PermissionError(13, "denied")
        return real(path, flags, *arguments, **more)

    monkeypatch.setattr(os, "open", refuse)
    report = verify_integrity(sealed)
    assert ("file-unreadable", "log.txt") in {(one.code, one.path) for one in report.findings}
    assert report.outcome == "untrusted"


def test_there_is_nothing_to_verify_where_there_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "gone", tmp_path / "file"):
        with pytest.raises(UseError, match="no folder"):
            verify_integrity(path)


def test_a_link_given_by_its_user_is_followed(sealed, tmp_path):
    (tmp_path / "latest").symlink_to(sealed)
    assert verify_integrity(tmp_path / "latest").outcome == "sound"


def test_verifying_changes_nothing(sealed, content):
    before = {path: path.stat().st_mtime_ns for path in sealed.rglob("*")}
    verify_integrity(sealed)
    assert {path: path.stat().st_mtime_ns for path in sealed.rglob("*")} == before
    assert {str(path.relative_to(sealed)): path.read_bytes() for path in sealed.rglob("*") if path.is_file()} == content


def test_all_findings_are_told_not_just_the_first(forger):
    forger.edit(SAMPLES, replacing(b"117.5", b"117.4"))
    forger.edit("log.txt", replacing(b"hello", b"hallo"))
    (forger.folder / "more.txt").write_bytes(b"")
    (forger.folder / "summary.json").unlink()
    found = {(one.code, one.path) for one in verify_integrity(forger.folder).findings}
    assert found >= {
        ("digest-mismatch", SAMPLES),
        ("samples-digest", SAMPLES),
        ("digest-mismatch", "log.txt"),
        ("attachment-mismatch", "log.txt"),
        ("file-extra", "more.txt"),
        ("file-missing", "summary.json"),
    }


def test_findings_alike_are_counted_not_listed(forger):
    inventory(lambda items: items + [InventoryItem(id=f"new{number}") for number in range(1000)])(forger)
    told = [one for one in verify_integrity(forger.folder).findings if one.code == "inventory-not-run"]
    assert len(told) == ALIKE + 1
    assert told[-1].sentence == f"{1000 - ALIKE} more findings of this kind."


def test_a_repeated_range_of_an_interrupted_writer_is_no_finding(forger):
    forger.change("gw0", lambda known: known.insert(3, known[2]))
    forger.change("gw0", lambda known: known.insert(5, known[4]))
    assert [kind for kind, _ in forger.records("gw0")].count("measure-closed") == 2
    assert verify_integrity(forger.folder).findings == ()


@pytest.mark.parametrize("status", ["interrupted", "crashed"])
def test_an_interrupted_run_may_miss_tests_ends_and_closes(forger, status):
    forger.change("gw0", lambda known: (known.remove(known[3]), known.remove(known[3]), known.pop()))
    forger.change("main", without("crash"))
    before = codes(verify_integrity(forger.folder))
    assert before == {"crash-unrecorded", "inventory-not-run"}
    end(lambda one: one.update(status=status))(forger)
    report, evidence = examine(forger.folder)
    assert report.findings == ()
    assert evidence.status == status


def test_a_dead_worker_may_leave_what_a_kill_leaves(forger):
    add("samples/B1.latency/gw1-2.jsonl", b'{"n":0,')(forger)
    forger.edit("samples/B1.latency/gw1-1.jsonl", lambda data: data + b'{"n":1,"val')
    forger.rechain("gw1", forger.records("gw1"), tail=b'{"n":2,"prev')
    forger.seal()
    report, evidence = examine(forger.folder)
    assert report.findings == ()
    (left,) = [one for one in evidence.measurements if not one.closed]
    assert [sample.value for sample in left.samples] == [1.5]


def test_a_dead_worker_may_have_announced_a_file_that_it_never_made(forger):
    def announce(known):
        known.append(("measure-opened", {**known[1][1], "file": "B1.latency/gw1-2.jsonl"}))

    forger.change("gw1", announce)
    assert verify_integrity(forger.folder).findings == ()


@pytest.mark.parametrize(("process", "path"), [("gw0", GW0), ("main", MAIN)])
def test_nothing_is_taken_from_a_journal_that_is_not_the_runs(forger, process, path):
    forger.edit("bundle.json", replacing(b'"nonce":"3f9c', b'"nonce":"0000'))
    forger.seal()
    found = {(one.code, one.path) for one in verify_integrity(forger.folder).findings}
    assert found >= {("journal-foreign", path), ("journal-chain", path)}


def test_what_is_read_and_what_is_verified_agree(sealed):
    report, evidence = examine(sealed)
    assert evidence == read_evidence(sealed)
    assert report.tests == len(evidence.tests)
    assert report.samples == sum(len(one.samples) for one in evidence.measurements)


CHANGES = [
    one for one in CATALOGUE if REASONS[one[0]].step in (5, 2) and one[1] not in ("summary.json", "manifest.json")
]


@pytest.mark.parametrize(
    ("code", "path", "tamper"), CHANGES, ids=[f"{code}-{at}" for at, (code, *_) in enumerate(CHANGES)]
)
def test_reading_raises_at_what_verifying_finds(forger, code, path, tamper):
    tamper(forger)
    with pytest.raises(UntrustedError) as problem:
        read_evidence(forger.folder)
    assert problem.value.code in codes(verify_integrity(forger.folder))


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_byte_anywhere_is_found(sealed, content, data):
    path = data.draw(st.sampled_from(sorted(content)))
    at = data.draw(st.integers(0, len(content[path]) - 1))
    changed = bytearray(content[path])
    changed[at] ^= data.draw(st.integers(1, 255))
    (sealed / path).write_bytes(changed)
    try:
        report = verify_integrity(sealed)
        assert report.outcome == "untrusted", f"byte {at} of {path}"
        assert path in {one.path for one in report.findings} or path == "manifest.json"
    finally:
        (sealed / path).write_bytes(content[path])


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_cut_or_doubled_anywhere_are_found(sealed, content, data):
    path = data.draw(st.sampled_from(sorted(content)))
    whole = content[path]
    start = data.draw(st.integers(0, len(whole) - 1))
    stop = data.draw(st.integers(start + 1, len(whole)))
    changed = whole[:start] + whole[start:stop] * data.draw(st.sampled_from([0, 2])) + whole[stop:]
    (sealed / path).write_bytes(changed)
    try:
        assert verify_integrity(sealed).outcome == "untrusted"
    finally:
        (sealed / path).write_bytes(whole)


def test_each_file_missing_or_emptied_is_found(sealed, content):
    for path, whole in content.items():
        (sealed / path).unlink()
        report = verify_integrity(sealed)
        assert report.outcome == ("unsealed" if path == "manifest.json" else "untrusted"), path
        assert report.outcome != "sound"
        (sealed / path).write_bytes(b"")
        assert verify_integrity(sealed).outcome == "untrusted", path
        (sealed / path).write_bytes(whole)
    assert verify_integrity(sealed).outcome == "sound"


def test_other_steps_are_added_to_the_report():
    wrong = finding("journal-chain", "journal/main.jsonl", "x")
    later = Finding(step=9, code="summary-mismatch", path="summary.json", sentence="x")
    report = Report(state="sealed").with_step(1).with_step(8, state="cannot-tell", note="no publishing commit")
    assert report.outcome == "sound"
    assert (report.checked(1).state, report.checked(8).state, report.checked(8).note) == (
        "held",
        "cannot-tell",
        "no publishing commit",
    )
    report = report.with_step(9, [later, wrong])
    assert [one.code for one in report.findings] == ["journal-chain", "summary-mismatch"]
    assert (report.checked(9).state, report.checked(5).state) == ("found", "found")
    assert report.outcome == "untrusted"
    with pytest.raises(ValueError, match="no step 12"):
        report.with_step(12)


def test_records_of_a_report_are_values():
    report = Report(state="sealed").with_step(1)
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
    assert record.KINDS[record.Start] == "start"
