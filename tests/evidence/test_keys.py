"""Keys: ours are OpenSSH's and OpenSSH's are ours; a key that others could have is wrong use."""

import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from pytest_spiral.errors import EvidenceError, UseError
from pytest_spiral.evidence.envelope import open_envelope, sign_payload, verify_signature
from pytest_spiral.evidence.keys import load_key, make_key, refuse_copies, write_key
from pytest_spiral.rules.trust import key_faults, parse_moment, parse_public_key, parse_trust, render_line
from pytest_spiral.run.signing import load_run_key


def ssh(*arguments, data=b""):
    return subprocess.run(["ssh-keygen", *map(str, arguments)], input=data, capture_output=True, check=False)


def private_file(path, data, mode=0o600):
    path.write_bytes(data)
    path.chmod(mode)
    return path


def pem(private, form=PrivateFormat.PKCS8, encryption=None):
    return private.private_bytes(Encoding.PEM, form, encryption or NoEncryption())


@pytest.fixture
def job(tmp_path):
    """A key of ours on disk."""
    write_key(tmp_path / "job.key", make_key(), "runner 2")
    return tmp_path / "job.key"


def test_openssh_reads_our_keys(job):
    key = load_key(job)
    said = ssh("-lf", job).stdout.decode().split()
    assert said == ["256", key.keyid, "runner", "2", "(ED25519)"]
    assert ssh("-y", "-f", job).stdout.decode().split()[:2] == key.public.split()
    assert (job.stat().st_mode & 0o777, (job.parent / "job.key.pub").stat().st_mode & 0o777) == (0o600, 0o644)


@pytest.mark.parametrize("form", [(), ("-m", "PKCS8")])
def test_we_read_keys_of_openssh(tmp_path, form):
    path = tmp_path / "id"
    assert ssh("-q", "-t", "ed25519", "-N", "", "-C", "me", *form, "-f", path).returncode == 0
    key = load_key(path)
    assert ssh("-lf", path).stdout.decode().split()[1] == key.keyid
    assert parse_public_key((tmp_path / "id.pub").read_text(), "id.pub").keyid == key.keyid
    verify_signature(open_envelope(sign_payload(b"x", key)), key.raw_public)


def test_openssh_takes_our_trust_root_and_refuses_what_it_does_not_allow(job, tmp_path):
    import msgspec

    public = parse_public_key((tmp_path / "job.key.pub").read_text(), "job.key.pub")
    key = msgspec.structs.replace(
        public, principals=("ci@example.org",), roles=("spiral-job", "spiral-signoff"), valid_after=1_000_000
    )
    root = tmp_path / "allowed_signers"
    text = f"# a comment\n{render_line(key, 'runner 2')}\n# spiral: superseded {key.keyid} at 12\n"
    root.write_text(text)
    assert parse_trust(text, "t").key(key.keyid) == key
    (tmp_path / "m").write_bytes(b"a checklist")
    for namespace in ("spiral-job", "spiral-waiver"):
        (tmp_path / "m.sig").unlink(missing_ok=True)
        assert ssh("-q", "-Y", "sign", "-f", job, "-n", namespace, tmp_path / "m").returncode == 0
        done = ssh(
            "-Y", "verify", "-f", root, "-I", "ci@example.org", "-n", namespace, "-s", tmp_path / "m.sig",
            data=b"a checklist",
        )  # fmt: skip
        assert (done.returncode == 0) is (namespace in key.roles), done.stderr


TIMES = ("20251231235959", "20260101000000", "20260201120000", "20260301000000", "20260301000001")


@pytest.mark.parametrize(
    ("options", "valid"),
    [
        ("", "11111"),
        (',valid-after="20260101Z"', "01111"),
        (',valid-before="20260301Z"', "11110"),
        (',valid-after="202602011200Z",valid-before="20260301000000Z"', "00110"),
        (',VALID-AFTER="20260102Z",Valid-Before="20260103000000Z"', "00000"),
    ],
)
def test_openssh_says_the_same_of_when_a_key_is_valid(job, tmp_path, options, valid):
    """A moment of OpenSSH is a whole second: a run that takes no longer is held against the same ends."""
    text = f'ci namespaces="git,spiral-job"{options} {load_key(job).public} a comment'
    (tmp_path / "root").write_text(f"{text}\n")
    (tmp_path / "m").write_bytes(b"m")
    assert ssh("-q", "-Y", "sign", "-f", job, "-n", "spiral-job", tmp_path / "m").returncode == 0
    root = parse_trust(text, "t")
    ours, theirs = "", ""
    for time in TIMES:
        moment = parse_moment(f"{time}Z", "t")
        faults = list(key_faults(root, root.keys[0], "spiral-job", (moment, moment), None))
        ours += "0" if faults else "1"
        done = ssh(
            "-Y", "verify", "-O", f"verify-time={time}Z", "-f", tmp_path / "root", "-I", "ci", "-n", "spiral-job",
            "-s", tmp_path / "m.sig", data=b"m",
        )  # fmt: skip
        theirs += "1" if done.returncode == 0 else "0"
    assert (ours, theirs) == (valid, valid)


def test_a_key_is_never_overwritten(job):
    before = job.read_bytes()
    with pytest.raises(UseError, match="exists already; a key is never overwritten"):
        write_key(job, make_key())
    assert job.read_bytes() == before


def test_where_the_public_file_is_taken_no_private_one_is_left(tmp_path):
    (tmp_path / "k.pub").write_text("x")
    with pytest.raises(UseError, match=r"k\.pub exists already"):
        write_key(tmp_path / "k", make_key())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k.pub"]


def test_a_key_is_not_shown(job):
    key = load_key(job)
    assert "PRIVATE" not in repr(key)
    assert "object" not in repr(key), "neither is where it lies in memory"


ENCRYPTED = "is encrypted, and a job cannot be asked for a passphrase"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "holds no private key"),
        (b"not a key", "holds no private key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "holds no private key"),
        (pem(rsa.generate_private_key(65537, 2048)), "is no Ed25519 key"),
        (pem(rsa.generate_private_key(65537, 2048), PrivateFormat.OpenSSH), "is no Ed25519 key"),
        (pem(ed25519.Ed25519PrivateKey.generate(), encryption=BestAvailableEncryption(b"pass")), ENCRYPTED),
    ],
)
def test_what_is_no_usable_key_is_told_in_one_sentence(tmp_path, data, said):
    path = private_file(tmp_path / "k", data)
    with pytest.raises(UseError) as caught:
        load_key(path)
    assert str(caught.value) == f"{path} {said}. Remedy: spiral key new FILE."


def test_an_encrypted_key_of_openssh_is_told(tmp_path):
    assert ssh("-q", "-t", "ed25519", "-N", "a passphrase", "-f", tmp_path / "k").returncode == 0
    with pytest.raises(UseError, match=ENCRYPTED):
        load_key(tmp_path / "k")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_key_that_others_can_reach_is_told(job, mode):
    job.chmod(mode)
    with pytest.raises(UseError, match=rf"can be read or written by others \(mode {mode:04o}\)\. Remedy: chmod 600"):
        load_key(job)


@pytest.mark.parametrize(("name", "said"), [("missing", "No such file"), ("folder", "no regular file")])
def test_a_key_that_is_not_there_is_told(tmp_path, name, said):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UseError, match=said):
        load_key(tmp_path / name)


def test_a_key_among_the_bundles_is_told_through_a_link_too(tmp_path):
    reports = tmp_path / "reports"
    (reports / "run").mkdir(parents=True)
    write_key(reports / "run" / "k", make_key())
    (tmp_path / "link").symlink_to(reports / "run" / "k")
    for path in (reports / "run" / "k", tmp_path / "link"):
        with pytest.raises(UseError, match="where bundles are made"):
            load_run_key(path, reports)
    assert load_run_key(private_file(tmp_path / "k", (reports / "run" / "k").read_bytes()), reports)


def test_a_key_that_git_tracks_is_told(job, tmp_path):
    def git(*arguments):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    git("init", "-q")
    assert load_run_key(job, tmp_path / "reports").keyid, "lying in a repository is no fault by itself"
    git("add", "job.key")
    with pytest.raises(UseError, match="is tracked by git, so it is no secret"):
        load_run_key(job, tmp_path / "reports")


def test_without_git_nothing_is_tracked(job, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert load_run_key(job, tmp_path / "reports").keyid


def test_a_copy_of_a_key_is_found_wherever_it_lies(job, tmp_path):
    key, folder = load_key(job), tmp_path / "bundle"
    (folder / "logs").mkdir(parents=True)
    file = folder / "logs" / "out.txt"
    *_, line, _ = job.read_bytes().splitlines()
    block = 2**20
    for before in (0, 1, block - 1, block - len(line), block - len(line) + 1, 2 * block - 5):
        file.write_bytes(b"x" * before + line + b"y")
        with pytest.raises(EvidenceError, match=r"stands in logs/out\.txt; such a run is not sealed"):
            refuse_copies(folder, key)
        file.write_bytes(b"x" * before + line[:-1] + b"\n")
        refuse_copies(folder, key)
    file.write_text(key.public + (job.parent / "job.key.pub").read_text())
    refuse_copies(folder, key)


def test_the_one_line_of_a_pem_file_is_found_too(tmp_path):
    data = pem(ed25519.Ed25519PrivateKey.generate())
    key = load_key(private_file(tmp_path / "k", data))
    with pytest.raises(EvidenceError):
        refuse_copies(tmp_path, key)
