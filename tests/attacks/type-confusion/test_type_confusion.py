"""Something signed, shown as something else."""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pytest_spiral.errors import UseError
from pytest_spiral.rules.canonical import canonical_bytes

KIND = "application/vnd.in-toto+json"
PRIVATE = hashlib.sha256(b"seed").digest()


def pae(kind, payload):
    """DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)


def as_signed(data):
    return ed25519.Ed25519PrivateKey.from_private_bytes(PRIVATE).sign(data)


def by_p256(data):
    key = ec.generate_private_key(ec.SECP256R1())
    return key.sign(data, ec.ECDSA(SHA256()))


def ssh_form(payload):
    """What `ssh-keygen -Y sign` signs."""
    parts = (b"spiral-job", b"", b"sha512", hashlib.sha512(payload).digest())
    return b"SSHSIG" + b"".join(len(one).to_bytes(4, "big") + one for one in parts)


@pytest.fixture
def enveloped(announced, signer, sign):
    """The bundle with its attestation; and a way to write another envelope."""
    sign(announced.folder, signer)
    path = announced.folder / "attestation.dsse.json"
    whole = json.loads(path.read_bytes())
    payload = base64.b64decode(whole["payload"])

    def write(signature=None, **fields):
        told = {**whole, **fields}
        if signature is not None:
            one = {"keyid": signer.keyid, "sig": base64.b64encode(signature).decode()}
            told["signatures"] = [one]
        path.write_bytes(canonical_bytes(told))
        return announced.folder

    return payload, write


SIGNATURES = {
    "the payload alone": (as_signed, "attestation-signature"),
    "its digest": (lambda payload: as_signed(hashlib.sha256(payload).digest()), "attestation-signature"),
    "another type": (lambda payload: as_signed(pae("application/json", payload)), "attestation-signature"),
    "no type": (lambda payload: as_signed(pae("", payload)), "attestation-signature"),
    "the base64": (lambda payload: as_signed(pae(KIND, base64.b64encode(payload))), "attestation-signature"),
    "an SSH signature": (lambda payload: as_signed(ssh_form(payload)), "attestation-signature"),
    "with a line end": (lambda payload: as_signed(pae(KIND, payload + b"\n")), "attestation-signature"),
    "another algorithm": (lambda payload: by_p256(pae(KIND, payload)), "attestation-form"),
    "zeros": (lambda _: bytes(64), "attestation-signature"),
    "nothing": (lambda _: b"", "attestation-form"),
    "more than a signature": (lambda payload: as_signed(pae(KIND, payload)) + b"\0", "attestation-form"),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_signature_is_over_exactly_this_type_and_payload(enveloped, signer, hold, name):
    made, code = SIGNATURES[name]
    payload, write = enveloped
    answer = hold(write(signature=made(payload)), trust=signer.line("spiral-job"))
    assert answer.refused
    assert answer.codes == answer.second_codes == {code}


@pytest.mark.parametrize(
    "kind", ["application/json", "application/vnd.in-toto+json ", "APPLICATION/VND.IN-TOTO+JSON", ""]
)
def test_a_payload_type_is_one_word(enveloped, signer, hold, kind):
    payload, write = enveloped
    answer = hold(write(signature=as_signed(pae(kind, payload)), payloadType=kind), trust=signer.line("spiral-job"))
    assert answer.refused
    assert answer.codes == answer.second_codes == {"attestation-type"}


@pytest.mark.parametrize("first", [True, False])
def test_a_good_signature_beside_another_is_not_one(enveloped, signer, hold, first):
    payload, write = enveloped
    good = {"keyid": signer.keyid, "sig": base64.b64encode(as_signed(pae(KIND, payload))).decode()}
    other = {"keyid": signer.keyid, "sig": base64.b64encode(bytes(64)).decode()}
    answer = hold(write(signatures=[good, other] if first else [other, good]), trust=signer.line("spiral-job"))
    assert answer.refused
    assert answer.codes == answer.second_codes == {"attestation-form"}


def test_a_test_result_is_no_attestation(signing, signed, hold):
    """Both are signed by the same key in the same bundle."""
    (signed / "attestation.dsse.json").write_bytes((signed / "test-result.dsse.json").read_bytes())
    answer = hold(signed, trust=signing.line(signing.job))
    assert answer.refused
    assert (answer.codes, answer.second_codes) == ({"attestation-type"}, {"field-wrong"})


def test_an_attestation_is_no_test_result(signing, signed, hold, seal):
    (signed / "test-result.dsse.json").write_bytes((signed / "attestation.dsse.json").read_bytes())
    (signed / "attestation.dsse.json").unlink()
    seal(signed)
    signing.sign(signed, signing.job)
    answer = hold(signed, trust=signing.line(signing.job))
    assert answer.status == 3
    assert "attestation-type" in answer.codes


LOW_ORDER = [bytes(32), (1).to_bytes(32, "little"), (2**255 - 20).to_bytes(32, "little"), bytes([1, *bytes(30), 0x80])]


@pytest.mark.parametrize("raw", LOW_ORDER, ids=range(len(LOW_ORDER)))
def test_a_key_for_which_anybody_can_sign_is_no_key(signed, hold, raw):
    blob = b"".join(len(one).to_bytes(4, "big") + one for one in (b"ssh-ed25519", raw))
    line = f'ci@example.org namespaces="spiral-job" ssh-ed25519 {base64.b64encode(blob).decode()}'
    with pytest.raises(UseError, match="weak"):
        hold(signed, trust=line)


def test_a_key_of_another_algorithm_signs_no_bundles(signed, hold):
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    with pytest.raises(UseError, match="cannot sign bundles"):
        hold(signed, trust=f'ci@example.org namespaces="spiral-job" {line}')


@pytest.mark.sound
def test_the_envelope_as_it_is_holds(enveloped, signer, hold):
    payload, write = enveloped
    answer = hold(write(signature=as_signed(pae(KIND, payload))), trust=signer.line("spiral-job"))
    assert (answer.codes, answer.second_codes, answer.level) == (set(), set(), "E1")
