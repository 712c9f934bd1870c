"""Envelopes: DSSE's published vector, one spelling, and nothing but a refusal for anything else."""

import base64
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as Signable

from pytest_spiral.errors import UntrustedError
from pytest_spiral.evidence.envelope import open_envelope, parse_statement, sign_payload, verify_signature
from pytest_spiral.evidence.keys import make_key
from pytest_spiral.model.attestation import PAYLOAD_TYPE, DecisionStatement, Envelope
from pytest_spiral.rules.canonical import canonical_bytes

# github.com/secure-systems-lab/dsse, protocol.md: the test vector's type, payload and pre-authentication encoding.
TYPE = "http://example.com/HelloWorld"
PAYLOAD = b"hello world"
PAE = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@pytest.fixture(scope="module")
def key():
    return make_key()


@pytest.fixture(scope="module")
def data(key):
    return sign_payload(b'{"a":1}', key)


def test_the_published_vector_is_what_is_signed(key):
    envelope = json.loads(sign_payload(PAYLOAD, key, TYPE))
    assert (envelope["payload"], envelope["payloadType"]) == ("aGVsbG8gd29ybGQ=", TYPE)
    (signature,) = envelope["signatures"]
    assert signature["keyid"] == key.keyid
    public = Ed25519PublicKey.from_public_bytes(key.raw_public)
    public.verify(base64.b64decode(signature["sig"]), PAE)
    for wrong in (PAYLOAD, PAE + b" ", PAE.replace(b"29", b"30")):
        with pytest.raises(InvalidSignature):
            public.verify(base64.b64decode(signature["sig"]), wrong)
    assert Signable(PAYLOAD, TYPE, {}).pae() == PAE


def test_an_envelope_is_read_back_and_its_signature_holds(key, data):
    envelope = open_envelope(data)
    assert (envelope.payload, envelope.payload_type, envelope.keyid) == (b'{"a":1}', PAYLOAD_TYPE, key.keyid)
    assert canonical_bytes(json.loads(data)) == data
    verify_signature(envelope, key.raw_public)


@pytest.mark.parametrize(
    "change",
    [
        {"payload": b'{"a":2}'},
        {"payload_type": "application/json"},
        {"signature": bytes(64)},
        {"signature": b"\xff" * 64},
    ],
)
def test_a_signature_over_anything_else_does_not_hold(key, data, change):
    envelope = open_envelope(data)
    parts = {name: getattr(envelope, name) for name in Envelope.__struct_fields__}
    with pytest.raises(UntrustedError) as caught:
        verify_signature(Envelope(**{**parts, **change}), key.raw_public)
    assert caught.value.code == "attestation-signature"


def test_another_keys_signature_does_not_hold_under_this_name(data):
    with pytest.raises(UntrustedError) as caught:
        verify_signature(open_envelope(data), make_key().raw_public)
    assert caught.value.code == "attestation-signature"


def test_a_signature_with_a_scalar_beyond_the_order_is_refused(key, data):
    """RFC 8032, 5.1.7: S + L would verify too, and make a second envelope of one signature."""
    envelope = open_envelope(data)
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(envelope.signature[32:], "little") + order
    forged = envelope.signature[:32] + scalar.to_bytes(32, "little")
    parts = {name: getattr(envelope, name) for name in Envelope.__struct_fields__}
    with pytest.raises(UntrustedError):
        verify_signature(Envelope(**{**parts, "signature": forged}), key.raw_public)


@given(st.binary(max_size=300))
def test_whatever_the_bytes_are_they_are_refused_in_words(data):
    with pytest.raises(UntrustedError):
        open_envelope(data)
    with pytest.raises(UntrustedError):
        parse_statement(data, DecisionStatement)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(payload=JSON, kind=JSON, signatures=JSON)
def test_whatever_stands_in_an_envelope_is_refused_in_words(payload, kind, signatures):
    document = {"payload": payload, "payloadType": kind, "signatures": signatures}
    with pytest.raises(UntrustedError):
        open_envelope(canonical_bytes(document))


@given(text=st.text(alphabet="ABCDEFgw=+/-_ \n", max_size=12))
def test_base64_has_one_spelling(text):
    form = {"payload": text, "payloadType": PAYLOAD_TYPE, "signatures": [{"keyid": "k", "sig": "A" * 86 + "=="}]}
    try:
        told = base64.b64encode(open_envelope(canonical_bytes(form)).payload).decode()
    except UntrustedError as problem:
        told = problem.code
    assert told in (text, "attestation-form")
