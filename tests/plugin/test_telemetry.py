"""What a component of the target emits is in the bundle, under its seal, and nothing secret of it."""

import json

import pytest

from pytest_spiral.run.verify import verify_bundle

EMITS = ("--spiral-target=fake", "--spiral-fault=emits")
METRICS = "# HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total 3.0\n"
SPANS = json.dumps({"resourceSpans": []}) + "\n"

pytestmark = pytest.mark.usefixtures("fake_target")


def emitting(lab, metrics=METRICS, spans=SPANS, then=""):
    lab.gates("work\nlimit = 'failures(work) <= 0'\nsamples = 1\nsubjects = ['store']")
    lab.test(f"""
@pytest.mark.criterion("S1.work")
def test_work(spiral):
    store = spiral.target.store
    store.ask("emit", kind="metrics", text={metrics!r})
    store.ask("emit", kind="spans", text={spans!r})
    {then}
    with spiral.measure("work") as m:
        m.hit()
""")
    return lab


def kept(bundle):
    """What the bundle has of the store's telemetry: name without the worker's, and content."""
    found = [*bundle.glob("metrics/*"), *bundle.glob("traces/store/*spans*")]
    return {path.name.removeprefix("gw0-").removeprefix("gw1-"): path.read_text() for path in found}


def test_what_was_emitted_is_attached_and_sealed(lab, way):
    ran = emitting(lab).run(*EMITS, *way)
    assert ran.decision == "GO"
    assert kept(ran.bundle) == {"store.prom": METRICS, "spans.jsonl": SPANS}
    assert {one.name for one in ran.evidence.attached} >= {"own.prom", "own.jsonl"}
    assert ran.verified == 0


@pytest.mark.parametrize("where", ["metrics/store.prom", "traces/store/spans.jsonl"])
def test_telemetry_that_was_changed_afterwards_is_found(lab, where):
    bundle = emitting(lab).run(*EMITS).bundle
    assert verify_bundle(bundle).report.outcome == "sound"
    path = bundle / where
    path.write_bytes(path.read_bytes().replace(b"s", b"z", 1))
    assert verify_bundle(bundle).report.outcome != "sound"


def test_a_target_that_died_leaves_what_it_has_emitted(lab):
    ran = emitting(lab, then='store.ask("die")').run(*EMITS)
    assert [one.subject for one in ran.evidence.lost] == ["store"]
    assert kept(ran.bundle) == {"store.prom": METRICS, "spans.jsonl": SPANS}


def test_a_secret_in_telemetry_is_not_in_the_bundle(lab, monkeypatch):
    monkeypatch.setenv("STORE_TOKEN", "a-word-that-nobody-may-know")
    token = "xoxb-" + "123456789012-abcdef"
    shown = json.dumps({"resourceSpans": [{"token": "a-word-that-nobody-may-know"}]}) + "\n"
    ran = emitting(lab, metrics=f'calls_total{{by="{token}"}} 1.0\n', spans=shown).run(
        *EMITS, "-o", "spiral_secrets=STORE_TOKEN"
    )
    everything = b"".join(path.read_bytes() for path in ran.bundle.rglob("*") if path.is_file())
    assert token.encode() not in everything
    assert b"a-word-that-nobody-may-know" not in everything
    assert set(kept(ran.bundle)) == {"store.prom.quarantined", "spans.jsonl"}
    assert ran.verified == 0


def test_telemetry_of_no_known_kind_is_told_at_the_first_use(lab):
    lab.gates("work\nlimit = 'failures(work) <= 0'\nsamples = 1\nsubjects = ['store']")
    lab.test("""
@pytest.mark.criterion("S1.work")
def test_work(spiral):
    spiral.target.store
""")
    ran = lab.run("--spiral-target=fake", "--spiral-fault=emits-oddly")
    assert "store names telemetry of the kind 'gossip'; there are metrics, spans." in ran.out
    assert ran.status == 1
