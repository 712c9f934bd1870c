"""`spiral examine`: what waits for whom, and signing that it was examined."""

import json
import os
import subprocess

import pytest

from pytest_spiral.evidence.keys import make_key, write_key

GATES = """\
format = 1
[[gate]]
id = "S1"
title = "Search answers"
owner = "@search"
no_control = "a test of the tool"
[[gate.criterion]]
id = "S1.charter"
promise = "The charter is examined."
method = "examine"
document = "docs/charter.md"
signer = "ada@example.org"
[[gate.criterion]]
id = "S1.tests"
limit = "all-pass"
samples = 1
"""
SECOND = """\
[[gate]]
id = "S2"
title = "Later"
owner = "@search"
no_control = "a test of the tool"
[[gate.criterion]]
id = "S2.minutes"
method = "examine"
document = "minutes.txt"
signer = "bob"
fidelity = "live"
"""


@pytest.fixture
def project(tmp_path):
    """A folder with a gates file and a charter."""
    (tmp_path / "gates.toml").write_text(GATES)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "charter.md").write_text("# Charter\n")
    return tmp_path


@pytest.fixture(scope="module")
def ada(tmp_path_factory):
    """Ada's key, made by OpenSSH, and a trust root that knows it."""
    folder = tmp_path_factory.mktemp("ada")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
    line = (folder / "key.pub").read_text()
    (folder / "trust").write_text(f'ada@example.org namespaces="spiral-signoff" {line}')
    (folder / "waivers").write_text(f'ada@example.org namespaces="spiral-waiver" {line}')
    return folder


def words(text):
    return " ".join(text.split())


def test_what_waits_is_said_with_the_command_that_signs(project, spiral_command):
    said = spiral_command("examine")
    assert said.status == 1
    assert "docs/charter.md waits for ada@example.org to examine and sign it [unsigned]" in words(said.out)
    assert "spiral examine S1.charter --key KEY" in said.out
    assert "The charter is examined." in said.out
    assert "10 bytes, sha256:" in said.out


@pytest.mark.parametrize("selector", ["", "S1", "S1.charter"])
def test_what_was_signed_stands_until_the_document_changes(project, ada, spiral_command, selector):
    signed = spiral_command("examine", "S1.charter", "--key", ada / "key", "--note", "read it twice")
    assert signed.status == 0
    assert "10 bytes signed by ada@example.org on 20" in signed.out
    assert ": read it twice" in signed.out
    assert "a trust root says: --trust FILE" in words(signed.out)
    chosen = [selector] if selector else []
    known = spiral_command("examine", *chosen, "--trust", ada / "trust")
    assert (known.status, "as the trust root says" in known.out) == (0, True)
    with (project / "docs" / "charter.md").open("a") as file:
        file.write(" ")
    changed = spiral_command("examine", *chosen)
    assert changed.status == 1
    assert "has changed since it was examined" in words(changed.out)
    assert spiral_command("examine", "S1", "--key", ada / "key").status == 0


def test_openssh_verifies_what_was_signed(project, ada, spiral_command):
    spiral_command("examine", "--key", ada / "key")
    folder = project / "examined"
    assert sorted(path.name for path in folder.iterdir()) == ["S1.charter.json", "S1.charter.json.sig"]
    said = json.loads((folder / "S1.charter.json").read_text())
    assert (said["criterion"], said["signer"], said["rehearsal"]) == ("S1.charter", "ada@example.org", False)
    command = ["ssh-keygen", "-Y", "verify", "-f", ada / "trust", "-I", "ada@example.org", "-n", "spiral-signoff"]
    command += ["-s", folder / "S1.charter.json.sig"]
    for data, status in (((folder / "S1.charter.json").read_bytes(), 0), (b"{}", 255)):
        assert subprocess.run(command, input=data, capture_output=True, check=False).returncode == status


def test_the_trust_root_decides_whose_key_it_is(project, ada, spiral_command):
    spiral_command("examine", "--key", ada / "key")
    said = spiral_command("examine", "--trust", ada / "waivers")
    assert said.status == 1
    assert "not spiral-signoff [signer-untrusted]" in words(said.out)


def test_a_rehearsal_says_that_it_is_one(project, ada, spiral_command):
    (project / "gates.toml").write_text(GATES + SECOND)
    (project / "minutes.txt").write_text("We agreed.\n")
    said = spiral_command("examine", "S2.minutes", "--rehearse")
    assert said.status == 0
    assert "signed in rehearsal as bob" in said.out
    assert "made for the rehearsal, and kept by nobody" in words(said.out)
    assert json.loads((project / "examined" / "S2.minutes.json").read_text())["rehearsal"] is True
    assert spiral_command("examine", "S2", "--trust", ada / "trust").status == 0


def test_a_rehearsal_is_none_for_a_criterion_that_asks_for_no_more(project, spiral_command):
    said = spiral_command("examine", "--rehearse")
    assert said.status == 1
    assert "[rehearsal]" in said.out


def test_a_key_of_ours_signs_as_well(project, tmp_path_factory, spiral_command):
    path = tmp_path_factory.mktemp("keys") / "mine"
    write_key(path, make_key())
    assert spiral_command("examine", "--key", path).status == 0


def test_an_agent_signs_for_the_public_half(project, ada, spiral_command, monkeypatch, tmp_path_factory):
    """The private key need not be a file: whoever holds it answers ssh-keygen."""
    socket = tmp_path_factory.mktemp("agent") / "socket"
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE) as agent:
        try:
            agent.stdout.readline()  # printed once it listens
            monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
            subprocess.run(["ssh-add", "-q", ada / "key"], check=True, capture_output=True)
            public = tmp_path_factory.mktemp("public") / "key.pub"
            public.write_text((ada / "key.pub").read_text())
            assert spiral_command("examine", "--key", public).status == 0
        finally:
            agent.terminate()


WRONG = {
    "no criterion": (["S1.tests"], "is examined by nobody"),
    "no such gate": (["S9"], "there is S1.charter"),
    "a note without a key": (["--note", "x"], "Remedy: give the key too"),
    "a note that does not print": (["--rehearse", "--note", "a\x1b[2J"], "no printable character"),
    "a note without end": (["--rehearse", "--note", "x" * 20_000], "a shorter --note"),
    "no key": (["--key", "nowhere"], "nowhere does not sign"),
    "a key that is none": (["--key", "gates.toml"], "gates.toml does not sign"),
    "both": (["--key", "x", "--rehearse"], "not allowed with"),
    "no root": (["--root", "docs"], "nothing is examined by a person"),
    "no trust root": (["--trust", "nowhere"], "cannot be read"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_one_sentence_and_changes_nothing(project, spiral_command, name):
    arguments, sentence = WRONG[name]
    said = spiral_command("examine", *arguments)
    assert said.status == 2
    assert sentence in words(said.err), said.err
    assert not (project / "examined").exists()


def test_a_document_that_is_not_there_is_signed_by_nobody(project, ada, spiral_command):
    (project / "docs" / "charter.md").unlink()
    assert "[document-missing]" in spiral_command("examine").out
    said = spiral_command("examine", "--key", ada / "key")
    assert (said.status, "so nobody can examine it" in said.err) == (2, True)


def test_one_document_is_signed_at_a_time(project, ada, spiral_command):
    (project / "gates.toml").write_text(GATES + SECOND)
    said = spiral_command("examine", "--key", ada / "key")
    assert (said.status, "S1.charter, S2.minutes. Remedy: name one." in said.err) == (2, True)


@pytest.mark.parametrize("kind", ["ecdsa"])
def test_a_key_of_a_kind_that_nothing_verifies_does_not_sign(project, tmp_path_factory, spiral_command, kind):
    path = tmp_path_factory.mktemp("keys") / kind
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path], check=True)
    said = spiral_command("examine", "--key", path)
    assert (said.status, "sign with an Ed25519 or an RSA key" in said.err) == (2, True)
    assert not (project / "examined").exists()


def test_without_ssh_keygen_the_remedy_is_told(project, ada, spiral_command, monkeypatch):
    monkeypatch.setenv("PATH", os.devnull)
    said = spiral_command("examine", "--key", ada / "key")
    assert (said.status, "Remedy: install OpenSSH's client" in said.err) == (2, True)


@pytest.mark.parametrize(("data", "sentence"), [(b"\xff", "is not UTF-8"), (b"x" * 20_000, "more than 16384 bytes")])
def test_what_cannot_be_a_statement_is_told_before_anything_runs(project, spiral_command, data, sentence):
    (project / "examined").mkdir()
    (project / "examined" / "S1.charter.json").write_bytes(data)
    said = spiral_command("examine")
    assert (said.status, sentence in words(said.err)) == (2, True)


def test_what_was_written_by_hand_and_is_no_statement_is_said(project, spiral_command):
    (project / "examined").mkdir()
    (project / "examined" / "S1.charter.json").write_text("I have examined it.")
    (project / "examined" / "S1.charter.json.sig").write_text("Ada")
    said = spiral_command("examine")
    assert (said.status, "[signature-broken]" in said.out) == (1, True)


def test_doctor_says_what_waits_for_whom(project, ada, spiral_command):
    (project / "gates.toml").write_text(GATES + SECOND)
    (project / "minutes.txt").write_text("We agreed.\n")
    waiting = words(spiral_command("doctor").out)
    assert (
        "S1.charter docs/charter.md waits for ada@example.org to examine and sign it: spiral examine S1.charter"
        in waiting
    )
    assert "1 of 3 criteria need nothing that is missing here" in waiting
    spiral_command("examine", "S1", "--key", ada / "key")
    spiral_command("examine", "S2", "--rehearse")
    signed = words(spiral_command("doctor").out)
    assert "S2.minutes signed in rehearsal, waits for bob: spiral examine S2.minutes" in signed
    assert "2 of 3 criteria need nothing that is missing here" in signed
