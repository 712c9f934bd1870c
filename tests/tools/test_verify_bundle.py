"""The second verifier: on its own, its signatures, and its agreement with the first, step by step."""

import ast
import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_spiral.evidence.keys import make_key, write_key
from pytest_spiral.evidence.seal import write_manifest
from pytest_spiral.ledger.book import Book
from pytest_spiral.run.recover import recover
from pytest_spiral.run.verify import verify_bundle

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "verify_bundle.py"
PART = ROOT / "tools" / "verify_verdicts.py"


def said_by(tool, *arguments):
    """Exit status and output of the program, run where nothing is installed."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(tool), *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


# On its own


def test_it_is_500_lines_at_most():
    assert len(TOOL.read_text().splitlines()) <= 500


@pytest.mark.parametrize("path", [TOOL, PART])
def test_it_needs_the_standard_library_only(path):
    tree = ast.parse(path.read_text())
    names = [one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names]
    names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert names
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    ("name", "require", "status", "last"),
    [
        ("conditional", "conditional", 0, " CONDITIONAL GO (E0; required: conditional)"),
        ("conditional", "go", 1, " CONDITIONAL GO (E0; required: go)"),
        ("no-go", "conditional", 1, " NO-GO (E0; required: conditional)"),
        ("unsealed", "conditional", 1, " NOT SEALED (incomplete) (E0; required: conditional)"),
    ],
)
def test_it_says_what_a_bundle_comes_to(kept, name, require, status, last):
    found, out = said_by(TOOL, kept[name], "--require", require)
    assert (found, out.splitlines()[-1]) == (status, last)


def test_one_line_a_step_and_the_findings_below_it(forger):
    forger.edit("log.txt", lambda _: b"jello\n")
    status, out = said_by(TOOL, forger.folder)
    lines = out.splitlines()
    assert status == 3
    assert [line[:20].strip() for line in lines if line[:3].strip().isdigit()] == [
        "1 layout", "2 strict parsing", "3 digests", "4 attestation", "5 journals", "6 inventory", "7 provenance",
        "8 time", "9 verdicts", "10 controls", "11 ledger",
    ]  # fmt: skip
    at = next(at for at, line in enumerate(lines) if "FOUND" in line)
    assert lines[at].startswith("  3 digests          FOUND")
    assert "      attachment-mismatch log.txt: bytes" in lines[at:]
    assert lines[-1] == " NOT TO BE TRUSTED (E0; required: conditional)"


def test_as_json_it_says_the_same(kept):
    status, out = said_by(TOOL, kept["conditional"], "--json")
    document = json.loads(out)
    assert (status, document["status"], document["decision"]) == (0, 0, "CONDITIONAL GO")
    assert [step["name"] for step in document["report"]["steps"]][1] == "strict parsing"


def test_alone_it_checks_all_but_the_verdicts_and_says_so(kept, tmp_path):
    alone = shutil.copy(TOOL, tmp_path)
    status, out = said_by(alone, kept["conditional"])
    assert status == 0
    assert "  9 verdicts         not checked the summary's own are shown" in out
    assert " 10 controls         not checked" in out


@pytest.mark.parametrize("arguments", [(), ("no-such-folder",), (".", "--require", "maybe"), (".", "--trust", "none")])
def test_wrong_use_ends_with_2(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said_by(TOOL, *arguments)[0] == 2


def test_what_a_bundle_says_is_escaped(forger):
    forger.change("main", lambda records: records[1][1].update(subject="\x1b[2J::error::x\n"))
    (forger.folder / "a\x1b[31mb").write_text("x")
    out = said_by(TOOL, forger.folder)[1]
    assert "a\\x1b[31mb" in out
    assert "\x1b" not in out


# Files that it does not read, each with what it says instead.
UNREAD = {
    "spiral-ledger": "step 11 reads `not checked`: whoever keeps the ledger checks the bundle's copy of it",
    "spiral-result": "step 4 says that test-result.dsse.json was not checked",
    "spiral-selftest": "step 10 says that the selftest was not checked: it has no catalogue of defects",
    "spiral-trace": "step 3 holds traces to their digests; step 9 says that comparisons were not checked",
    "spiral-parity": "step 9 says that comparisons were not checked",
    "spiral-handshake": "step 9 says that comparisons were not checked",
    "spiral-fallbacks": "nothing is judged by it",
}


def test_its_types_are_those_of_the_schemas(second):
    """A field that the product writes and this program does not know would read as a forgery."""
    names = {"Bundle": "BundleStart", "Summary": "Judgement", "Item": "InventoryItem", "File": "ManifestFile"}
    names |= {"Target": "TargetCard", "Verdict": "CriterionVerdict", "Decided": "GateDecision"}
    names |= {"Stage": "StageDecision", "Worker": "JournalHead", "Envelope": "EnvelopeForm"}
    names |= {"Signature": "EnvelopeSignature", "Statement": "DecisionStatement", "Claim": "DecisionPredicate"}
    names |= {"Subject": "Resource", "Confined": "Confinement", "Examined": "ExaminationStatement"}
    titles = {ours: theirs for theirs, ours in names.items()}
    seen = set()
    for path in (ROOT / "pytest_spiral" / "schemas").glob("*.json"):
        if path.name.removesuffix("-1.schema.json") in UNREAD:
            continue
        for name, schema in json.loads(path.read_text())["$defs"].items():
            kind = titles.get(name, name)
            known = second.TYPES.get(kind) or second.TYPES.get(kebab(kind))
            if known is None or "properties" not in schema:
                assert name in {"GateCard", "CriterionCard", "Fidelity", "Decision", "LedgerHead"} or (
                    name == "Verdict" and "enum" in schema
                ), name
                continue
            seen.add(name)
            assert schema["properties"].keys() == known.keys(), name
            needed = {field for field, (_, optional) in known.items() if not optional}
            fixed = {field for field, said in schema["properties"].items() if "const" in said or "default" in said}
            assert needed - (fixed if name == "DecisionStatement" else set()) == set(schema.get("required", ())), name
    assert len(seen) > 30
    kinds = {name for name in second.TYPES if name.islower()}
    assert kinds == {kebab(name) for name in seen} & kinds


def kebab(name):
    word = "".join(f"-{one.lower()}" if one.isupper() else one for one in name).strip("-")
    return {"fact-seen": "fact", "subject-seen": "subject", "document-seen": "document"}.get(word, word)


# Agreement


@pytest.mark.parametrize("name", ["conditional", "no-go", "unsealed", "small"])
def test_both_say_the_same_of_what_nobody_touched(kept, name, ask_both):
    both = ask_both(kept[name])
    assert both.disagreements == {}
    assert both.outcome == ("unsealed" if name == "unsealed" else "sound")
    assert both.ours == {**both.theirs, "steps": both.ours["steps"]}


def test_what_is_left_to_others_reads_not_checked(forger, second):
    """It makes no selftest again and reads no ledger: what stands there changes nothing, and it says so."""
    check = second.Check(forger.folder)
    assert check.steps[10] == ["held", "0 of 0 controls failed as they must; selftest not checked"]
    assert check.steps[11] == ["not-checked", "a draft that was registered in no ledger"]
    forger.edit("selftest.json", lambda _: b"{}")
    (forger.folder / "ledger.jsonl").write_text("no ledger\n")
    forger.seal()
    again = second.Check(forger.folder)
    assert (again.outcome, again.steps[10], again.found) == ("sound", check.steps[10], {})


@pytest.mark.parametrize(("process", "at"), [("main", 2), ("gw0", 1)])
def test_both_find_publishing_in_another_place(forger, second, process, at):
    head = {"id": f"sha256:{'1' * 64}", "seq": 1, "digest": f"sha256:{'2' * 64}"}
    forger.change(process, lambda known: known.insert(at, ("published", {"head": head, "by": "job", "ok": True})))
    path = f"journal/{process}.jsonl"
    assert (5, "record-order", path) in second.Check(forger.folder).found
    report = verify_bundle(forger.folder).report
    assert ("record-order", path) in {(one.code, one.path) for one in report.findings}


def test_both_say_the_same_of_a_recovered_run(bundle, ask_both):
    dead = bundle("unsealed")
    sibling = recover(dead).folder
    both = ask_both(sibling)
    assert both.disagreements == {}
    assert both.outcome == "sound"
    assert both.ours["status"] == both.theirs["status"] == {"go": 1, "conditional": 1}


def test_both_say_the_same_of_a_recovered_run_that_was_to_be_signed(tmp_path, ask_both, kit_of_cli):
    write_key(tmp_path / "job.key", make_key())
    options = [f"--spiral-key={tmp_path / 'job.key'}", "--spiral-ledger=reports/ledger.jsonl"]
    dead = kit_of_cli.make_bundle(tmp_path / "dead", broken=False, seal=False, options=options)
    sibling = recover(dead, Book(dead.parents[1] / "ledger.jsonl", lambda: 0)).folder
    both = ask_both(sibling)
    assert both.disagreements == {}
    assert both.outcome == "sound"


def test_both_say_the_same_of_a_partial_run(tmp_path, kit_runs, ask_both):
    folder = kit_runs(tmp_path / "partial", "-k", "search")
    both = ask_both(folder)
    assert both.disagreements == {}
    assert both.outcome == "sound"
    assert both.ours["status"] == both.theirs["status"] == {"go": 1, "conditional": 1}


def test_both_say_the_same_of_a_signed_and_registered_run(tmp_path, kit_runs, ask_both):
    """A draft is judged alone, so that its verdicts are recomputed although a ledger has it."""
    key = make_key()
    write_key(tmp_path / "job.key", key)
    arguments = (f"--spiral-key={tmp_path / 'job.key'}", f"--spiral-ledger={tmp_path / 'ledger.jsonl'}")
    folder = kit_runs(tmp_path / "signed", *arguments)
    assert {"ledger.jsonl", "attestation.dsse.json", "selftest.json"} <= {one.name for one in folder.iterdir()}
    trust = f'ci@example.org namespaces="spiral-job" {key.public}'
    both = ask_both(folder, trust)
    assert both.disagreements == {}
    assert both.ours == {**both.theirs, "steps": both.ours["steps"]}
    assert (both.outcome, both.theirs["level"], both.theirs["steps"][9]) == ("sound", "E1", "held")
    assert (both.ours["steps"][11], both.theirs["steps"][11]) == ("held", "not-checked")
    claim(folder, lambda document: document["criteria"][0].update(verdict="fail", original="fail"))
    Path(folder / "manifest.json").unlink()
    write_manifest(folder)
    assert "summary-mismatch" in ask_both(folder).theirs["codes"] & ask_both(folder).ours["codes"]


def swap(folder, one, other):
    (folder / one).rename(folder / "aside")
    (folder / other).rename(folder / one)
    (folder / "aside").rename(folder / other)


def lead_elsewhere(folder):
    folder.rename(folder.parent.parent / "aside")
    folder.symlink_to(folder.parent.parent / "aside")


def claim(folder, change):
    path = folder / "summary.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_bytes(json.dumps(document, sort_keys=True, separators=(",", ":")).encode() + b"\n")


def passed(document):
    document["criteria"][0].update(verdict="pass", original="pass", reason="", sentence="")


def bomb(forger):
    forger.edit("inventory.json", lambda _: b"[" * 100_000)
    forger.seal()


# What somebody does to the small bundle, whether the manifest is brought in line, and the code that must be there.
DAMAGES = {
    "a byte more": (lambda f: f.edit("log.txt", lambda data: data + b"!"), "digest-mismatch"),
    "a file less": (lambda f: (f.folder / "log.txt").unlink(), "file-missing"),
    "a journal less": (lambda f: (f.folder / "journal/gw0.jsonl").unlink(), "file-missing"),
    "a journal less, sealed anew": (lambda f: (f.folder / "journal/gw0.jsonl").unlink() or f.seal(), "journal-missing"),
    "samples less, sealed anew": (
        lambda f: (f.folder / "samples/B1.latency/gw0-1.jsonl").unlink() or f.seal(),
        "samples-missing",
    ),
    "a file more": (lambda f: (f.folder / "more.txt").write_text("x"), "file-extra"),
    "a file renamed": (lambda f: (f.folder / "log.txt").rename(f.folder / "log2.txt"), "file-extra"),
    "two journals swapped": (lambda f: swap(f.folder, "journal/gw0.jsonl", "journal/gw1.jsonl"), "digest-mismatch"),
    "two journals swapped, sealed anew": (
        lambda f: swap(f.folder, "journal/gw0.jsonl", "journal/gw1.jsonl") or f.seal(),
        "journal-foreign",
    ),
    "a link in place of a file": (
        lambda f: (f.folder / "log.txt").unlink() or (f.folder / "log.txt").symlink_to("/etc/hostname"),
        "file-irregular",
    ),
    "a link in place of a folder": (lambda f: lead_elsewhere(f.folder / "samples"), "file-irregular"),
    "a pipe": (lambda f: os.mkfifo(f.folder / "pipe"), "file-irregular"),
    "a name with a blank": (lambda f: (f.folder / "a b").write_text("x") and f.seal(), "path-name"),
    "a device's name": (lambda f: (f.folder / "con.txt").write_text("x") and f.seal(), "path-device"),
    "a twin by case": (lambda f: (f.folder / "LOG.txt").write_text("x") and f.seal(), "path-twin"),
    "a name that is too long": (lambda f: (f.folder / ("a" * 101)).write_text("x") and f.seal(), "path-length"),
    "a folder too deep": (lambda f: (f.folder / "/".join("abcdefgh")).mkdir(parents=True), "path-depth"),
    "no manifest": (lambda f: (f.folder / "manifest.json").unlink(), "unsealed-ended"),
    "no summary, sealed anew": (lambda f: (f.folder / "summary.json").unlink() or f.seal(), "artifact-missing"),
    "no plan": (lambda f: (f.folder / "plan.json").unlink(), "artifact-missing"),
    "a journal cut off": (lambda f: f.edit("journal/gw0.jsonl", lambda data: data[:-9]) or f.seal(), "journal-head"),
    "a record doubled": (
        lambda f: f.edit("journal/gw0.jsonl", lambda data: data + data.splitlines(keepends=True)[-1]) or f.seal(),
        "journal-sequence",
    ),
    "a torn line behind an end": (
        lambda f: f.edit("journal/main.jsonl", lambda data: data + b'{"n"') or f.seal(),
        "journal-torn",
    ),
    "a key doubled": (
        lambda f: (
            f.edit("inventory.json", lambda data: data.replace(b'"errors":[]', b'"errors":[],"errors":[]')) or f.seal()
        ),
        "json-duplicate-key",
    ),
    "a number that is none": (
        lambda f: f.edit("bundle.json", lambda data: data.replace(b'"attempt":1', b'"attempt":NaN')) or f.seal(),
        "json-number",
    ),
    "an integer beyond 2^53": (
        lambda f: (
            f.edit("bundle.json", lambda data: data.replace(b'"attempt":1', b'"attempt":9007199254740993')) or f.seal()
        ),
        "json-integer",
    ),
    "half a surrogate pair": (
        lambda f: f.edit("bundle.json", lambda data: data.replace(b'"stage_b"]', b'"\\ud800"]')) or f.seal(),
        "json-surrogate",
    ),
    "bytes that are no UTF-8": (
        lambda f: f.edit("bundle.json", lambda data: data.replace(b"stage_b", b"stage\xff")) or f.seal(),
        "json-encoding",
    ),
    "nested without end": (bomb, "json-depth"),
    "minus zero": (
        lambda f: f.edit("bundle.json", lambda data: data.replace(b'"attempt":1', b'"attempt":-0')) or f.seal(),
        "json-negative-zero",
    ),
    "another format": (
        lambda f: f.edit("inventory.json", lambda data: data.replace(b"inventory/1", b"inventory/2")) or f.seal(),
        "format-unknown",
    ),
    "a field more": (
        lambda f: f.edit("bundle.json", lambda data: data.replace(b'"attempt":1', b'"attempt":1,"x":1')) or f.seal(),
        "field-wrong",
    ),
    "a manifest with blanks": (lambda f: f.edit("manifest.json", lambda data: data + b" "), "not-canonical"),
    "a plan with blanks": (lambda f: f.edit("plan.json", lambda data: data + b" ") or f.seal(), "not-canonical"),
    "a weaker plan": (
        lambda f: f.edit("plan.json", lambda data: data.replace(b'"120"', b'"999"')) or f.seal(),
        "plan-mismatch",
    ),
    "a sample edited": (
        lambda f: f.edit("samples/B1.latency/gw0-1.jsonl", lambda data: data.replace(b"117.5", b"017.5")) or f.seal(),
        "samples-digest",
    ),
    "a sample more": (
        lambda f: f.edit("samples/B1.latency/gw0-1.jsonl", lambda data: data + b'{"n":4,"value":1}\n') or f.seal(),
        "samples-tiling",
    ),
    "samples that nobody took": (
        lambda f: (f.folder / "samples/B1.latency/main-1.jsonl").write_text('{"n":0,"value":1}\n') and f.seal(),
        "samples-unlisted",
    ),
    "a test taken out of the records": (
        lambda f: f.change("gw0", lambda records: records.pop(-2)),
        "inventory-not-run",
    ),
    "a test that nobody collected": (
        lambda f: f.change("gw0", lambda records: records[-2][1].update(id="suites/test_b1.py::test_other")),
        "inventory-uncollected",
    ),
    "a run of what was deselected": (
        lambda f: f.change("gw0", lambda records: records[-2][1].update(id="suites/test_b1.py::test_slow")),
        "inventory-deselected",
    ),
    "a crash kept quiet": (lambda f: f.change("main", lambda records: records.pop(-2)), "crash-unrecorded"),
    "a verdict claimed": (lambda f: claim(f.folder, passed) or f.seal(), "summary-mismatch"),
    "a decision claimed": (
        lambda f: claim(f.folder, lambda document: document.update(decision="GO", permission=2)) or f.seal(),
        "summary-mismatch",
    ),
    "a criterion left out": (
        lambda f: claim(f.folder, lambda document: document.update(criteria=[])) or f.seal(),
        "summary-mismatch",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_both_find_the_same_of_each_damage(forger, name, ask_both):
    damage, code = DAMAGES[name]
    damage(forger)
    both = ask_both(forger.folder)
    assert code in both.ours["codes"], both
    assert code in both.theirs["codes"], both
    assert both.disagreements == {}
    assert both.outcome == ("unsealed" if code.startswith("unsealed") else "untrusted")


def changed(document):
    """Each field of a document removed, retyped, emptied, or one added: (where, the changed document)."""
    for keys in list(fields(document)):
        for word, change in CHANGES.items():
            other = copy.deepcopy(document)
            place = other
            for key in keys[:-1]:
                place = place[key]
            change(place, keys[-1])
            if other != document:
                yield f"{'.'.join(map(str, keys))} {word}", other


def fields(value):
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (key,)
        yield from ((key, *rest) for rest in fields(one))


CHANGES = {
    "removed": lambda place, key: place.pop(key),
    "null": lambda place, key: place.__setitem__(key, None),
    "text": lambda place, key: place.__setitem__(key, "x"),
    "number": lambda place, key: place.__setitem__(key, 7),
    "list": lambda place, key: place.__setitem__(key, []),
}


def test_both_agree_on_every_field_of_every_record_forged(forger, ask_both, tally):
    """Chains and manifest are mended each time, so that only what the records say can be wrong."""
    asked, strange = 0, []
    for process in ("main", "gw0", "gw1"):
        kept = forger.records(process)
        for at, (kind, body) in enumerate(kept):
            for where, other in changed(body):
                forger.rechain(process, [*kept[:at], (kind, other), *kept[at + 1 :]])
                forger.seal()
                both, asked = ask_both(forger.folder), asked + 1
                if both.disagreements or both.ours["outcome"] != both.theirs["outcome"]:
                    strange.append(f"{process} {at} {kind} {where}")
        forger.rechain(process, kept)
    tally(asked - len(strange), asked, "forged records of which both verifiers say the same")
    # A present fact must have a value: a rule of the first verifier that no schema tells.
    assert strange == ["main 2 fact fact.value removed", "main 2 fact fact.value null"]
    assert asked > 500


def test_both_agree_on_every_field_of_a_documents_record_forged(forger, ask_both):
    """Also where the criterion asks for none, or is none of the plan's."""
    said = {"criterion": "B1.charter", "document": "a.md", "path": "attachments/a.md", "bytes": 1, "sha256": "x"}
    said |= {"statement": "said", "signature": "signed"}
    kept, asked = forger.records("main"), 0
    for where, other in [("as it is", said), *changed(said), ("of another", {**said, "criterion": "B1.latency"})]:
        forger.rechain("main", [*kept[:-1], ("document", other), kept[-1]])
        forger.seal()
        both, asked = ask_both(forger.folder), asked + 1
        assert both.disagreements == {}, where
        assert both.ours["outcome"] == both.theirs["outcome"], where
    assert asked > 30


def test_both_find_every_byte_that_was_changed(forger, ask_both, second, tally):
    """Every fifth byte, by one bit, of every file: neither believes one."""
    found = asked = 0
    for path in sorted(one for one in forger.folder.rglob("*") if one.is_file()):
        data = path.read_bytes()
        for at in range(0, len(data), 5):
            path.write_bytes(data[:at] + bytes([data[at] ^ (1 << (at % 7))]) + data[at + 1 :])
            both, asked = ask_both(forger.folder), asked + 1
            found += both.outcome == "untrusted"
        path.write_bytes(data)
    tally(found, asked, "mutations of an unsigned bundle found by both verifiers")
    assert found == asked > 1900
    assert ask_both(forger.folder).outcome == "sound"


def test_a_bundle_that_is_too_large_is_refused_and_not_read(forger, monkeypatch, second):
    monkeypatch.setattr(second, "FILES", 5)
    check = second.Check(forger.folder)
    assert check.found.keys() == {(1, "too-many-files", "")}
    assert check.steps[3] == ["not-checked", ""]


def test_reading_writes_nothing(kept, ask_both):
    def seen():
        return {path: path.stat().st_mtime_ns for path in Path(kept["small"]).rglob("*")}

    before = seen()
    ask_both(kept["small"])
    assert seen() == before
