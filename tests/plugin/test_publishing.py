"""`spiral_ledger_publish`: a witness gets the ledger's head before collection; who proves that it did."""

import json
import sys

import pytest

from pytest_spiral.evidence.keys import load_key, make_key, write_key
from pytest_spiral.rules.trust import parse_trust
from pytest_spiral.run.countersign import countersign
from pytest_spiral.run.grounds import Grounds
from pytest_spiral.run.registered import load_kept
from pytest_spiral.run.verify import verify_bundle

KEEP = f"{sys.executable} -c \"import pathlib, sys; pathlib.Path('head.txt').write_text(sys.argv[1])\""
ROLES = {"job": "spiral-job", "recorder": "spiral-recorder"}


@pytest.fixture
def published(lab, way, tmp_path_factory):
    """A run that a job signed; with what the ini says: its bundle, the keys' folder and the trust root."""
    keys, lines = tmp_path_factory.mktemp("keys"), []
    for name, role in ROLES.items():
        key = make_key()
        write_key(keys / name, key)
        lines.append(f'ci@example.org namespaces="{role}" {key.public}')

    def run(command):
        lab.smallest()
        lab.write("pytest.ini", f"[pytest]\nspiral_ledger = reports/ledger.jsonl\nspiral_ledger_publish = {command}\n")
        return lab.run(f"--spiral-key={keys / 'job'}", *way)

    return run, keys, parse_trust("\n".join(lines), "root")


def records(bundle):
    return [json.loads(line) for line in (bundle / "journal" / "main.jsonl").read_bytes().splitlines()]


def verified(bundle, trust, kept=None):
    checked = verify_bundle(bundle, Grounds(trust=trust, kept=load_kept(kept) if kept else None))
    step = checked.report.checked(11)
    return checked.level, checked.judgement.log, step.state, step.note.rpartition("; ")[2]


def test_what_a_job_says_of_itself_is_not_proven_until_the_head_is_there(lab, published):
    run, keys, trust = published
    ran = run(KEEP)
    assert ran.status == 0, ran.out
    first, second = records(ran.bundle)[:2]
    assert (first["kind"], second["kind"]) == ("start", "published")
    head = lab.path / "head.txt"
    assert head.read_text().split()[1:] == [str(value) for value in second["body"]["head"].values()]
    claimed = "the run says that it published its head: give the witness's with --ledger"
    kept = "the kept head is the one that was published before collection"
    assert verified(ran.bundle, trust) == ("E1", "local", "cannot-tell", claimed)
    assert verified(ran.bundle, trust, head) == ("E1", "witnessed", "held", kept)
    countersign(ran.bundle, lambda: load_key(keys / "recorder"), Grounds(trust=trust))
    assert verified(ran.bundle, trust) == ("E2", "local", "cannot-tell", claimed)
    assert verified(ran.bundle, trust, head) == ("E3", "witnessed", "held", kept)
    ledger = lab.path / "reports" / "ledger.jsonl"
    assert verified(ran.bundle, trust, ledger)[:3] == ("E2", "local", "cannot-tell"), "it does not say who had it when"


def test_a_command_that_fails_is_told_and_the_run_goes_on(published):
    run, keys, trust = published
    ran = run("false")
    assert ran.status == 0, ran.out
    countersign(ran.bundle, lambda: load_key(keys / "recorder"), Grounds(trust=trust))
    why = "its head was not published: the command ended with status 1"
    assert verified(ran.bundle, trust) == ("E2", "local", "held", why)


@pytest.mark.parametrize(
    ("ini", "why"),
    [
        ("spiral_ledger_publish = true", "no ledger is named"),
        ("spiral_ledger = reports/ledger.jsonl\nspiral_ledger_publish = keep 'it", "is no command"),
    ],
    ids=["no-ledger", "no-command"],
)
def test_wrong_use_is_told_before_anything_is_written(lab, ini, why):
    lab.smallest()
    lab.write("pytest.ini", f"[pytest]\n{ini}\n")
    ran = lab.run("--spiral-evidence", evidence=False)
    assert ran.status == 4
    assert why in ran.out
    assert not (lab.path / "reports").exists()
