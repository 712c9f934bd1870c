"""Trust that comes with what it is to vouch for."""

import json
import os

import pytest

from pytest_spiral.cli.main import main
from pytest_spiral.rules.canonical import canonical_bytes

EXPECTATION = 'format = 1\nlevel = "E1"\n'


@pytest.fixture
def asked(capsys):
    """Ask `spiral`; gives its exit status and what it complains of."""

    def ask(*arguments):
        capsys.readouterr()
        return main([str(one) for one in arguments]), capsys.readouterr().err

    return ask


def brought(folder, signing):
    return {
        "--trust": (folder / "trusted", signing.line(signing.stranger) + "\n"),
        "--expect": (folder / "expected.toml", EXPECTATION),
        "--ledger": (folder / "ledger.jsonl", '{"seq":0}\n'),
    }


@pytest.mark.parametrize("option", ["--trust", "--expect", "--ledger"])
@pytest.mark.parametrize("way", ["plain", "relative", "link", "folder-link"])
def test_what_lies_in_the_bundle_vouches_for_nothing(signing, signed, asked, tmp_path, monkeypatch, option, way):
    path, text = brought(signed, signing)[option]
    path.write_text(text)
    if way == "link":
        (tmp_path / "outside").symlink_to(path)
    if way == "folder-link":
        (tmp_path / "elsewhere").symlink_to(signed)
    monkeypatch.chdir(signed.parent)
    given = {
        "plain": path,
        "relative": os.path.relpath(path),
        "link": tmp_path / "outside",
        "folder-link": tmp_path / "elsewhere" / path.name,
    }[way]
    status, said = asked("verify", signed, option, given)
    assert status == 2
    assert "lies in the bundle" in said


@pytest.mark.parametrize("name", ["", "nested/"])
def test_countersigning_takes_no_trust_from_the_bundle_either(signing, signed, asked, tmp_path, name):
    (signed / name).mkdir(exist_ok=True)
    (signed / name / "trusted").write_text(signing.line(signing.job) + "\n")
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_bytes(signing.recorder.pem())
    status, said = asked("countersign", signed, "--trust", signed / name / "trusted", "--key", key)
    assert status == 2
    assert "lies in the bundle" in said


def test_a_key_that_only_the_envelope_names_is_nobodys(signing, hold):
    folder = signing.sign(signing.run(signing.stranger), signing.stranger)
    answer = hold(folder, trust=signing.trust and f"{signing.line(signing.job)}\n")
    assert answer.refused
    assert "attestation-key-unknown" in answer.codes & answer.second_codes


@pytest.mark.parametrize("trust", ["", "# nobody yet\n"])
def test_an_empty_trust_root_trusts_nobody(signed, hold, trust):
    answer = hold(signed, trust=trust)
    assert answer.refused
    assert answer.codes == {"attestation-key-unknown"}


def test_a_trusted_name_on_anothers_signature_is_found(signing, hold):
    """The envelope names the job's key; the stranger has signed."""
    folder = signing.sign(signing.run(signing.job), signing.stranger)
    path = folder / "attestation.dsse.json"
    envelope = json.loads(path.read_bytes())
    envelope["signatures"][0]["keyid"] = signing.job.keyid
    path.write_bytes(canonical_bytes(envelope))
    answer = hold(folder, trust=signing.line(signing.job))
    assert answer.refused
    assert answer.codes == answer.second_codes == {"attestation-signature"}


def test_an_unsigned_bundle_is_not_made_good_by_a_trust_root(signing, hold):
    answer = hold(signing.run(), trust=signing.line(signing.job))
    assert answer.refused
    assert answer.codes == answer.second_codes == {"attestation-missing"}


def test_without_a_trust_root_a_signature_proves_nothing(signed, hold):
    answer = hold(signed, expect=EXPECTATION)
    assert answer.status == 3
    assert answer.codes == {"expected-level"}
    assert answer.level == "E0"


@pytest.mark.sound
@pytest.mark.parametrize("option", ["--trust", "--expect"])
def test_the_same_file_outside_is_read(signing, signed, asked, tmp_path, option):
    (tmp_path / "trusted").write_text(signing.line(signing.job) + "\n")
    (tmp_path / "expected.toml").write_text('format = 1\nlevel = "E0"\n')
    given = {"--trust": tmp_path / "trusted", "--expect": tmp_path / "expected.toml"}[option]
    assert asked("verify", signed, option, given)[0] == 0
