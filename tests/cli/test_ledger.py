"""`spiral ledger`, `spiral status`, `spiral bars`, over ledgers of small runs."""

import json
from pathlib import Path

import pytest

from pytest_spiral.ledger.book import Book
from pytest_spiral.model.entry import AttemptCollected, AttemptOpened, AttemptSealed, Waived
from pytest_spiral.model.gate import Plan
from pytest_spiral.rules.bar import bars_of
from pytest_spiral.rules.canonical import canonical_bytes, digest
from pytest_spiral.run.gates import load_gate_files, make_plan

from .conftest import ONE_GATE

ANY = digest(b"")
BEGAN = 1_795_339_800_000_000


def plan_of(folder: Path) -> Plan:
    return make_plan(load_gate_files(folder, ["gates.toml"]), (), ())


class Keeper:
    """Registers runs of the gates in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wall = iter(range(BEGAN, BEGAN + 10**6))
        self.book = Book(folder / "reports" / "ledger.jsonl", lambda: next(self.wall))
        self.number = 0

    def run(self, word="pass", *, draft=False, seal=True, deadline=BEGAN + 10**9, keep=False):
        self.number += 1
        plan = plan_of(self.folder)
        nonce, data = f"{self.number:032x}", canonical_bytes(plan)
        self.book.append(
            AttemptOpened(
                run=f"run-{self.number}", nonce=nonce, plan=digest(data), bundle=ANY, deadline=deadline, draft=draft,
                criteria=bars_of(plan), target="sandbox",
            ),
            AttemptCollected(nonce=nonce, inventory=ANY),
        )  # fmt: skip
        names = [one.id for one in plan.criteria()]
        if seal:
            verdicts, runs = dict.fromkeys(names, word), dict.fromkeys(names, (word,))
            self.book.append(AttemptSealed(nonce=nonce, manifest=ANY, verdicts=verdicts, runs=runs))
        if keep:
            bundle = self.folder / "reports" / "run" / f"run-{self.number}"
            bundle.mkdir(parents=True)
            (bundle / "plan.json").write_bytes(data)
        return self


@pytest.fixture
def keeper(tmp_path):
    (tmp_path / "gates.toml").write_text(ONE_GATE)
    return Keeper(tmp_path)


@pytest.mark.parametrize(
    "command", [("status",), ("bars",), ("ledger", "show"), ("ledger", "head"), ("ledger", "fsck")]
)
def test_where_there_is_no_ledger_the_command_says_so(spiral_command, command):
    said = spiral_command(*command)
    assert (said.status, said.out) == (2, "")
    assert "there is no ledger at" in said.err


def test_status_counts_attempts_drafts_and_abandoned_runs(spiral_command, keeper):
    keeper.run("fail").run("fail").run("pass").run("pass", draft=True).run(seal=False, deadline=BEGAN)
    said = spiral_command("status")
    assert said.status == 0
    assert said.out.count("attempts 4 of 4: 1 passed, 2 failed, 1 abandoned; 1 draft beside") == 2
    assert "abandoned run-5: opened at entry 13, 2026-11-22T09:30:00Z, not sealed by its deadline" in said.out


def test_status_of_drafts_only_counts_none(spiral_command, keeper):
    keeper.run(draft=True)
    assert "attempts 0; 1 draft beside" in spiral_command("status").out


def test_freshness_is_asked_of_the_newest_sealed_run_and_of_a_draft_only_where_there_is_no_other(
    spiral_command, keeper
):
    def told():
        return " ".join(spiral_command("status", "--fresh").out.partition("inputs since")[2].split())

    keeper.run(seal=False)
    assert told().count("nobody can tell: none of its runs was sealed") == 2
    keeper.run(draft=True)
    assert told().count("its bundle is not under reports on sandbox run-2") == 2
    keeper.run("fail").run("pass").run(draft=True).run(seal=False)
    assert told().count("its bundle is not under reports on sandbox run-4") == 2


def test_show_lists_entries_and_the_last_ones(spiral_command, keeper):
    keeper.run("fail")
    lines = spiral_command("ledger", "show").out.splitlines()
    assert [line.split()[2] for line in lines] == ["ledger", "opened", "collected", "sealed"]
    assert spiral_command("ledger", "show", "--last", 1).out.splitlines() == lines[-1:]


def test_a_head_that_was_kept_finds_a_rollback(spiral_command, keeper, tmp_path):
    keeper.run("fail").run("pass")
    head = spiral_command("ledger", "head")
    assert (head.status, head.out.count("\n"), head.out.split()[0]) == (0, 1, "spiral-head/1")
    (tmp_path / "head").write_text(head.out)
    assert spiral_command("ledger", "fsck", "--head", "head").status == 0
    file = tmp_path / "reports" / "ledger.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:4]))
    assert spiral_command("ledger", "fsck").status == 0
    found = spiral_command("ledger", "fsck", "--head", "head")
    assert (found.status, "ledger-head" in found.out, "NOT TO BE TRUSTED" in found.out) == (3, True, True)


def test_an_edited_ledger_is_not_to_be_trusted(spiral_command, keeper, tmp_path):
    keeper.run("fail").run("pass")
    file = tmp_path / "reports" / "ledger.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"fail"', b'"pass"'))
    found = spiral_command("ledger", "fsck")
    assert (found.status, "ledger-chain" in found.out) == (3, True)
    for command in (
        ("status",),
        ("bars",),
        ("ledger", "show"),
        ("ledger", "head"),
        ("ledger", "export", "--view", "bridge"),
    ):
        said = spiral_command(*command)
        assert (said.status, said.out, "ledger-chain" in said.err) == (3, "", True)


def test_a_file_that_is_no_head_is_refused(spiral_command, keeper):
    keeper.run()
    said = spiral_command("ledger", "fsck", "--head", "gates.toml")
    assert (said.status, "ledger-head-form" in said.err) == (3, True)
    assert spiral_command("ledger", "fsck", "--head", "nowhere").status == 2


def rows(said):
    return [json.loads(line) for line in said.out.splitlines()]


def test_readiness_has_each_criterions_newest_result(spiral_command, keeper):
    keeper.run("fail").run("pass").run("fail", draft=True)
    head, *found = rows(spiral_command("ledger", "export", "--view", "readiness"))
    assert head == {"format": "spiral-ledger-view/1", "rows": 2, "view": "readiness"}
    assert [(one["criterion"], one["verdict"], one["run"]) for one in found] == [
        ("S1.failures", "pass", "run-2"),
        ("S1.latency", "pass", "run-2"),
    ]
    assert {one["attempts"] for one in found} == {"2: 1 passed, 1 failed"}


def test_bridge_has_what_is_owed_and_what_people_signed(spiral_command, keeper):
    keeper.run("environment-limited")
    keeper.book.append(
        Waived(criterion="S1.x", subject="s", environment="e", verdict="fail", reason="known", requester="a",
               approver="b", until=5, signature="")
    )  # fmt: skip
    _, *found = rows(spiral_command("ledger", "export", "--view", "bridge"))
    assert [one.get("kind", one["criterion"]) for one in found] == ["S1.failures", "S1.latency", "waived"]


def test_doctrine_has_each_bar_once(spiral_command, keeper, tmp_path):
    keeper.run().run()
    (tmp_path / "gates.toml").write_text(ONE_GATE.replace("120 ms", "130 ms"))
    keeper.run()
    _, *found = rows(spiral_command("ledger", "export", "--view", "doctrine"))
    assert [(one["kind"], one["seq"]) for one in found] == [("bar", 1), ("bar", 7)]


def test_wrong_use_is_one_sentence(spiral_command, keeper):
    keeper.run()
    for command in (
        ("export",),
        ("adopt",),
        ("show", "more"),
        ("adopt", "nowhere"),
        ("show", "--ledger", "git:refs/heads/x"),
    ):
        said = spiral_command("ledger", *command)
        assert (said.status, said.out, said.err.count("\n")) == (2, "", 1), said


def test_adopting_a_branch(spiral_command, keeper, tmp_path):
    keeper.run()
    (tmp_path / "other.jsonl").write_bytes((tmp_path / "reports" / "ledger.jsonl").read_bytes())
    keeper.run("fail")
    keeper.book = Book(tmp_path / "other.jsonl", lambda: BEGAN)
    keeper.run("fail")
    said = spiral_command("ledger", "adopt", "other.jsonl")
    assert (said.status, "adopted 3 entries after entry 3" in said.out) == (0, True)
    assert "attempts 3 of 3: 1 passed, 2 failed" in spiral_command("status").out
    assert "nothing to adopt" in spiral_command("ledger", "adopt", "reports/ledger.jsonl").out


# bars


def test_nothing_moved(spiral_command, keeper, tmp_path):
    keeper.run(keep=True)
    (tmp_path / "gates.toml").write_text(ONE_GATE.replace("120 ms", "0.12 s").replace("0.95", "0.950"))
    assert spiral_command("bars").out.strip() == "nothing moved"


def test_what_moved_stands_loosened_first(spiral_command, keeper, tmp_path):
    keeper.run(keep=True)
    changed = ONE_GATE.replace("120 ms", "110 ms")
    head, _, tail = changed.rpartition("samples = 100")
    (tmp_path / "gates.toml").write_text(f"{head}samples = 50{tail}")
    lines = spiral_command("bars").out.splitlines()
    assert [line.split()[:3] for line in lines[:2]] == [
        ["loosened", "S1.failures", "samples"],
        ["tightened", "S1.latency", "limit"],
    ]
    assert "p95(search) <= 120 ms -> p95(search) <= 110 ms" in lines[1]
    assert "2 things moved, 1 loosened" in lines[2]


def test_without_the_earlier_plan_only_that_it_moved_is_told(spiral_command, keeper, tmp_path):
    keeper.run()
    (tmp_path / "gates.toml").write_text(ONE_GATE.replace("120 ms", "130 ms"))
    assert spiral_command("bars").out.splitlines()[0].split()[:2] == ["changed", "S1.latency"]


def test_a_plan_that_is_not_what_was_registered_is_not_believed(spiral_command, keeper, tmp_path):
    keeper.run(keep=True)
    plan = tmp_path / "reports" / "run" / "run-1" / "plan.json"
    plan.write_bytes(plan.read_bytes().replace(b"120", b"140"))
    (tmp_path / "gates.toml").write_text(ONE_GATE.replace("120 ms", "130 ms"))
    assert spiral_command("bars").out.split()[0] == "changed"


def test_a_criterion_that_is_gone_is_loosened_and_a_new_one_is_counted(spiral_command, keeper, tmp_path):
    keeper.run(keep=True)
    (tmp_path / "gates.toml").write_text(ONE_GATE.replace("S1.failures", "S1.other"))
    lines = spiral_command("bars").out.splitlines()
    assert lines[0].split()[:2] == ["loosened", "S1.failures"]
    assert "1 of 2 criteria were never registered" in lines[1]


def test_a_draft_registers_no_bar(spiral_command, keeper, tmp_path):
    keeper.run(keep=True)
    (tmp_path / "gates.toml").write_text(ONE_GATE.replace("120 ms", "130 ms"))
    keeper.run(draft=True)
    assert "loosened   S1.latency" in spiral_command("bars").out
    keeper.run()
    assert spiral_command("bars").out.strip() == "nothing moved"
