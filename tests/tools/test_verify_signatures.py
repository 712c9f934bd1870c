"""The second verifier's signatures: published vectors, what must be refused, attestations, and the trust root."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, ssh_key_fingerprint

LINES = (Path(__file__).parent / "rfc8032.txt").read_text().split("\n")[1:]
VECTORS = {LINES[at]: tuple(map(bytes.fromhex, LINES[at + 1 : at + 4])) for at in range(0, 20, 4)}
PRIME = 2**255 - 19
GROUP = 2**252 + 27742317777372353535851937790883648493
# Points whose order divides 8, in every encoding of RFC 8032 and, from the sixth on, in others of the same points.
LOW_ORDER = [
    bytes(32),
    (1).to_bytes(32, "little"),
    (PRIME - 1).to_bytes(32, "little"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    PRIME.to_bytes(32, "little"),
    (PRIME + 1).to_bytes(32, "little"),
    ((1 << 255) + 1).to_bytes(32, "little"),
]


# Ed25519


def test_there_are_the_five_vectors_of_the_rfc():
    assert list(VECTORS) == ["TEST 1", "TEST 2", "TEST 3", "TEST 1024", "TEST SHA(abc)"]
    assert [len(message) for _, _, message in VECTORS.values()] == [0, 1, 2, 1023, 64]


@pytest.mark.parametrize("name", VECTORS)
def test_the_vectors_of_rfc_8032_hold(second, name):
    second.verify_ed25519(*VECTORS[name])


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_bit_more_or_less_and_a_vector_does_not_hold(second, name, part):
    parts = [bytearray(one) for one in VECTORS[name]]
    parts[part] = parts[part] or bytearray(1)
    parts[part][0] ^= bool(VECTORS[name][part])
    refuse(second, *map(bytes, parts))


def refuse(second, key, signature, message):
    with pytest.raises(second.Bad) as told:
        second.verify_ed25519(key, signature, message)
    assert told.value.args[0] == "attestation-signature"


def test_s_is_below_the_groups_order(second):
    """RFC 8032, section 5.1.7: else a second signature could be made of any first one."""
    key, signature, message = VECTORS["TEST 3"]
    larger = int.from_bytes(signature[32:], "little") + GROUP
    refuse(second, key, signature[:32] + larger.to_bytes(32, "little"), message)


@pytest.mark.parametrize("key", LOW_ORDER, ids=lambda key: key.hex()[:8])
def test_a_key_of_low_order_signs_nothing(second, key):
    """With such a key and S = 0, R the neutral element holds for one message in eight, and for every one with some."""
    neutral = (1).to_bytes(32, "little")
    for message in (b"", b"a", b"b", b"c"):
        refuse(second, key, neutral + bytes(32), message)


@pytest.mark.parametrize("y", [PRIME, PRIME + 1, PRIME + 18, 2**255 - 1])
def test_a_point_has_one_encoding(second, y):
    key, signature, message = VECTORS["TEST 3"]
    refuse(second, y.to_bytes(32, "little"), signature, message)
    refuse(second, key, y.to_bytes(32, "little") + signature[32:], message)


def test_a_y_that_no_point_has_is_refused(second):
    key, signature, message = VECTORS["TEST 3"]
    refuse(second, (2).to_bytes(32, "little"), signature, message)
    refuse(second, key, (2).to_bytes(32, "little") + signature[32:], message)


@pytest.mark.parametrize(("size", "signed"), [(31, 64), (33, 64), (32, 63), (32, 65), (0, 0)])
def test_sizes_are_those_of_the_rfc(second, size, signed):
    key, signature, message = VECTORS["TEST 3"]
    refuse(second, (key + b"\0")[:size], (signature + b"\0")[:signed], message)


def test_it_holds_what_another_library_signed(second):
    for number in range(8):
        key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(bytes([number])).digest())
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        message = bytes(range(number * 7))
        second.verify_ed25519(public, key.sign(message), message)
        refuse(second, public, key.sign(message + b"!"), message)


# Attestations


class Signer:
    """A key, its line in a trust root, and the envelopes that it signs."""

    def __init__(self, seed=b"seed"):
        self.key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed).digest())
        self.openssh = self.key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        blob = base64.b64decode(self.openssh.split()[1])
        self.keyid = "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")

    def line(self, roles, extra=""):
        return f'ci@example.org namespaces="{roles}"{extra} {self.openssh} the runner\n'

    def envelope(self, payload, kind="application/vnd.in-toto+json"):
        signed = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
        signature = {"keyid": self.keyid, "sig": base64.b64encode(self.key.sign(signed)).decode()}
        return {"payload": base64.b64encode(payload).decode(), "payloadType": kind, "signatures": [signature]}


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def statement_of(folder, **said):
    """What the attestation of this bundle has to say."""
    start, summary = (json.loads((folder / name).read_bytes()) for name in ("bundle.json", "summary.json"))
    manifest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    predicate = {
        "run": start["run"],
        "status": "finished",
        "plan": start["plan"],
        "bundle": "sha256:" + hashlib.sha256((folder / "bundle.json").read_bytes()).hexdigest(),
        "rules": "spiral-rules/1",
        "target": start["target"]["name"],
        "profile": start["profile"]["name"],
        "decision": summary["decision"],
        "stages": {one["id"]: one["decision"] for one in summary["stages"]},
        "gates": {one["id"]: one["decision"] for one in summary["gates"]},
        "verdicts": {one["id"]: one["verdict"] for one in summary["criteria"]},
        "ledger": None,
        "isolation": "none",
        "producer": {"name": "pytest-spiral", "version": start["packages"].get("pytest-spiral", "")},
    }
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "manifest.json", "digest": {"sha256": manifest}}],
        "predicateType": "https://pytest-spiral.readthedocs.io/gate-decision/v1",
        "predicate": {**predicate, **said},
    }


@pytest.fixture
def signer():
    return Signer()


@pytest.fixture
def announced(forger, signer):
    """The small bundle, whose bundle.json names the job's key as the one that will sign."""
    start = json.loads((forger.folder / "bundle.json").read_bytes())
    records = {name: forger.records(name) for name in ("main", "gw0", "gw1")}
    start["signer"] = {"keyid": signer.keyid, "role": "spiral-job"}
    (forger.folder / "bundle.json").write_bytes(canonical(start))
    for name, kept in records.items():
        forger.rechain(name, kept)
    forger.seal()
    return forger


def attest(folder, signer, statement=None, **said):
    payload = canonical(statement or statement_of(folder, **said))
    (folder / "attestation.dsse.json").write_bytes(canonical(signer.envelope(payload)))


@pytest.fixture
def checked(second, ask_both):
    """What the second verifier says of a folder and a trust root, when the first one has said the same.

    The second one ends step 4 with the first fault, the first one goes on: it may have more codes.
    """

    def ask(folder, trust):
        check = second.Check(folder, None if trust is None else second.read_trust(trust))
        both = ask_both(folder, trust)
        assert both.disagreements == {}
        assert both.theirs["codes"] <= both.ours["codes"]
        assert bool(both.theirs["codes"]) is bool(both.ours["codes"])
        assert both.ours == {**both.theirs, "steps": both.ours["steps"], "codes": both.ours["codes"]}
        return check, {code for _, code, _ in check.found}

    return ask


def test_a_signed_bundle_is_e1_with_a_jobs_key(checked, announced, signer):
    attest(announced.folder, signer)
    check, codes = checked(announced.folder, signer.line("spiral-job"))
    assert (codes, check.steps[4][0], check.level, check.outcome) == (set(), "held", "E1", "sound")


def test_without_a_trust_root_nobody_vouches(checked, announced, signer):
    attest(announced.folder, signer)
    check, codes = checked(announced.folder, None)
    assert (codes, check.steps[4][0], check.level) == (set(), "cannot-tell", "E0")
    assert check.steps[4][1].startswith("no trust root given")


def test_who_countersigns_is_a_recorder(checked, forger, signer):
    attest(forger.folder, signer, isolation="countersign")
    check, codes = checked(forger.folder, signer.line("spiral-recorder"))
    assert (codes, check.steps[4][0], check.level) == (set(), "held", "E2")


def test_a_key_that_jobs_hold_too_is_no_recorders(checked, forger, signer):
    attest(forger.folder, signer, isolation="countersign")
    assert checked(forger.folder, signer.line("spiral-job,spiral-recorder"))[0].level == "E1"


def test_a_bundle_that_announces_a_key_and_is_not_signed_decides_nothing(checked, announced, signer):
    check, codes = checked(announced.folder, signer.line("spiral-job"))
    assert (check.state, codes, check.status("conditional")) == ("unattested", {"unsealed-unattested"}, 1)


def test_a_trust_root_wants_a_signature(checked, forger, signer):
    check, codes = checked(forger.folder, signer.line("spiral-job"))
    assert (codes, check.status("conditional")) == ({"attestation-missing"}, 3)


STATEMENTS = {
    "another run": (lambda one: one["predicate"].update(run="x"), "attestation-statement"),
    "another decision": (lambda one: one["predicate"].update(decision="GO"), "attestation-statement"),
    "another verdict": (
        lambda one: one["predicate"]["verdicts"].update({"B1.latency": "pass"}),
        "attestation-statement",
    ),
    "another criterion": (lambda one: one["predicate"]["verdicts"].update({"B9.x": "pass"}), "attestation-statement"),
    "a gate less": (lambda one: one["predicate"].update(gates={}), "attestation-statement"),
    "another plan": (lambda one: one["predicate"].update(plan="sha256:" + "0" * 64), "attestation-statement"),
    "another bundle": (lambda one: one["predicate"].update(bundle="sha256:" + "0" * 64), "attestation-statement"),
    "another end": (lambda one: one["predicate"].update(status="interrupted"), "attestation-statement"),
    "another producer": (lambda one: one["predicate"]["producer"].update(version="9"), "attestation-statement"),
    "another profile": (lambda one: one["predicate"].update(profile="x"), "attestation-statement"),
    "another manifest": (lambda one: one["subject"][0]["digest"].update(sha256="0" * 64), "attestation-subject"),
    "two subjects": (lambda one: one["subject"].append(one["subject"][0]), "attestation-subject"),
    "another type": (lambda one: one.update(predicateType="https://in-toto.io/x/v1"), "attestation-type"),
    "a field more": (lambda one: one["predicate"].update(more=1), "field-wrong"),
    "a field less": (lambda one: one["predicate"].pop("isolation"), "field-wrong"),
    "a launcher that is none": (lambda one: one["predicate"].update(isolation="launcher"), "attestation-statement"),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_an_attestation_says_what_the_bundle_gives(checked, announced, signer, name):
    change, code = STATEMENTS[name]
    statement = statement_of(announced.folder)
    change(statement)
    attest(announced.folder, signer, statement)
    check, codes = checked(announced.folder, signer.line("spiral-job"))
    assert (codes, check.status("conditional"), check.level) == ({code}, 3, "E0")


ENVELOPES = {
    "blanks": (lambda one: json.dumps(one).encode(), "not-canonical"),
    "keys in another order": (
        lambda one: json.dumps(dict(reversed(one.items())), separators=(",", ":")).encode(),
        "not-canonical",
    ),
    "a line end": (lambda one: canonical(one) + b"\n", "not-canonical"),
    "two signatures": (lambda one: canonical({**one, "signatures": one["signatures"] * 2}), "attestation-form"),
    "no signature": (lambda one: canonical({**one, "signatures": []}), "attestation-form"),
    "another payload type": (lambda one: canonical({**one, "payloadType": "text/plain"}), "attestation-type"),
    "a field more": (lambda one: canonical({**one, "more": 1}), "field-wrong"),
    "no base64": (lambda one: canonical({**one, "payload": one["payload"] + "!"}), "attestation-form"),
    "base64 with loose bits": (lambda one: canonical(loosened(one)), "attestation-form"),
    "a signature of zeros": (lambda one: canonical(resigned(one, bytes(64))), "attestation-signature"),
    "a short signature": (lambda one: canonical(resigned(one, bytes(63))), "attestation-form"),
}


def resigned(envelope, signature):
    told = {**envelope["signatures"][0], "sig": base64.b64encode(signature).decode()}
    return {**envelope, "signatures": [told]}


def loosened(envelope):
    """The same 64 bytes, spelled with bits set that base64 leaves out: `A==` has four of them."""
    told = dict(envelope["signatures"][0])
    assert told["sig"].endswith("==")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    told["sig"] = told["sig"][:-3] + alphabet[alphabet.index(told["sig"][-3]) ^ 1] + "=="
    return {**envelope, "signatures": [told]}


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_envelope_has_one_spelling(checked, announced, signer, name):
    change, code = ENVELOPES[name]
    envelope = signer.envelope(canonical(statement_of(announced.folder)))
    (announced.folder / "attestation.dsse.json").write_bytes(change(envelope))
    check, codes = checked(announced.folder, signer.line("spiral-job"))
    assert (codes, check.status("conditional")) == ({code}, 3)


ROOTS = {
    "another key": (lambda _: Signer(b"other").line("spiral-job"), "attestation-key-unknown"),
    "another role": (lambda signer: signer.line("spiral-signoff"), "attestation-role"),
    "a recorder's role": (lambda signer: signer.line("spiral-recorder"), "attestation-role"),
    "not valid yet": (lambda signer: signer.line("spiral-job", ',valid-after="20300101Z"'), "attestation-key-time"),
    "not valid any more": (
        lambda signer: signer.line("spiral-job", ',valid-before="202001010000Z"'),
        "attestation-key-time",
    ),
    "superseded": (
        lambda signer: signer.line("spiral-job") + f"# spiral: superseded {signer.keyid} at 5\n",
        "attestation-key-superseded",
    ),
    "compromised": (
        lambda signer: signer.line("spiral-job") + f"# spiral: compromised {signer.keyid} since 0\n",
        "attestation-key-compromised",
    ),
}


@pytest.mark.parametrize("name", ROOTS)
def test_the_key_is_good_for_what_it_signed(checked, announced, signer, name):
    root, code = ROOTS[name]
    attest(announced.folder, signer)
    check, codes = checked(announced.folder, root(signer))
    assert (codes, check.status("conditional"), check.level) == ({code}, 3, "E0")


def test_another_key_than_the_one_announced_is_refused(checked, announced):
    other = Signer(b"other")
    attest(announced.folder, other)
    assert checked(announced.folder, other.line("spiral-job"))[1] == {"attestation-signer"}


def test_whoever_mends_the_manifest_is_found_by_the_signature(checked, announced, signer):
    """Any file edited and the manifest brought in line: the attestation is about another one."""
    attest(announced.folder, signer)
    announced.edit("log.txt", lambda _: b"jello\n")
    announced.change("main", lambda records: next(
        body for kind, body in records if kind == "attached"
    ).update(sha256="sha256:" + hashlib.sha256(b"jello\n").hexdigest()))  # fmt: skip
    assert checked(announced.folder, signer.line("spiral-job"))[1] == {"attestation-subject"}


def test_every_byte_of_an_attestation_counts(second, announced, signer, tally):
    attest(announced.folder, signer)
    path, trust = announced.folder / "attestation.dsse.json", second.read_trust(signer.line("spiral-job"))
    data, found, asked = path.read_bytes(), 0, 0
    for at in range(0, len(data), 5):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        check, asked = second.Check(announced.folder, trust), asked + 1
        found += check.outcome == "untrusted" and check.level == "E0"
    tally(found, asked, "mutations of an attestation found by the second verifier")
    assert found == asked > 200


@pytest.mark.parametrize(
    "line",
    [
        "ci@example.org ssh-ed25519 AAAA",
        'ci@example.org namespaces="spiral-job" ssh-ed25519 AAAA',
        "# spiral: superseded by a better one",
        "nonsense",
    ],
)
def test_a_trust_root_is_read_strictly(second, line):
    with pytest.raises(ValueError, match=r"names no key|base64|padding|characters"):
        second.read_trust(line)


def test_an_option_that_is_not_known_and_a_key_twice_are_refused(second, signer):
    for text in (signer.line("spiral-job", ",cert-authority"), signer.line("spiral-job") * 2):
        with pytest.raises(ValueError, match="names no key"):
            second.read_trust(text)


def test_keys_of_people_may_stand_beside_it(second, signer):
    text = "# people\n\n" + 'ann@example.org namespaces="spiral-signoff" ssh-rsa AAAA ann\n' + signer.line("spiral-job")
    assert list(second.read_trust(text)) == [signer.keyid]


def test_the_fingerprint_is_the_one_of_openssh(second, signer):
    public = signer.key.public_key()
    told = "SHA256:" + base64.b64encode(ssh_key_fingerprint(public, SHA256())).decode().rstrip("=")
    trusted = second.read_trust(signer.line("spiral-job"))
    assert list(trusted) == [told]
    assert Ed25519PublicKey.from_public_bytes(trusted[told][0]) == public
