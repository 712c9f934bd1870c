"""Both verifiers read the same statements, and take the same SSH signatures, whatever is written there."""

import hashlib
import json
import random

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512

from pytest_spiral.evidence.sshsig import check_document
from pytest_spiral.model.record import DocumentSeen

from .conftest import armoured, blob_of, strings

GROUP = 2**252 + 27742317777372353535851937790883648493
SAID = {
    "format": "spiral-examination/1", "criterion": "S1.a", "document": "a", "bytes": 1, "sha256": "x", "signer": "ada",
    "examined": "2026-11-01T08:00:00Z", "rehearsal": False, "note": "n",
}  # fmt: skip
GOOD = json.dumps(SAID)
VALUES = (None, 1, -1, 1.0, 2**53, 2**53 - 1, 2**64, 10**400, True, 1.5, float("nan"), "", "\0", "\ud800", [], {})
TIMES = (
    "2026-02-30T00:00:00Z", "2026-11-01T24:00:00Z", "2026-11-01T23:59:60Z", "2026-11-01T23:59:61Z",
    "0000-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
    "2026-11-01T08:00:00z", "2026-11-01t08:00:00Z", "2026-11-01T08:00:00Z\n", "2026-11-01T08:00:00+00:00",
    "\uff12026-11-01T08:00:00Z", "2026-11-01T8:00:00Z", "2026-W01-1T08:00:00Z",
)  # fmt: skip
TEXTS = (
    f" {GOOD}\n", f"\ufeff{GOOD}", f"{GOOD}x", f"{GOOD}\0", f"[{GOOD}]", GOOD * 2, "null", "{", "[" * 9000,
    GOOD.replace('"note"', '"note": "x", "note"'), GOOD.replace('"note"', '"\\u006eote": "x", "note"'),
    GOOD.replace('"note"', '"more": 1, "note"'), GOOD.replace(": 1,", ": 01,"), GOOD.replace(": 1,", ": 1e0,"),
    GOOD.replace(": 1,", ": -0,"), GOOD.replace('"n"', '"\t"'), GOOD.replace('"n"', '"\\ud83d\\ude00"'),
    GOOD.replace('"n"', '"\\ud83d"'), GOOD.replace('"n"', f'"{"x" * (2**14 - len(GOOD) + 1)}"'),
    GOOD.replace('"n"', f'"{"x" * (2**14 - len(GOOD) + 2)}"'), GOOD.replace('"n"', '"\x7f\u2028"'),
)  # fmt: skip


@pytest.fixture(scope="module")
def alike(second, verdicts):
    """Whether a statement and its signature hold, as both verifiers say."""

    class Alone(verdicts.Evidence):
        def __init__(self):
            self.by = (second.load, second.verify_ed25519, second.KEY, second.Bad)

    def ask(statement, signature):
        seen = DocumentSeen(criterion="S1.a", document="a", statement=statement, signature=signature)
        held = check_document(seen).statement is not None
        assert bool(Alone()._signed({"statement": statement, "signature": signature})) == held, (statement, signature)
        return held

    return ask


def test_statements_are_read_alike(alike, tally):
    texts = [json.dumps({**SAID, name: value}) for name in SAID for value in VALUES]
    texts += [json.dumps({name: SAID[name] for name in SAID if name != left}) for left in SAID]
    texts += [json.dumps({**SAID, "examined": when}) for when in TIMES] + list(TEXTS)
    held = [alike(text, armoured(blob_of(text.encode()))) for text in texts]
    assert alike(GOOD, armoured(blob_of(GOOD.encode())))
    assert any(held)
    tally(len(texts), len(texts), "statements read alike by both verifiers")


def rsa_blob(key, kind=b"rsa-sha2-512", hashing=None, change=lambda one: one, **numbers):
    """An SSH signature by an RSA key, put together by hand."""
    parts = [b"ssh-rsa", b"spiral-signoff", b"sha512"]
    signed = b"SSHSIG" + strings(parts[1], b"", parts[2], hashlib.sha512(GOOD.encode()).digest())
    raw = key.sign(signed, PKCS1v15(), hashing or (SHA256() if kind.endswith(b"256") else SHA512()))
    own = key.public_key().public_numbers()
    e, n = (mpint(numbers.get(name, getattr(own, name))) for name in ("e", "n"))
    public = strings(parts[0], numbers.get("raw_e", e), n)
    return b"SSHSIG\0\0\0\1" + strings(public, parts[1], b"", parts[2], strings(kind, change(raw)))


def mpint(number):
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def test_signatures_by_rsa_keys_are_taken_alike(alike):
    key = generate_private_key(65537, 2048)
    for size in (1024, 2048, 3072):
        own = generate_private_key(65537, size)
        for kind in (b"rsa-sha2-256", b"rsa-sha2-512"):
            assert alike(GOOD, armoured(rsa_blob(own, kind))) == (size > 1024)
    odd = [
        rsa_blob(key, b"ssh-rsa"), rsa_blob(key, b"ssh-rsa", SHA1()), rsa_blob(key, b"rsa-sha2-256", SHA512()),  # noqa: S303
        rsa_blob(key, b"rsa-sha2-384"), rsa_blob(key, b"ssh-ed25519"), rsa_blob(key, change=lambda one: b"\0" + one),
        rsa_blob(key, change=lambda one: one[:-1]), rsa_blob(key, change=lambda one: one[:-1] + bytes([one[-1] ^ 1])),
        rsa_blob(key, change=lambda _: b""), rsa_blob(key, change=lambda _: bytes(256)), rsa_blob(key, e=3),
        rsa_blob(key, e=1), rsa_blob(key, e=0), rsa_blob(key, e=65537 * 2), rsa_blob(key, n=1), rsa_blob(key, n=0),
        rsa_blob(key, n=2 ** (2**16) + 1), rsa_blob(key, raw_e=b"\0" + mpint(65537)), rsa_blob(key, raw_e=b""),
        rsa_blob(key, raw_e=b"\xff"),
    ]  # fmt: skip
    assert [alike(GOOD, armoured(one)) for one in odd] == [False] * len(odd)
    assert not alike(GOOD.replace("ada", "eve"), armoured(rsa_blob(key)))


def odd_blobs():
    """Signatures that are put together wrongly, in one way each."""
    data = GOOD.encode()
    good = blob_of(data)
    yield from (blob_of(data, public) for public in (b"", strings(b""), strings(b"ssh-ed25519"), b"ssh", bytes(4)))
    yield from (blob_of(data, strings(b"ssh-ed25519", one)) for one in (bytes(31), bytes(32), b"\1" + bytes(31)))
    yield from (blob_of(data, space=one) for one in (b"", b"file", b"spiral-signoff\0", b"spiral-waiver"))
    yield from (blob_of(data, name=one) for one in (b"sha1", b"sha384", b"sha256", b"SHA512"))
    yield from (blob_of(data, kind=b"ssh-rsa"), blob_of(data, reserved=b"x"), good + b"x", good[:-1], good[:10])
    larger = int.from_bytes(good[-32:], "little") + GROUP  # another spelling of the same signature
    yield good[:-32] + larger.to_bytes(32, "little")
    chance = random.Random(7)
    for _ in range(150):
        at = chance.randrange(len(good))
        yield good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + chance.randrange(2) :]


def test_signatures_are_taken_alike(alike, tally):
    held = [alike(GOOD, armoured(blob)) for blob in odd_blobs()]
    assert held.count(True) == 1, "the one by SHA-256, which is a good one"
    text = armoured(blob_of(GOOD.encode()))
    odd = (text.strip(), f"{text}\n", f"\n{text}", text.replace("\n", "\r\n"), text.replace("U1NI", "U1NI\n"),
           text.replace("U1NI", "U1NI\n\n"), text.replace("U", "\uff35", 1), text.replace("=", ""))  # fmt: skip
    assert [alike(GOOD, one) for one in odd] == [True, False, False, False, True, False, False, False]
    tally(len(held) + len(odd), len(held) + len(odd), "SSH signatures taken alike by both verifiers")
