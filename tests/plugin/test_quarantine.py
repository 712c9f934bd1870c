"""What looks like a secret stays out of the bundle, and ends no run."""

import json

import pytest

TOKEN = "ghp_" + "a1B2" * 9
KEY = "-----BEGIN " + "OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END " + "OPENSSH PRIVATE KEY-----\n"


@pytest.fixture
def gate(lab):
    """A gate whose test attaches a content and prints a text."""

    def write(content, printed=""):
        lab.gates("work\nlimit = 'failures(work) <= 0'\nsamples = 1")
        lab.test(
            '@pytest.mark.criterion("S1.work")\n'
            "def test_work(spiral):\n"
            f"    print({printed!r})\n"
            f"    spiral.attach({content!r}, name='notes.txt')\n"
            "    with spiral.measure('work') as m:\n"
            "        m.hit()\n"
        )
        return lab

    return write


def everything(bundle):
    """All bytes of a bundle."""
    return b"\0".join(path.read_bytes() for path in sorted(bundle.rglob("*")) if path.is_file())


@pytest.mark.parametrize(("content", "kind"), [(f"token={TOKEN}", "GitHub token"), (KEY, "private key")])
def test_an_attachment_that_looks_like_a_secret_is_a_stub(gate, way, content, kind):
    ran = gate(content).run(*way)
    (attached,) = [one for one in ran.evidence.attached if one.name == "notes.txt"]
    assert ran.decision == "GO"
    assert (attached.quarantined, attached.path.endswith("notes.txt.quarantined")) == ((kind,), True)
    assert (ran.bundle / attached.path).read_text().startswith("QUARANTINED by pytest-spiral: 'notes.txt'")
    assert content.encode() not in everything(ran.bundle)
    assert kind in ran.line("quarantined  ")


def test_an_attachment_without_one_is_kept_as_it_is(gate):
    ran = gate("a PRIVATE KEY is never written").run()
    (attached,) = [one for one in ran.evidence.attached if one.name == "notes.txt"]
    assert (attached.quarantined, (ran.bundle / attached.path).read_text()) == ((), "a PRIVATE KEY is never written")
    assert "quarantined  " not in ran.out


def test_what_was_printed_is_struck_out_of_allures_results(gate):
    ran = gate("nothing", printed=f"the token is {TOKEN}").run("-rN")
    assert ran.decision == "GO"
    assert TOKEN.encode() not in everything(ran.bundle)
    told = json.loads((ran.bundle / "logs" / "quarantine.json").read_bytes())
    assert [one["looked_like"] for one in told["struck"]] == [["GitHub token"]]
    assert b"[quarantined: GitHub token]" in (ran.bundle / told["struck"][0]["path"]).read_bytes()
    assert b"[quarantined: GitHub token]" in (ran.bundle / "logs" / "stdout.log").read_bytes()
    assert "logs/quarantine.json" in [one.path for one in ran.evidence.attached]


def test_a_declared_secret_still_ends_the_run(gate, monkeypatch):
    monkeypatch.setenv("DEPLOY_TOKEN", TOKEN)
    lab = gate(f"token={TOKEN}")
    lab.write("pytest.ini", "[pytest]\nspiral_secrets = DEPLOY_TOKEN\n")
    ran = lab.run()
    assert ran.status == 1
    assert ran.judgement is None or ran.decision != "GO"
