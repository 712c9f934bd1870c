"""Records, samples and journals are removed, and everything that binds them is mended."""

import json

import pytest


def without_test(forger):
    forger.change("gw0", lambda records: records.remove(next(one for one in records if one[0] == "test")))


def without_samples(forger):
    (forger.folder / "samples/B1.latency/gw0-1.jsonl").unlink()
    forger.seal()


def without_journal(forger):
    (forger.folder / "journal/gw0.jsonl").unlink()
    forger.seal()


def without_crash(forger):
    forger.change("main", lambda records: records.remove(next(one for one in records if one[0] == "crash")))


def without_inventory(forger):
    (forger.folder / "inventory.json").unlink()
    forger.seal()


def without_item(forger):
    path = forger.folder / "inventory.json"
    document = json.loads(path.read_bytes())
    document["items"] = document["items"][1:]
    path.write_text(json.dumps(document, separators=(",", ":")))
    forger.seal()


def without_file(forger):
    (forger.folder / "log.txt").unlink()


@pytest.mark.parametrize(
    ("drop", "code"),
    [
        (without_test, "inventory-not-run"),
        (without_samples, "samples-missing"),
        (without_journal, "journal-missing"),
        (without_crash, "crash-unrecorded"),
        (without_inventory, "artifact-missing"),
        (without_item, "inventory-uncollected"),
        (without_file, "file-missing"),
    ],
)
def test_what_is_missing_is_missed(forger, verify, drop, code):
    drop(forger)
    answer = verify(forger.folder)
    assert answer.refused
    assert code in answer.codes & answer.second_codes
