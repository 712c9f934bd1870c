"""SSH signatures: OpenSSH's own are ours, and nothing that differs from them by a bit is."""

import base64
import hashlib
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pytest_spiral.errors import UntrustedError
from pytest_spiral.evidence.sshsig import check_document, verify_sshsig
from pytest_spiral.model.record import DocumentSeen

MESSAGE, SPACE = b"what was signed\n", "spiral-signoff"
WEAK = bytes(31) + b"\x80"  # a point of low order, for which anybody can sign


def text_of(length_and_more):
    return len(length_and_more).to_bytes(4, "big") + length_and_more


def armoured(blob):
    return f"-----BEGIN SSH SIGNATURE-----\n{base64.encodebytes(blob).decode()}-----END SSH SIGNATURE-----\n"


def made(private, message=MESSAGE, *, space=SPACE, hashing="sha512", **changes):
    """A signature, put together by hand so that any part of it can be another one."""
    public = private.public_key().public_bytes_raw()
    part = {
        "magic": b"SSHSIG",
        "version": (1).to_bytes(4, "big"),
        "public": text_of(b"ssh-ed25519") + text_of(public),
        "space": space.encode(),
        "reserved": b"",
        "hash": hashing.encode(),
        "algorithm": b"ssh-ed25519",
        "after": b"",
        "end": b"",
        **changes,
    }
    hashed = hashlib.new(hashing, message).digest()
    signed = part["magic"] + b"".join(map(text_of, (space.encode(), b"", hashing.encode(), hashed)))
    raw = changes.get("raw", private.sign(signed))
    inner = text_of(part["algorithm"]) + text_of(raw) + part["after"]
    told = [part[name] for name in ("public", "space", "reserved", "hash")]
    return armoured(part["magic"] + part["version"] + b"".join(map(text_of, [*told, inner])) + part["end"])


@pytest.fixture(scope="module")
def private():
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Keys of each kind that ssh-keygen makes without a device, by name."""
    folder = tmp_path_factory.mktemp("keys")
    for name, options in {"ed25519": [], "rsa": ["-b", "2048"], "ecdsa": []}.items():
        command = ["ssh-keygen", "-q", "-t", name, *options, "-N", "", "-f", folder / name]
        subprocess.run(command, check=True)
    return folder


def ssh_sign(key, space=SPACE, message=MESSAGE):
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", space, "-f", key]
    return subprocess.run(command, input=message, capture_output=True, check=True).stdout.decode()


@pytest.mark.parametrize("name", ["ed25519", "rsa"])
def test_what_openssh_signs_holds_under_the_keys_fingerprint(keys, name):
    fingerprint = subprocess.run(["ssh-keygen", "-lf", keys / name], capture_output=True, text=True, check=True).stdout
    assert verify_sshsig(MESSAGE, ssh_sign(keys / name), SPACE) == fingerprint.split()[1]


def test_openssh_takes_what_we_put_together_here(private, tmp_path):
    """So that the wrong ones below are wrong by what was changed in them."""
    line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    (tmp_path / "allowed").write_text(f'ada namespaces="{SPACE}" {line}\n')
    (tmp_path / "sig").write_text(made(private))
    command = [
        "ssh-keygen",
        "-Y",
        "verify",
        "-f",
        tmp_path / "allowed",
        "-I",
        "ada",
        "-n",
        SPACE,
        "-s",
        tmp_path / "sig",
    ]
    assert subprocess.run(command, input=MESSAGE, capture_output=True, check=False).returncode == 0
    assert verify_sshsig(MESSAGE, made(private), SPACE).startswith("SHA256:")
    assert verify_sshsig(MESSAGE, made(private, hashing="sha256"), SPACE) == verify_sshsig(
        MESSAGE, made(private), SPACE
    )


@pytest.mark.parametrize("name", ["ed25519", "rsa"])
def test_another_message_or_purpose_is_not_signed(keys, name):
    signature = ssh_sign(keys / name)
    for message, space in ((MESSAGE + b" ", SPACE), (b"", SPACE), (MESSAGE, "file"), (MESSAGE, "spiral-waiver")):
        with pytest.raises(UntrustedError, match="not of this key"):
            verify_sshsig(message, signature, space)


def test_an_rsa_key_that_can_be_factored_is_weak(tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", tmp_path / "short"], check=True)
    with pytest.raises(UntrustedError, match="less than 2,048 bits, which is weak"):
        verify_sshsig(MESSAGE, ssh_sign(tmp_path / "short"), SPACE)


def test_a_kind_of_key_that_is_not_known_is_said(keys):
    with pytest.raises(UntrustedError, match="sign with an Ed25519 or an RSA key"):
        verify_sshsig(MESSAGE, ssh_sign(keys / "ecdsa"), SPACE)


@pytest.mark.parametrize(
    "changes",
    [
        {"magic": b"SSHSIX"},
        {"version": (2).to_bytes(4, "big")},
        {"reserved": b"x"},
        {"hash": b"sha1"},
        {"hash": b"SHA512"},
        {"hash": b"md5"},
        {"hashing": "sha1"},
        {"hashing": "sha384"},
        {"algorithm": b"ssh-rsa"},
        {"algorithm": b""},
        {"after": b"x"},
        {"after": text_of(b"")},
        {"end": b"x"},
        {"end": text_of(b"")},
        {"raw": bytes(64)},
        {"raw": b""},
        {"raw": bytes(65)},
        {"public": text_of(b"ssh-ed25519") + text_of(bytes(31))},
        {"public": text_of(b"ssh-ed25519") + text_of(WEAK), "raw": bytes([1]) + bytes(63)},
        {"public": b""},
        {"public": text_of(b"ssh-dss") + text_of(bytes(32))},
    ],
    ids=str,
)
def test_a_signature_with_a_part_changed_is_none(private, changes):
    with pytest.raises(UntrustedError):
        verify_sshsig(MESSAGE, made(private, **changes), SPACE)


def test_a_keys_trailing_bytes_are_no_other_key(private):
    """The fingerprint is over all of it, so that a second spelling would be a stranger under the same key."""
    public = text_of(b"ssh-ed25519") + text_of(private.public_key().public_bytes_raw()) + b"x"
    with pytest.raises(UntrustedError, match="one spelling"):
        verify_sshsig(MESSAGE, made(private, public=public), SPACE)


def test_every_byte_of_a_signature_counts(private, tally):
    blob = base64.b64decode("".join(made(private).splitlines()[1:-1]))
    others = [blob[:at] + bytes([blob[at] ^ 1 << at % 8]) + blob[at + 1 :] for at in range(len(blob))]
    others += [blob[:end] for end in range(len(blob))]
    for other in others:
        with pytest.raises(UntrustedError):
            verify_sshsig(MESSAGE, armoured(other), SPACE)
    tally(len(others), len(others), "changed bytes and cuts of an SSH signature found")


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda text: text.upper(),
        lambda text: f" {text}",
        lambda text: f"{text}\n",
        lambda text: text * 2,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("-----END", "----END"),
        lambda text: text.replace("-----BEGIN", "x\n-----BEGIN"),
        lambda text: text.replace("U1NI", "U1NI\n\n"),
        lambda text: text.replace("U1NI", "U1 NI"),
        lambda text: text.replace("U1NI", "U1\u00e4NI"),
        lambda text: text.replace("\n-----END", "=\n-----END"),
    ],
)
def test_an_armour_of_another_form_is_none(private, change):
    with pytest.raises(UntrustedError):
        verify_sshsig(MESSAGE, change(made(private)), SPACE)


def test_an_armour_may_have_lines_of_any_length_and_no_last_line_end(private):
    text = made(private)
    inner = "".join(text.splitlines()[1:-1])
    for other in (text.rstrip("\n"), f"-----BEGIN SSH SIGNATURE-----\n{inner}\n-----END SSH SIGNATURE-----\n"):
        assert verify_sshsig(MESSAGE, other, SPACE)


def test_a_document_is_checked_and_never_raises(private):
    said = b'{"format":"spiral-examination/1","criterion":"S1.a","document":"a","bytes":1,"sha256":"x","signer":"a"'
    whole = said + b',"examined":"2026-11-01T08:00:00Z"}'
    good = check_document(
        DocumentSeen(criterion="S1.a", document="a", statement=whole.decode(), signature=made(private, whole))
    )
    assert (good.statement.criterion, good.keyid[:7], good.fault) == ("S1.a", "SHA256:", "")
    for statement, signature in (
        (whole.decode(), "x"),
        ("x", made(private, b"x")),
        (said.decode(), made(private, said)),
    ):
        one = check_document(DocumentSeen(criterion="S1.a", document="a", statement=statement, signature=signature))
        assert (one.statement, one.keyid) == (None, "")
        assert one.fault
        assert not one.fault.endswith(".")


def test_a_private_key_of_ours_signs_for_openssh(private, tmp_path):
    """The rehearsal's key is made here, and ssh-keygen signs with it."""
    path = tmp_path / "key"
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    assert verify_sshsig(MESSAGE, ssh_sign(path), SPACE) == verify_sshsig(MESSAGE, made(private), SPACE)
