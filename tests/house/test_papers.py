"""The house's papers: links lead somewhere, tables are complete, words have one meaning."""

import ast
import configparser
import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_spiral.cli.main import COMMANDS
from pytest_spiral.model.exchange import Code
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.gate import Statistic
from pytest_spiral.model.profile import KNOWN_FACTS, OPEN_FAMILIES
from pytest_spiral.model.verdict import Decision, Verdict
from pytest_spiral.plugin.hookspecs import pytest_spiral_judged
from pytest_spiral.plugin.options import add_options
from pytest_spiral.rules.integrity import REASONS
from pytest_spiral.rules.requirements.terms import Named
from pytest_spiral.rules.statistics import Qualifier, Reason
from pytest_spiral.rules.statuses import TABLE
from pytest_spiral.run import gates

# The text at apache.org/licenses/LICENSE-2.0.txt.
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^(```|~~~).*?^\1\s*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
MACHINE = re.compile(r"(?<![\w.:$}>/*~-])/(?:home|root|Users|work|mnt|workspace|srv)/[A-Za-z.]")
KINDS_OF_NEWS = ("feature", "bugfix", "doc", "removal", "misc")


def without_code(text: str) -> str:
    return CODE.sub("", text)


def links(text: str) -> Iterator[str]:
    """Local links of a document, code left out."""
    for target in LINK.findall(CODE.sub("", text)):
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(text: str) -> set[str]:
    """Headings as the names under which a page can be linked to."""
    heads = re.findall(r"^#+\s+(.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def broken_links(path: str, text: str, root: Path) -> list[str]:
    found = []
    for link in links(text):
        name, _, anchor = link.partition("#")
        target = (root / path).parent / name if name else root / path
        missing_anchor = (
            anchor and target.suffix == ".md" and target.is_file() and anchor not in anchors(target.read_text())
        )
        if not target.exists() or missing_anchor:
            found.append(link)
    return found


def rows(text: str) -> list[list[str]]:
    """Cells of every row of every table."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def in_code(text: str) -> set[str]:
    """Everything that stands in code spans."""
    return set(re.findall(r"`([^`\n]+)`", text))


def test_every_local_link_leads_somewhere(documents, root):
    broken = {path: found for path, text in documents.items() if (found := broken_links(path, text, root))}
    assert broken == {}


def test_a_broken_link_is_found(root):
    assert broken_links("README.md", "see [this](docs/nowhere.md)", root) == ["docs/nowhere.md"]
    assert broken_links("README.md", "see [this](docs/glossary.md#no-such-heading)", root)
    assert broken_links("README.md", "see [this](docs/glossary.md#verdicts) and `[no](link)`", root) == []


def test_documents_that_the_code_names_are_there(modules, root):
    named = {(path, one) for path, source in modules.items() for one in re.findall(r"docs/[\w./-]+\.md", source)}
    assert named, "then nothing in the code names a page any more"
    assert [pair for pair in sorted(named) if not (root / pair[1]).is_file()] == []


def test_the_manual_lists_every_page(documents):
    listed = set(links(documents["docs/README.md"]))
    pages = {path.removeprefix("docs/") for path in documents if re.fullmatch(r"docs/[\w-]+\.md", path)}
    assert pages - {"README.md"} <= listed


def test_the_readme_is_short(documents):
    text = documents["README.md"]
    assert len(text.splitlines()) <= 150
    assert "make gate" in text
    assert "make test" in text
    assert "![" not in text, "no badges and no pictures from elsewhere"


def test_the_map_names_every_folder(documents, root):
    drawn = documents["README.md"].partition("## Map of the house")[2]
    folders = {path.name for path in root.iterdir() if path.is_dir() and (path / "__init__.py").is_file()}
    folders |= {
        path.name for path in (root / "pytest_spiral").iterdir() if path.is_dir() and path.name != "__pycache__"
    }
    assert {name for name in folders if f"{name}/" not in drawn} == set()


def test_the_licence_is_whole(root):
    assert hashlib.sha256((root / "LICENSE").read_bytes()).hexdigest() == APACHE_2


def test_every_decision_is_listed(documents):
    index = documents["docs/adr/README.md"]
    records = [path for path in documents if re.fullmatch(r"docs/adr/\d{4}-[a-z0-9-]+\.md", path)]
    numbers = sorted(Path(path).name[:4] for path in records)
    assert numbers == [f"{number:04}" for number in range(len(records))]
    assert [path for path in records if Path(path).name not in index] == []


@pytest.mark.parametrize("heading", ["Status", "Question", "Decision", "Why", "What follows"])
def test_every_decision_has_every_part(documents, heading):
    records = {path: text for path, text in documents.items() if re.fullmatch(r"docs/adr/\d{4}-.*\.md", path)}
    wanted = "- Status:" if heading == "Status" else f"\n## {heading}\n"
    assert [path for path, text in records.items() if wanted not in text] == []


def test_every_news_fragment_is_of_a_kind_that_is_shown(root):
    names = [path.name for path in (root / "changelog.d").iterdir() if path.name != "README.md"]
    wrong = [name for name in names if not re.fullmatch(rf"(\+[\w-]+|\d+)\.({'|'.join(KINDS_OF_NEWS)})\.md", name)]
    assert wrong == []


def test_the_changelog_says_where_news_are_put(root):
    marker = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["towncrier"]["start_string"]
    assert marker in (root / "CHANGELOG.md").read_text()


def test_nothing_names_a_path_of_a_machine(texts):
    found = {path: match[0] for path, text in texts.items() if path != "LICENSE" and (match := MACHINE.search(text))}
    assert found == {}


@pytest.mark.parametrize("text", ["see /" + "home/anna/x", '"/' + "root/.cache", "=/" + "Users/Anna"])
def test_a_path_of_a_machine_is_found(text):
    assert MACHINE.search(text)


def test_the_project_is_described_in_one_place(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert importlib.metadata.metadata("pytest-spiral")["Summary"] == project["description"]
    assert project["readme"] == "README.md"


# Tables of the manual against the program


class Offered:
    """Takes what `add_options` registers."""

    def __init__(self) -> None:
        self.options: list[str] = []
        self.ini: list[str] = []

    def getgroup(self, *_: str) -> "Offered":
        return self

    def addoption(self, flag: str, **_: Any) -> None:
        self.options.append(flag)

    def addini(self, name: str, *_: Any, **__: Any) -> None:
        self.ini.append(name)


def test_every_option_and_ini_key_is_described(documents):
    offered = Offered()
    add_options(offered)
    table = [row for row in rows(documents["docs/hooks.md"]) if "spiral" in row[0] + row[1]]
    described = {word.partition("=")[0] for row in table for cell in row[:2] for word in in_code(cell)}
    assert offered.options
    assert offered.ini
    assert described >= {*offered.options, *offered.ini}
    assert {word for word in described if word.startswith("--")} == set(offered.options), "an option that is not there"


def test_every_fixture_and_the_hook_are_described(documents):
    from pytest_spiral import plugin

    text = in_code(documents["docs/hooks.md"])
    assert {name for name in plugin.__all__ if not any(name in one for one in text)} == set()
    assert any(one.startswith(f"{pytest_spiral_judged.__name__}(config, judgement, bundle)") for one in text)


def test_every_command_is_described(documents):
    manual = "\n".join(text for path, text in documents.items() if path.startswith(("docs/", "README")))
    assert {one.name for one in COMMANDS if f"spiral {one.name}" not in manual} == set()


@pytest.mark.parametrize("heading", ["Keys of a gate", "Keys of a criterion"])
def test_every_key_of_a_gates_file_is_described(documents, heading):
    part = documents["docs/writing-a-gate.md"].partition(f"### {heading}\n")[2].partition("\n#")[0]
    described = {word for row in rows(part) for word in in_code(row[0])}
    keys = {"Keys of a gate": gates._GATE_KEYS, "Keys of a criterion": gates._CRITERION_KEYS}[heading]
    assert described == set(keys)


def test_the_table_of_keys_says_which_are_part_of_the_bar(documents):
    part = documents["docs/writing-a-gate.md"].partition("### Keys of a criterion\n")[2].partition("\n## ")[0]
    judging = {word for row in rows(part) if row[1] == "yes" for word in in_code(row[0])}
    from pytest_spiral.model.gate import Criterion

    fields = {"limit" if name == "limits" else name for name in Criterion.__struct_fields__}
    assert judging == fields


def test_every_statistic_that_can_be_written_is_described(documents):
    part = documents["docs/writing-a-gate.md"].partition("## Limits\n")[2].partition("\n## ")[0]
    words = {re.split(r"[( ]", one)[0] for row in rows(part) for one in in_code(row[0])}
    known = set(Statistic.__args__) - {"quantile", "regression"}
    assert words == {*known, "p95", "p95-regression"}


def test_every_fact_is_described(documents):
    described = {word for row in rows(documents["docs/profiles.md"]) for word in in_code(row[0])}
    assert described == {*KNOWN_FACTS, *(str(Named(f"{family}.NAME")) for family in OPEN_FAMILIES)}


def test_the_kinds_of_facts_are_those_of_the_program(documents):
    table = {word: row[1] for row in rows(documents["docs/profiles.md"]) for word in in_code(row[0])}
    assert {name: table[name] for name in KNOWN_FACTS} == dict(KNOWN_FACTS)


def test_the_table_of_codes_is_that_of_the_program(documents):
    shown = [row for row in rows(documents["docs/transports.md"]) if row[0].strip("`") in set(Code)]
    table = [[f"`{row.code}`", ", ".join(map(str, row.http)), ", ".join(row.grpc)] for row in TABLE]
    assert shown == [*table, ["`malformed-reply`", "", ""]]
    assert len(shown) == len(Code)


def test_every_reason_of_the_verifier_is_in_the_manual_as_the_program_says_it(documents):
    part, _, rest = documents["docs/reason-codes.md"].partition("### Step 9")
    listed = [*rows(part), *(row for row in rows(rest.partition("## Verdicts")[0]) if row[0].strip("`") in REASONS)]
    shown = {row[0].strip("`"): row[1:] for row in listed if row[0].startswith("`")}
    assert shown == {one.code: [one.meaning, one.remedy] for one in REASONS.values()}


def codes_of_the_judge(root: Path) -> set[str]:
    """Codes that the judging rules give: literal arguments of findings, keys of `VERDICTS`, those of the statistics."""
    found = {str(one) for one in Reason}
    for path in (root / "pytest_spiral" / "rules" / "judge").glob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = {"Finding": 1, "PopulationError": 0}.get(node.func.id, len(node.args))
                found |= {one.value for one in node.args[place : place + 1] if isinstance(one, ast.Constant)}
            if isinstance(node, ast.keyword) and node.arg == "reason" and isinstance(node.value, ast.Constant):
                found.add(node.value.value)
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "VERDICTS":
                found |= {one.value for table in ast.walk(node) if isinstance(table, ast.Dict) for one in table.keys}
            if isinstance(node, ast.Dict):
                pairs = [one.elts[0] for one in node.values if isinstance(one, ast.Tuple) and len(one.elts) == 2]
                found |= {one.value for one in pairs if isinstance(one, ast.Constant)}
    return {one for one in found if isinstance(one, str) and one}


def test_every_reason_of_a_verdict_is_in_the_manual(documents, root):
    part = documents["docs/reason-codes.md"].partition("## Verdicts")[2]
    described = {word for row in rows(part) for word in in_code(row[0])}
    codes = codes_of_the_judge(root)
    assert {"planned", "not-delivered", "point-only", "blocked"} <= codes, (
        "then codes are looked for in the wrong place"
    )
    assert codes - described == set()
    assert described - codes - {str(one) for one in Qualifier} - {"marginal"} == set(), "a code that nothing gives"


def test_every_fault_is_described(documents, root):
    table = tomllib.loads((root / "spiral_sandbox" / "faults.toml").read_text())["fault"]
    shown = {row[0].strip("`"): row[1:] for row in rows(documents["docs/sandbox.md"]) if "." in row[0]}
    for fault in table:
        blocks = f"; blocks {', '.join(fault['blocks'])}" if fault["blocks"] else ""
        starves = f"; starves {', '.join(fault['starves'])}" if fault.get("starves") else ""
        assert shown.pop(fault["name"]) == [fault["what"], ", ".join(fault["breaks"]) + blocks + starves]
    assert shown == {}


# Words


@pytest.mark.parametrize("kind", [Verdict, Decision, Fidelity])
def test_every_word_of_the_program_is_in_the_glossary(documents, kind):
    text = documents["docs/glossary.md"]
    assert [str(one) for one in kind if str(one) not in text] == []


def test_words_to_avoid_are_avoided(documents):
    table = rows(documents["docs/glossary.md"].partition("## Words to avoid")[2])[2:]
    words = [row[0].partition(",")[0] for row in table]
    assert len(words) >= 5
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, words))})s?\b", re.IGNORECASE)
    ours = {path: without_code(text) for path, text in documents.items() if not path.startswith("spiral_contract/")}
    ours["docs/glossary.md"] = ours["docs/glossary.md"].partition("## Words to avoid")[0]
    found = {path: match[0] for path, text in ours.items() if (match := pattern.search(text))}
    assert found == {}


# What continuous integration runs


def test_ci_runs_every_check_and_ends_with_the_gate(root):
    script = root / ".ci" / "run"
    lines = script.read_text().splitlines()
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in lines
    made = [line.strip() for line in lines if line.strip().startswith(("make ", "if ! make"))]
    assert made == ["make test", "if ! make gate; then", "make gate"]
    assert lines[-2:] == ["  make gate", "fi"]
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


def test_hooks_before_a_commit_call_the_projects_own_tools(root):
    lines = (root / ".pre-commit-config.yaml").read_text().splitlines()
    assert [line.strip() for line in lines if "- repo:" in line] == ["- repo: local"]
    entries = [line.split()[1] for line in lines if line.strip().startswith("entry:")]
    assert len(entries) >= 4
    assert [one for one in entries if not one.startswith(".venv/bin/")] == []
    assert [one for one in entries if not Path(sys.executable).with_name(Path(one).name).exists()] == []


def test_only_the_readme_of_reports_is_kept(root):
    lines = [line for line in (root / "reports" / ".gitignore").read_text().splitlines() if not line.startswith("#")]
    assert lines == ["*", "!.gitignore", "!README.md"]


def test_the_layers_drawn_are_the_layers_checked(documents, root):
    config = configparser.ConfigParser()
    config.read(root / ".importlinter")
    checked = [
        {word.strip(" ()") for word in line.split("|")}
        for line in config["importlinter:contract:layers"]["layers"].split("\n")
        if line.strip()
    ]
    drawing = documents["ARCHITECTURE.md"].partition("## Who may import whom\n\n```text\n")[2].partition("```")[0]
    drawn = [set(re.split(r"\s{3,}", line)[0].split()) for line in drawing.splitlines()]
    assert [layer - {"schemas"} for layer in checked] == drawn
