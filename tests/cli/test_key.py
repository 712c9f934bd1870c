"""`spiral key`, and what `spiral verify` makes of a trust root, an expectation and raised limits."""

import json
import shutil

import pytest

from pytest_spiral.evidence.keys import load_key
from pytest_spiral.rules.integrity import Limits
from pytest_spiral.rules.trust import parse_trust


def added(spiral_command, keys, root, *options, principal="ci@example.org", role="spiral-job"):
    return spiral_command(
        "key", "trust", "--trust", root, keys / "job.key.pub", "--principal", principal, "--role", role, *options
    )


def test_a_new_key_is_written_for_its_owner_only(spiral_command, tmp_path):
    said = spiral_command("key", "new", "job.key", "--comment", "runner 2")
    key = load_key(tmp_path / "job.key")
    assert said.status == 0
    assert said.out.splitlines()[:2] == [
        "wrote job.key (keep it secret) and job.key.pub",
        f"fingerprint {key.keyid}",
    ]
    assert (tmp_path / "job.key.pub").read_text() == f"{key.public} runner 2\n"
    again = spiral_command("key", "new", "job.key")
    assert (again.status, load_key(tmp_path / "job.key").keyid) == (2, key.keyid)
    assert "never overwritten" in again.err


def test_a_key_that_is_trusted_is_listed(spiral_command, keys, tmp_path):
    said = added(
        spiral_command, keys, "root", "--valid-after", "20260101Z", "--valid-before", "20270101Z", "--comment", "runner 2"
    )  # fmt: skip
    keyid = load_key(keys / "job.key").keyid
    assert (said.status, said.out) == (0, f"root trusts {keyid} as spiral-job\n")
    listed = spiral_command("key", "list", "--trust", "root")
    assert listed.out == (
        f"{keyid}  spiral-job  ci@example.org, from 2026-01-01T00:00:00Z, until 2027-01-01T00:00:00Z\n"
    )
    assert parse_trust((tmp_path / "root").read_text(), "root").keys[0].keyid == keyid


def test_a_revoked_key_stays_listed_with_its_end(spiral_command, keys):
    keyid = load_key(keys / "job.key").keyid
    added(spiral_command, keys, "root")
    assert spiral_command("key", "revoke", "--trust", "root", keyid, "--superseded-at", "12").status == 0
    said = spiral_command("key", "revoke", "--trust", "root", keyid, "--compromised-since", "7")
    assert said.out == f"root: {keyid} is compromised from ledger position 7\n"
    listed = spiral_command("key", "list", "--trust", "root").out
    assert listed == f"{keyid}  spiral-job  ci@example.org, superseded at 12, compromised since 7\n"


def test_comments_of_a_trust_root_are_kept(spiral_command, keys, tmp_path):
    (tmp_path / "root").write_text("# whose this is")
    assert added(spiral_command, keys, "root").status == 0
    assert (tmp_path / "root").read_text().startswith("# whose this is\nci@example.org namespaces=")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "--trust", "none"), "The trust root none cannot be read: No such file or directory."),
        (("revoke", "--trust", "none", "SHA256:x", "--superseded-at", "1"), "The trust root none cannot be read"),
        (("revoke", "--trust", "root", "SHA256:x", "--superseded-at", "1"), "is not understood"),
        (("revoke", "--trust", "root", "SHA256:" + "A" * 43, "--superseded-at", "1"), "has no line"),
        (("revoke", "--trust", "root", "SHA256:x", "--compromised-since", "-1"), "is no position of a ledger"),
        (("trust", "--trust", "root", "root", "--principal", "a b", "--role", "spiral-job"), "is no plain name"),
        (("trust", "--trust", "root", "root", "--principal", "a", "--role", "spiral-job"), "no OpenSSH public key"),
        (("trust", "--trust", "root", "no.pub", "--principal", "a", "--role", "spiral-job"), "cannot be read"),
        (("new", "k", "--comment", "a\nb"), "no printable character"),
        (("new", "no-such-folder/k"), "cannot be written"),
    ],
)
def test_wrong_use_is_told_and_changes_nothing(spiral_command, keys, tmp_path, arguments, said):
    shutil.copy(keys / "trusted", tmp_path / "root")
    answer = spiral_command("key", *arguments)
    assert answer.status == 2
    assert said in answer.err
    assert (tmp_path / "root").read_bytes() == (keys / "trusted").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root"]


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"# \xff\n", "is not UTF-8 (byte 2)."), (b"#" * (4 * 2**20 + 1), "has more than 4194304 bytes.")],
)
def test_what_is_no_text_of_that_size_is_told(spiral_command, tmp_path, data, said):
    (tmp_path / "root").write_bytes(data)
    answer = spiral_command("key", "list", "--trust", "root")
    assert (answer.status, answer.err) == (2, f"spiral: The trust root root {said}\n")


def test_a_trust_root_that_cannot_be_written_is_told(spiral_command, keys):
    said = added(spiral_command, keys, "no-such-folder/root")
    assert said.status == 2
    assert "no-such-folder/root cannot be written" in said.err


def test_an_empty_trust_root_says_that_it_trusts_nobody(spiral_command, tmp_path):
    (tmp_path / "root").write_text("# nobody yet\n")
    assert spiral_command("key", "list", "--trust", "root").out == "no keys: nothing verifies against this trust root\n"


def test_the_same_key_is_not_trusted_twice(spiral_command, keys):
    added(spiral_command, keys, "root")
    said = added(spiral_command, keys, "root", role="spiral-recorder")
    assert said.status == 2
    assert "stands in two lines. Remedy: one line with all its roles." in said.err


# verify


def test_a_signed_bundle_is_proven_by_the_trust_root(spiral_command, signed_bundle, keys):
    said = spiral_command("verify", signed_bundle, "--trust", keys / "trusted")
    assert said.status == 0
    assert "sealed, E1: signed by the job (its tests could have read the key); signed: job; log: none" in said.out
    as_json = json.loads(spiral_command("verify", signed_bundle, "--trust", keys / "trusted", "--json").out)
    assert (as_json["signed"], as_json["level"], as_json["report"]["findings"]) == ("job", "E1", [])


def test_without_a_trust_root_nobody_vouches(spiral_command, signed_bundle):
    said = spiral_command("verify", signed_bundle)
    assert said.status == 0
    assert "4 attestation      cannot tell  no trust root given" in said.out
    assert "sealed, E0: hashes only (finds accidents, not an attacker); signed: none; log: none" in said.out
    shown = spiral_command("show", signed_bundle).out
    assert "sealed, signed; spiral verify --trust FILE proves it" in " ".join(shown.split())
    assert "signed: none" in shown, "show proves no signature"


def test_an_unsigned_bundle_is_not_what_a_trust_root_asks_for(spiral_command, kept_bundles, keys):
    said = spiral_command("verify", kept_bundles["conditional"], "--trust", keys / "trusted")
    assert said.status == 3
    assert "attestation-missing" in said.out


@pytest.mark.parametrize(("level", "status"), [("E0", 0), ("E1", 0), ("E2", 3)])
def test_a_level_can_be_asked_for(spiral_command, signed_bundle, keys, tmp_path, level, status):
    (tmp_path / "expect.toml").write_text(f'format = 1\nlevel = "{level}"\n')
    said = spiral_command("verify", signed_bundle, "--trust", keys / "trusted", "--expect", "expect.toml")
    assert said.status == status
    assert ("expected-level" in said.out) is (status == 3)


def test_an_unattested_bundle_decides_nothing(spiral_command, signed_bundle, keys, tmp_path):
    folder = shutil.copytree(signed_bundle, tmp_path / "bundle")
    (folder / "attestation.dsse.json").unlink()
    said = spiral_command("verify", folder, "--trust", keys / "trusted")
    assert said.status == 1
    assert "unsealed-unattested" in said.out
    assert "is not sealed (unattested)" in spiral_command("show", folder).err


@pytest.mark.parametrize("option", ["--trust", "--expect"])
def test_what_a_bundle_brings_along_vouches_for_nothing(spiral_command, signed_bundle, keys, tmp_path, option):
    folder = shutil.copytree(signed_bundle, tmp_path / "bundle")
    shutil.copy(keys / "trusted", folder / "trusted")
    (tmp_path / "link").symlink_to(folder / "trusted")
    for path in (folder / "trusted", tmp_path / "link"):
        said = spiral_command("verify", folder, option, path)
        assert said.status == 2
        assert "lies in the bundle" in said.err


@pytest.mark.parametrize("name", Limits.__struct_fields__)
def test_limits_can_be_raised_and_not_lowered(spiral_command, signed_bundle, name):
    least = getattr(Limits(), name)
    option = f"--limits-{name.replace('_', '-')}"
    assert spiral_command("verify", signed_bundle, option, least + 1).status == 0
    said = spiral_command("verify", signed_bundle, option, least - 1)
    assert said.status == 2
    assert f"it can only be raised, from {least}" in said.err


def test_a_raised_limit_reads_what_was_too_deep(spiral_command, bundle):
    folder = bundle("conditional")
    (folder / "summary.json").write_text("[" * 33 + "]" * 33)
    assert "json-depth" in spiral_command("verify", folder).out
    assert "json-depth" not in spiral_command("verify", folder, "--limits-depth", 40).out
