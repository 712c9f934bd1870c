"""`spiral`: each command, its exit status, and what wrong use is told."""

import hashlib
import json
import os
import re
import subprocess
import sys

import pytest

from pytest_spiral.cli.main import COMMANDS, _parser
from pytest_spiral.cli.manual import parsers_of

REHASH = {"sha256": lambda data: "sha256:" + hashlib.sha256(data).hexdigest(), "bytes": len}


def rehashed(folder, path):
    """Bring the manifest in line with a changed file, as someone would who wants it to pass."""
    manifest = folder / "manifest.json"
    document = json.loads(manifest.read_text())
    data = (folder / path).read_bytes()
    (entry,) = [one for one in document["files"] if one["path"] == path]
    entry.update({key: of(data) for key, of in REHASH.items()})
    manifest.write_text(json.dumps(document, separators=(",", ":"), sort_keys=True))


# What is common to all


@pytest.mark.parametrize("command", [one.name for one in COMMANDS])
def test_every_command_explains_itself(spiral_command, command):
    said = spiral_command(command, "--help")
    assert said.status == 0
    assert f"usage: spiral {command}" in said.out


def test_help_lists_every_command(spiral_command):
    said = spiral_command("--help")
    assert said.status == 0
    assert {one.name for one in COMMANDS} == set(re.findall(r"^    ([a-z]+)\b", said.out, re.MULTILINE))


def test_help_of_all_has_every_command_and_every_option(spiral_command):
    said = spiral_command("help", "--all")
    assert said.status == 0
    parsers = list(parsers_of(_parser()))
    assert {f"spiral {one.name}" for one in COMMANDS} < {one.prog for one in parsers}
    assert "spiral key revoke" in {one.prog for one in parsers}
    seen = " ".join(said.out.split())
    for parser in parsers:
        assert " ".join(parser.format_usage().split()) in seen
        for action in parser._actions:
            names = action.option_strings or [str(action.metavar or action.dest).split("[")[0]]
            assert [name for name in names if name not in said.out] == [], parser.prog
            assert action.help is None or " ".join((action.help % vars(action)).split()) in seen, (
                parser.prog,
                action.dest,
            )
    assert [line for line in said.out.splitlines() if "\x1b" in line] == []


@pytest.mark.parametrize("words", [("verify",), ("key", "new"), ("help",), ()])
def test_help_of_one_command_is_its_own(spiral_command, words):
    assert spiral_command("help", *words).out == spiral_command(*words, "--help").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("verfy",), "spiral: spiral verfy is no command. Remedy: did you mean spiral verify?\n"),
        (("xyz",), "spiral: spiral xyz is no command. Remedy: spiral help lists all of them.\n"),
        (("verify", "--all"), "spiral: spiral help takes a command or --all, not both.\n"),
    ],
)
def test_help_of_what_is_no_command_is_wrong_use(spiral_command, words, said):
    found = spiral_command("help", *words)
    assert (found.status, found.out, found.err) == (2, "", said)


@pytest.mark.parametrize("arguments", [(), ("frobnicate",), ("verify",), ("verify", "x", "--require", "maybe")])
def test_wrong_arguments_end_with_2(spiral_command, arguments):
    assert spiral_command(*arguments).status == 2


@pytest.mark.parametrize("command", ["verify", "show", "judge"])
def test_a_folder_that_is_not_there_is_wrong_use(spiral_command, command):
    said = spiral_command(command, "no-such-folder")
    assert (said.status, said.err) == (2, "spiral: no-such-folder is no folder.\n")


@pytest.mark.parametrize("arguments", [("show",), ("why", "S1")])
def test_without_a_bundle_the_remedy_is_named(spiral_command, arguments):
    said = spiral_command(*arguments)
    assert said.status == 2
    assert said.err == "spiral: there is no bundle under reports/. Remedy: pytest -m stage_b --spiral-evidence.\n"


def test_a_reader_that_has_seen_enough_is_no_error(kept_bundles):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "pytest_spiral.cli.main", "verify", str(kept_bundles["conditional"])],
            stdout=closed, stderr=subprocess.PIPE, check=False, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")


# init


def test_init_writes_a_gate_that_runs(spiral_command, tmp_path):
    said = spiral_command("init")
    assert said.status == 0
    assert "wrote gates.toml\nwrote test_search.py\n" in said.out
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--spiral-evidence", "-p", "no:cacheprovider"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert re.search(r"S1 Search answers in time +GO", done.stdout)


@pytest.mark.parametrize("name", ["gates.toml", "test_search.py"])
def test_init_overwrites_nothing(spiral_command, tmp_path, name):
    (tmp_path / name).write_text("mine")
    said = spiral_command("init")
    assert said.status == 2
    assert said.err == f"spiral: {name} is already there; nothing was written.\n"
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {name: "mine"}


def test_init_makes_the_folder_it_is_given(spiral_command, tmp_path):
    assert spiral_command("init", "new/suite").status == 0
    assert (tmp_path / "new/suite/gates.toml").is_file()


def test_init_says_where_it_cannot_write(spiral_command, tmp_path):
    (tmp_path / "taken").write_text("a file")
    said = spiral_command("init", "taken/suite")
    assert said.status == 2
    assert said.err == "spiral: cannot write to taken/suite: Not a directory.\n"


# doctor


def test_doctor_says_what_is_missing_and_how_it_looked(spiral_command, tmp_path):
    (tmp_path / "gates.toml").write_text(
        'format = 1\n[[gate]]\nid = "S1"\ntitle = "T"\nowner = "@o"\nno_control = "none"\n'
        '[[gate.criterion]]\nid = "S1.native"\nlimit = "failures(a) <= 0"\nsamples = 1\n'
        'requires = "module.no_such_module_anywhere"\n'
        '[[gate.criterion]]\nid = "S1.live"\nlimit = "failures(b) <= 0"\nsamples = 1\nfidelity = "live"\n'
        '[[gate.criterion]]\nid = "S1.later"\nplanned = true\n'
        '[[gate.criterion]]\nid = "S1.here"\nlimit = "failures(c) <= 0"\nsamples = 1\nrequires = "cpu.cores >= 1"\n'
    )
    said = spiral_command("doctor")
    assert said.status == 0
    assert re.search(r"cpu\.cores +present +\d+", said.out)
    assert "needs module.no_such_module_anywhere, which is absent: find_spec found no module" in said.out
    assert "S1.live    needs a live target; on a lesser one a pass is a condition" in said.out
    assert "2 of 4 criteria need nothing that is missing here, 1 of them planned and without tests" in said.out
    assert "S1.here" not in said.out


def test_doctor_names_an_unknown_target(spiral_command):
    said = spiral_command("doctor", "--target", "nowhere")
    assert said.status == 2
    assert "nowhere" in said.err


# verify


@pytest.mark.parametrize(
    ("name", "require", "status"),
    [
        ("conditional", "conditional", 0),
        ("conditional", "go", 1),
        ("no-go", "conditional", 1),
        ("unsealed", "conditional", 1),
    ],
)
def test_verify_ends_with_what_is_required(spiral_command, kept_bundles, name, require, status):
    said = spiral_command("verify", kept_bundles[name], "--require", require)
    assert said.status == status
    as_json = json.loads(spiral_command("verify", kept_bundles[name], "--require", require, "--json").out)
    assert as_json["status"] == status
    codes = [one["code"] for one in as_json["report"]["findings"]]
    assert codes == (["unsealed-incomplete"] if name == "unsealed" else [])
    if name == "unsealed":
        assert "NOT SEALED" in said.out
    else:
        assert "sealed, E0: hashes only" in said.out
        assert "signed: none; log: none" in said.out


def test_a_digit_changed_in_a_sample_names_the_file(spiral_command, bundle):
    folder = bundle("conditional")
    (file,) = [one for one in folder.glob("samples/*/*") if "4.5" in one.read_text()]
    file.write_text(file.read_text().replace("4.5", "4.6", 1))
    said = spiral_command("verify", folder)
    assert said.status == 3
    assert "digest-mismatch" in said.out
    assert file.relative_to(folder).as_posix() in said.out
    assert "NOT TO BE TRUSTED" in said.out


def test_a_summary_made_better_is_found_though_every_hash_fits(spiral_command, bundle):
    folder = bundle("no-go")
    summary = folder / "summary.json"
    summary.write_bytes(summary.read_bytes().replace(b'"verdict":"fail"', b'"verdict":"pass"'))
    rehashed(folder, "summary.json")
    said = spiral_command("verify", folder)
    assert said.status == 3
    assert " ".join(said.out.split()).count("found pass for S1.failures, expected fail") == 1
    assert "digest-mismatch" not in said.out
    assert "1 finding; no decision" in said.out


def test_a_decision_made_better_is_found(spiral_command, bundle):
    folder = bundle("no-go")
    summary = folder / "summary.json"
    document = json.loads(summary.read_bytes())
    document["decision"] = "GO"
    summary.write_text(json.dumps(document, separators=(",", ":"), sort_keys=True))
    rehashed(folder, "summary.json")
    said = spiral_command("verify", folder, "--json")
    assert said.status == 3
    (finding,) = json.loads(said.out)["report"]["findings"]
    assert (finding["step"], finding["code"], finding["path"]) == (9, "summary-mismatch", "summary.json")
    assert "found GO, expected NO-GO" in finding["sentence"]


def test_a_summary_taken_away_is_found(spiral_command, bundle):
    folder = bundle("conditional")
    (folder / "summary.json").unlink()
    said = spiral_command("verify", folder)
    assert said.status == 3
    assert "summary.json" in said.out


def test_verify_writes_nothing(spiral_command, bundle):
    folder = bundle("conditional")
    before = {one: one.read_bytes() for one in folder.rglob("*") if one.is_file()}
    spiral_command("verify", folder)
    assert {one: one.read_bytes() for one in folder.rglob("*") if one.is_file()} == before


# show, why


def test_show_takes_the_newest_bundle(spiral_command, bundle):
    bundle("conditional")
    newest = bundle("no-go")
    said = spiral_command("show")
    assert said.status == 0
    assert f"spiral verify reports/run/{newest.name}" in said.out
    assert "failures   fail   1 of 100 failed, limit 0" in said.out


@pytest.mark.parametrize("command", ["show", "judge"])
def test_a_run_that_was_never_sealed_shows_nothing(spiral_command, kept_bundles, command):
    said = spiral_command(command, kept_bundles["unsealed"])
    assert said.status == 2
    assert "is not sealed (incomplete), so it decides nothing. See: spiral verify" in said.err


def test_why_begins_with_what_stands_in_the_way(spiral_command, bundle):
    bundle("no-go")
    said = spiral_command("why", "S1")
    assert said.status == 0
    assert said.out.index("failures") < said.out.index("native")
    assert "find_spec found no module no_such_module_anywhere" in " ".join(said.out.split())
    assert "samples/S1.latency/" in said.out or "samples/S1.failures/" in said.out


def test_why_names_what_there_is_when_asked_for_something_else(spiral_command, bundle):
    bundle("no-go")
    said = spiral_command("why", "S9")
    assert said.status == 2
    assert "S9" in said.err
    assert "S1" in said.err


# judge


@pytest.mark.parametrize("name", ["conditional", "no-go"])
def test_judge_gives_the_same_bytes_again(spiral_command, kept_bundles, name):
    said = spiral_command("judge", kept_bundles[name])
    assert said.out.rstrip("\n") == (kept_bundles[name] / "summary.json").read_text().rstrip("\n")


def test_what_if_is_watermarked_and_changes_nothing_on_disk(spiral_command, bundle, tmp_path):
    folder = bundle("no-go")
    before = (folder / "summary.json").read_bytes()
    gates = (tmp_path / "other.toml").resolve()
    text = (
        'format = 1\n[[gate]]\nid = "S1"\ntitle = "T"\nowner = "@o"\nno_control = "none"\n'
        '[[gate.criterion]]\nid = "S1.failures"\nlimit = "failures(search) <= 1"\nsamples = 100\n'
    )
    gates.write_text(text)
    judged = json.loads(spiral_command("judge", folder, "--limits", gates).out)
    assert judged["watermark"].startswith("WHAT-IF")
    assert {one["id"]: one["verdict"] for one in judged["criteria"]} == {"S1.failures": "pass"}
    assert (folder / "summary.json").read_bytes() == before


def test_what_if_needs_gates_of_that_bundle(spiral_command, kept_bundles, tmp_path):
    (tmp_path / "other.toml").write_text(
        'format = 1\n[[gate]]\nid = "X1"\ntitle = "T"\nowner = "@o"\nplanned = true\n'
        '[[gate.criterion]]\nid = "X1.a"\nplanned = true\n'
    )
    said = spiral_command("judge", kept_bundles["no-go"], "--limits", tmp_path / "other.toml")
    assert said.status == 2
    assert "none of the gates of this bundle: S1" in said.err


def test_a_bundle_that_cannot_be_trusted_is_not_judged(spiral_command, bundle):
    folder = bundle("conditional")
    journal = folder / "journal" / "main.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"kind":"start"', b'"kind":"stort"', 1))
    said = spiral_command("judge", folder)
    assert said.status == 3
    assert said.err.startswith("spiral: ")
