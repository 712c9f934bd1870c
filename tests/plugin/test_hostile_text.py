"""Hostile text through every name, reason, sample and attachment of a real run: it acts on no terminal, page or CI log."""

import json
import re
import unicodedata
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from pytest_spiral.cli.main import main

HOSTILE = (
    "\x1b[2J\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\\x07 \u202egnp.exe\u2066 \x9b31m `x` | a \\| b *bold* <script>"
    "alert(1)</script> ]]> <img src=x onerror=y> [go](http://evil.example) &amp; \"' \r\n::error::forged\n"
    "::set-output name=a::b %0A::set-output name=x::y ##[error]forged ##vso[task.complete] \x7f\x85\u2028"
)
PLAIN = {"\n"}
# What TOML can say of it: escapes, in a basic string.
IN_TOML = json.dumps(HOSTILE).replace("\x7f", "\\u007f")

GATES = f"""\
format = 1
[[gate]]
id = "S1"
title = {IN_TOML}
owner = {IN_TOML}
objective = {IN_TOML}
no_control = {IN_TOML}
due = "S9"
[[gate.criterion]]
id = "S1.search"
promise = {IN_TOML}
limit = "failures(search) <= 0"
samples = 3
[[gate.criterion]]
id = "S1.plain"
promise = {IN_TOML}
limit = "rate(plain) >= 90 %"
samples = 3
confidence = "none"
confidence_reason = {IN_TOML}
[[gate.criterion]]
id = "S1.pairs"
limit = "equal(left, right)"
samples = 2
[[gate.criterion]]
id = "S1.broken"
limit = "failures(broken) <= 0"
samples = 1
[[gate.criterion]]
id = "S1.skipped"
limit = "failures(skipped) <= 0"
samples = 1
[[gate.criterion]]
id = "S1.blocked"
limit = "failures(blocked) <= 0"
samples = 1
[[gate.criterion]]
id = "S1.needs"
limit = "failures(needs) <= 0"
samples = 1
requires = "module.no_such_module_anywhere"
"""
TESTS = f"""\
HOSTILE = {HOSTILE!a}

@pytest.mark.criterion("S1.search")
@pytest.mark.parametrize("word", ["a"], ids=[HOSTILE])
def test_search(spiral, word):
    with spiral.measure("search") as m:
        m.miss(HOSTILE)
        m.failed(HOSTILE)
        m.failed("lone \\ud800 surrogate")
    spiral.attach(HOSTILE.encode(), name=HOSTILE + ".txt", media_type=HOSTILE)

@pytest.mark.criterion("S1.plain")
def test_plain(spiral):
    with spiral.measure("plain") as m:
        for _ in range(3):
            m.hit()

@pytest.mark.criterion("S1.pairs")
def test_pairs(spiral):
    for name, seen in (("left", 1), ("right", HOSTILE)):
        with spiral.measure(name) as m:
            m.item(HOSTILE, seen)
            m.item("other", [HOSTILE])

@pytest.mark.criterion("S1.broken")
def test_broken(spiral):
    with spiral.measure("broken") as m:
        m.hit()
    raise RuntimeError(HOSTILE)

@pytest.mark.criterion("S1.skipped")
def test_skipped(spiral):
    pytest.skip(HOSTILE)

@pytest.mark.criterion("S1.blocked")
def test_blocked(spiral):
    spiral.blocked(HOSTILE)

@pytest.mark.criterion("S1.needs")
def test_needs(spiral):
    raise AssertionError(HOSTILE)
"""


def unseen(text):
    """Characters that act or that a reader cannot see, line ends apart."""
    return {one for one in text if unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} - PLAIN


def commands(text):
    """Lines that a CI runner would take for a command."""
    return [line for line in text.splitlines() if line.lstrip().startswith("::") or "##[" in line or "##vso[" in line]


class Tags(HTMLParser):
    """Collects the tags and attributes of a page."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)
        self.found |= {name for name, _ in attrs}
        self.found |= {value for name, value in attrs if name in ("src", "href") and not value.startswith("data:")}


def tags(page):
    parser = Tags()
    parser.feed(page)
    return parser.found


@pytest.fixture(scope="module")
def _hostile_is_hostile():
    assert unseen(HOSTILE) >= {"\x1b", "\u202e", "\x9b", "\u2028"}
    assert commands(HOSTILE)
    assert tags(HOSTILE) >= {"script", "onerror", "x"}


@pytest.fixture
def ran(lab, monkeypatch, _hostile_is_hostile):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    lab.write("gates.toml", GATES)
    lab.test(TESTS)
    return lab.run


@pytest.fixture
def command(lab, capsys, monkeypatch):
    """Run `spiral` in the lab's folder; gives status, output and errors."""

    def run(*arguments):
        monkeypatch.chdir(lab.path)
        capsys.readouterr()
        status = main([str(one) for one in arguments])
        return (status, *capsys.readouterr())

    return run


def summary_of(out):
    """The product's own part of what pytest printed."""
    lines = out.splitlines()
    start = next(at for at, line in enumerate(lines) if "─ spiral: " in line)
    end = next(at for at, line in enumerate(lines) if line.startswith(" check it"))
    return "\n".join(lines[start : end + 1])


def test_the_terminal_shows_it_and_does_not_obey(ran):
    found = ran("-rN", "--tb=no", "-q")
    shown = summary_of(found.out)
    assert unseen(shown) == set()
    assert commands(shown) == []
    assert "\\x1b[2J" in shown
    assert found.verdicts == {
        "S1.search": "fail",
        "S1.plain": "pass",
        "S1.pairs": "fail",
        "S1.broken": "invalid",
        "S1.skipped": "not-run",
        "S1.blocked": "not-run",
        "S1.needs": "environment-limited",
    }


def test_the_pages_show_it_and_do_not_obey(ran):
    folder = ran("--tb=no").bundle
    pages = [folder / "summary.md", folder / "change_notes.md"]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert unseen(text) == set()
        assert "<script" not in text
        assert "](http://evil" not in text
        assert commands(text) == []
    tables = [line for line in pages[0].read_text().splitlines() if line.startswith("|")]
    bars = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in tables}
    assert tables
    assert len(bars) <= len(re.findall(r"^\|(?: ?:?-+:? ?\|)+$", "\n".join(tables), re.MULTILINE))


def test_allure_shows_it_and_does_not_obey(ran):
    folder = ran("--tb=no").bundle / "allure-results"
    own = [json.loads(path.read_bytes()) for path in folder.glob("*-result.json")]
    own = [one for one in own if any(label["name"] == "outcome" for label in one["labels"])]
    criteria = [one for one in own if one.get("fullName", "").startswith("S1.")]
    assert len(criteria) == 7
    for one in criteria:
        assert [text for text in strings(one) if unseen(text)] == []
        page = one.get("descriptionHtml", "")
        assert tags(page) & {"script", "onerror", "x", "http://evil.example"} == set()
    for picture in folder.glob("*.svg"):
        ET.parse(picture)  # noqa: S314 - made here
        assert "<script" not in picture.read_text()
    assert unseen((folder / "environment.properties").read_text()) == set()


def test_junit_shows_it_and_does_not_obey(ran, lab):
    """pytest writes that file; what we raise, skip with and are given stands in it as text."""
    ran("--tb=short", "--junitxml=junit.xml", "-o", "junit_logging=all")
    raw = (lab.path / "junit.xml").read_bytes()
    tree = ET.fromstring(raw)  # noqa: S314 - made here
    assert {one.tag for one in tree.iter()} <= {
        "testsuites", "testsuite", "testcase", "failure", "error", "skipped", "system-out", "system-err", "properties",
        "property",
    }  # fmt: skip
    assert len(tree.findall(".//testcase")) == 7
    told = "".join(text for one in tree.iter() for text in (one.text or "", *one.attrib.values()))
    assert "<script>alert(1)</script>" in told
    assert unseen(raw.decode()) <= {"\r", "\x7f", "\x85", "\x9b", "\u202e", "\u2066", "\u2028"}  # XML 1.0 allows them
    assert b"<script" not in raw


def strings(value):
    """Every text in a JSON value."""
    if isinstance(value, dict):
        return [text for one in value.values() for text in strings(one)]
    if isinstance(value, list):
        return [text for one in value for text in strings(one)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("name", ["show", "why", "verify"])
def test_the_commands_show_it_and_do_not_obey(ran, command, name):
    folder = ran("--tb=no").bundle
    arguments = {"show": [folder], "why": ["S1", "--bundle", folder], "verify": [folder]}[name]
    status, out, err = command(name, *arguments)
    assert status == {"verify": 1}.get(name, 0)
    assert unseen(out + err) == set()
    assert commands(out + err) == []


def test_why_a_criterion_shows_it_and_does_not_obey(ran, command):
    folder = ran("--tb=no").bundle
    for one in ("search", "plain", "pairs", "broken", "skipped", "needs"):
        _, out, err = command("why", f"S1.{one}", "--bundle", folder)
        assert unseen(out + err) == set()
        assert commands(out + err) == []


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("why", HOSTILE), 2), (("show", HOSTILE), 2), (("verify", HOSTILE), 2), (("selftest", HOSTILE), 2)],
)
def test_an_error_that_quotes_it_does_not_obey(ran, command, arguments, status):
    folder = ran("--tb=no").bundle
    more = ["--bundle", folder] if arguments[0] == "why" else []
    found, out, err = command(*arguments, *more)
    assert found == status
    assert unseen(out + err) == set()
    assert commands(out + err) == []


def test_a_gates_file_that_is_refused_is_quoted_and_not_obeyed(lab, command):
    lab.write("gates.toml", GATES.replace('id = "S1.search"', f"id = {IN_TOML}"))
    found, out, err = command("selftest")
    assert found == 2
    assert unseen(out + err) == set()
    assert commands(out + err) == []


# annotations


def annotations(out):
    return [line for line in out.splitlines() if line.startswith(("::error ", "::warning "))]


def test_ci_gets_one_annotation_for_each_criterion_in_the_way(ran, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    out = ran("--tb=no", "-q", "-rN").out
    found = annotations(out.partition(" check it")[2])
    titles = [re.search(r"title=(S1\.[a-z]+) ", line)[1] for line in found]
    kinds = {line.partition(" ")[0] for line in found}
    assert sorted(titles) == ["S1.blocked", "S1.broken", "S1.needs", "S1.pairs", "S1.search", "S1.skipped"]
    assert kinds == {"::error", "::warning"}
    assert [line for line in found if line.startswith("::warning") and "S1.needs" not in line] == []
    for line in found:
        assert unseen(line) == set()
        assert "file=gates.toml,line=" in line
        message = re.fullmatch(r"::(?:error|warning) [^:]*::(.*)", line)[1]
        assert "%0A" not in message.replace("%250A", "")


def test_without_a_ci_runner_there_are_no_annotations(ran):
    assert annotations(ran("--tb=no", "-q", "-rN").out) == []


def test_no_evidence_is_annotated_too(lab, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    lab.smallest()
    lab.write("conftest.py", "import pytest\n@pytest.fixture\ndef client():\n    pytest.exit('over', returncode=0)\n")
    out = lab.run("-q").out
    assert [line for line in annotations(out) if "title=spiral%3A no evidence" in line], out


def test_words_of_the_command_line_need_not_be_text(lab):
    lab.smallest()  # without workers: xdist itself cannot hand such a word to one
    ran = lab.run("--junit-prefix=\udcff")
    start = json.loads((ran.bundle / "bundle.json").read_text())
    assert "--junit-prefix=\\udcff" in start["argv"]
    assert ran.checked.report.outcome == "sound", ran.out


# what is meant for a program, read by a person


def test_a_judgement_is_byte_for_byte_its_summary_in_a_pipe(ran, command):
    folder = ran("--tb=no").bundle
    _, out, _ = command("judge", folder)
    assert out.encode() == (folder / "summary.json").read_bytes()
    assert unseen(out) != set()  # so the terminal's own test, below, tests something


def test_a_judgement_on_a_terminal_does_not_act(ran, command, monkeypatch):
    folder = ran("--tb=no").bundle
    monkeypatch.setattr("pytest_spiral.cli.main._on_terminal", lambda: True)
    _, out, _ = command("judge", folder)
    assert unseen(out) == set()
