"""The trust root: what is read is what OpenSSH reads, and everything doubtful is refused with its line."""

import base64
import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.errors import UseError
from pytest_spiral.model.attestation import ROLES
from pytest_spiral.model.trust import TrustedKey, TrustRoot
from pytest_spiral.rules.trust import (
    _LOW_ORDER,
    _PRIME,
    key_faults,
    parse_moment,
    parse_public_key,
    parse_trust,
    render_line,
    render_mark,
)


def blob(raw, kind="ssh-ed25519"):
    name = kind.encode()
    return base64.b64encode(len(name).to_bytes(4, "big") + name + len(raw).to_bytes(4, "big") + raw).decode()


def print_of(public):
    return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(public)).digest()).decode().rstrip("=")


# Bytes 2 and 3, the rest zero: canonical spellings that are not of low order. No private key is needed here.
A, B = (blob(bytes([first]) + bytes(31)) for first in (3, 4))
KEY_A, KEY_B = print_of(A), print_of(B)
LINE_A = f'ci@example.org namespaces="spiral-job" ssh-ed25519 {A}'
LINE_B = f'me,you@example.org namespaces="spiral-signoff,spiral-waiver" ssh-ed25519 {B} a comment'
DAY = 86_400_000_000


def test_a_trust_root_is_read():
    root = parse_trust(f"# ours\n\n{LINE_A}\n{LINE_B}\n", "t")
    assert [one.keyid for one in root.keys] == [KEY_A, KEY_B]
    assert (root.keys[0].roles, root.keys[0].principals) == (("spiral-job",), ("ci@example.org",))
    assert (root.keys[1].roles, root.keys[1].principals) == (
        ("spiral-signoff", "spiral-waiver"),
        ("me", "you@example.org"),
    )
    assert root.key(KEY_A).raw == bytes([3]) + bytes(31)
    assert root.key("SHA256:x") is None
    assert parse_trust("", "t") == TrustRoot()


def options(text):
    return f"ci {text} ssh-ed25519 {A}"


REFUSED = {
    "a key with a letter beyond ASCII": (f'ci namespaces="spiral-job" ssh-ed25519 \u00e9{A}', "not the base64"),
    "no namespaces": (f"ci ssh-ed25519 {A}", "names no role"),
    "options without namespaces": (options('valid-after="20260101Z"'), "names no role"),
    "a misspelled role": (options('namespaces="spiral-jobs"'), "is no role"),
    "a role in capitals": (options('namespaces="Spiral-job"'), "is no role"),
    "a pattern of namespaces": (options('namespaces="spiral-*"'), "is no role"),
    "any namespace": (options('namespaces="*"'), "is no role"),
    "a negated namespace": (options('namespaces="!git,spiral-job"'), "is no role"),
    "an empty namespace": (options('namespaces=""'), "is no role"),
    "a value without quotes": (options("namespaces=spiral-job"), "is no option"),
    "two option fields": (options('namespaces="spiral-job" valid-after="20260101Z"'), "no key type"),
    "an authority": (options('cert-authority,namespaces="spiral-job"'), "is no option"),
    "an unknown option": (options('namespaces="spiral-job",no-touch-required'), "is no option"),
    "an option twice": (options('namespaces="spiral-job",namespaces="spiral-recorder"'), "stands twice"),
    "an open quote": (options('namespaces="spiral-job'), "no role|no option|no key type"),
    "a local time": (options('namespaces="spiral-job",valid-after="20260101"'), "is no time"),
    "a day that is none": (options('namespaces="spiral-job",valid-after="20260231Z"'), "is no time"),
    "an hour that is none": (options('namespaces="spiral-job",valid-after="2026010125Z"'), "is no time"),
    "the epoch, which OpenSSH does not know": (options('namespaces="spiral-job",valid-after="19700101Z"'), "is no time"),
    "digits of another script": (options('namespaces="spiral-job",valid-after="\uff12\uff10\uff12\uff160101Z"'), "is no time"),
    "ends that cross": (options('namespaces="spiral-job",valid-after="20260102Z",valid-before="20260101Z"'), "never valid"),
    "a pattern of principals": (LINE_A.replace("ci@", "*@"), "no plain name"),
    "a tab": (LINE_A.replace(" ", "\t", 1), "does not print"),
    "a line end of Windows": (f"{LINE_A}\r", "does not print"),
    "a blank that is none": (LINE_A.replace(" ssh", "\xa0ssh"), "does not print"),
    "two blanks": (LINE_A.replace(" ssh", "  ssh"), "no key type"),
    "an escaped quote": (options('namespaces="spiral-job\\",x"'), "no option|no key type"),
    "a leading blank": (f" {LINE_A}", "no plain name"),
    "another kind for bundles": (f'ci namespaces="spiral-job" ssh-rsa {blob(bytes(256), "ssh-rsa")}', "cannot sign bundles"),
    "an unknown kind": (f'ci namespaces="spiral-signoff" ssh-dss {blob(bytes(20), "ssh-dss")}', "no key type"),
    "one kind that is another": (f'ci namespaces="spiral-signoff" ssh-rsa {A}', "is not the base64"),
    "base64 of URLs": (LINE_A.replace(A, A.replace("A", "-", 1)), "is not the base64"),
    "base64 without its end": (LINE_A.replace(A, A[:-1]), "is not the base64"),
    "31 bytes": (LINE_A.replace(A, blob(bytes(30) + b"x")), "32 bytes"),
    "the same key twice": (f"{LINE_A}\n{LINE_A}", "two lines"),
    "a mark of another word": (f"{LINE_A}\n# spiral: revoked {KEY_A} at 3", "is not understood"),
    "a mark with the other preposition": (f"{LINE_A}\n# spiral: superseded {KEY_A} since 3", "is not understood"),
    "a mark without a position": (f"{LINE_A}\n# spiral: compromised {KEY_A}", "is not understood"),
    "a mark without a blank": (f"{LINE_A}\n#spiral: compromised {KEY_A} since 3", "is not understood"),
    "a mark in capitals": (f"{LINE_A}\n# SPIRAL: compromised {KEY_A} since 3", "is not understood"),
    "a mark of half a fingerprint": (f"{LINE_A}\n# spiral: compromised {KEY_A[:20]} since 3", "is not understood"),
    "a mark of a key that is not there": (f"{LINE_A}\n# spiral: compromised {KEY_B} since 3", "has no line"),
    "a position beyond JSON": (f"{LINE_A}\n# spiral: compromised {KEY_A} since 9007199254740992", "beyond 2\\^53"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_doubtful_is_refused_with_its_place(text, said):
    with pytest.raises(UseError, match=said) as caught:
        parse_trust(text, "allowed_signers")
    assert str(caught.value).startswith("allowed_signers:")


def test_namespaces_of_other_programs_give_no_role():
    (key,) = parse_trust(f'me namespaces="git,spiral-signoff,file" ssh-ed25519 {A}', "t").keys
    assert key.roles == ("spiral-signoff",)
    (key,) = parse_trust(f'me namespaces="git" ssh-ed25519 {A}', "t").keys
    assert (key.roles, key.signs) == ((), "none")


def test_people_may_have_keys_of_other_kinds():
    (key,) = parse_trust(f'me namespaces="spiral-signoff" ssh-rsa {blob(bytes(256), "ssh-rsa")}', "t").keys
    assert key.kind == "ssh-rsa"
    with pytest.raises(ValueError, match="no 32 bytes"):
        _ = key.raw


@pytest.mark.parametrize(
    ("roles", "signs"),
    [
        (("spiral-job",), "job"),
        (("spiral-recorder",), "recorder"),
        (("spiral-recorder", "spiral-job"), "job"),
        (("spiral-signoff", "spiral-recorder"), "recorder"),
        (("spiral-signoff",), "none"),
    ],
)
def test_the_least_of_its_roles_says_what_a_key_signs_as(roles, signs):
    key = TrustedKey(keyid=KEY_A, kind="ssh-ed25519", public=A, principals=("ci",), roles=roles)
    assert key.signs == signs


# Keys for which anybody can sign


def doubled(point):
    x, y = point
    d = -121665 * pow(121666, -1, _PRIME) % _PRIME
    t = d * x * x * y * y % _PRIME
    return (2 * x * y * pow(1 + t, -1, _PRIME) % _PRIME, (y * y + x * x) * pow(1 - t, -1, _PRIME) % _PRIME)


def test_the_points_of_low_order_are_those_of_the_curve():
    d = -121665 * pow(121666, -1, _PRIME) % _PRIME
    assert len(_LOW_ORDER) == 5, "8 points, of which 3 pairs share their y"
    for y in _LOW_ORDER:
        square = (y * y - 1) * pow(d * y * y + 1, -1, _PRIME) % _PRIME
        root = pow(square, (_PRIME + 3) // 8, _PRIME)
        x = root if root * root % _PRIME == square else root * pow(2, (_PRIME - 1) // 4, _PRIME) % _PRIME
        assert x * x % _PRIME == square
        assert doubled(doubled(doubled((x, y)))) == (0, 1)


@pytest.mark.parametrize("y", [*sorted(_LOW_ORDER), _PRIME, _PRIME + 1, 2**255 - 1])
@pytest.mark.parametrize("sign", [0, 1])
def test_a_weak_key_is_refused(y, sign):
    raw = (y | sign << 255).to_bytes(32, "little")
    with pytest.raises(UseError, match="is weak"):
        parse_trust(LINE_A.replace(A, blob(raw)), "t")


# Revocation and time


def test_marks_are_read_and_the_earliest_counts():
    root = parse_trust(
        f"{LINE_A}\n{render_mark('superseded', KEY_A, 9)}\n# spiral: superseded {KEY_A} at 4\n"
        f"{render_mark('compromised', KEY_A, 2)}",
        "t",
    )
    assert (root.superseded, root.compromised) == ({KEY_A: 4}, {KEY_A: 2})


@pytest.mark.parametrize(
    ("change", "role", "times", "position", "codes"),
    [
        ({}, "spiral-job", (5, 6), None, []),
        ({}, "spiral-job", None, 3, []),
        ({}, "spiral-recorder", (5, 6), None, ["attestation-role"]),
        ({"valid_after": 5}, "spiral-job", (5, 6), None, []),
        ({"valid_after": 6}, "spiral-job", (5, 6), None, ["attestation-key-time"]),
        ({"valid_before": 6}, "spiral-job", (5, 6), None, []),
        ({"valid_before": 5}, "spiral-job", (5, 6), None, ["attestation-key-time"]),
        ({"valid_after": 7, "valid_before": 4}, "spiral-job", (5, 6), None, ["attestation-key-time"] * 2),
    ],
)
def test_a_key_vouches_in_its_role_while_it_is_valid(change, role, times, position, codes):
    (key,) = parse_trust(LINE_A, "t").keys
    key = msgspec.structs.replace(key, **change)
    assert [code for code, _ in key_faults(TrustRoot(keys=(key,)), key, role, times, position)] == codes


@pytest.mark.parametrize("word", ["superseded", "compromised"])
@pytest.mark.parametrize(("position", "kept"), [(None, False), (3, True), (4, False), (5, False)])
def test_a_revoked_key_keeps_what_a_ledger_shows_before(word, position, kept):
    root = parse_trust(f"{LINE_A}\n{render_mark(word, KEY_A, 4)}", "t")
    found = [code for code, _ in key_faults(root, root.keys[0], "spiral-job", None, position)]
    assert found == ([] if kept else [f"attestation-key-{word}"])


@pytest.mark.parametrize(
    ("text", "last", "moment"),
    [
        ("19700101000001Z", False, 1_000_000),
        ("19700102Z", False, DAY),
        ("197001020001Z", False, DAY + 60_000_000),
        ("19700102000102Z", False, DAY + 62_000_000),
        ("19700102Z", True, DAY + 999_999),
    ],
)
def test_times_are_in_utc(text, last, moment):
    assert parse_moment(text, "t", last=last) == moment


# Writing


@given(
    raw=st.binary(min_size=32, max_size=32),
    roles=st.lists(st.sampled_from(ROLES), min_size=1, unique=True),
    ends=st.tuples(st.none() | st.integers(1, 40_000), st.none() | st.integers(40_001, 80_000)),
    comment=st.text(alphabet='abc #",=é', max_size=12),
)
def test_a_line_that_is_written_is_read_back(raw, roles, ends, comment):
    raw = bytes([raw[0] | 2]) + raw[1:31] + bytes([raw[31] & 0x3F])
    after, before = ends
    key = TrustedKey(
        keyid=print_of(blob(raw)),
        kind="ssh-ed25519",
        public=blob(raw),
        principals=("ci@example.org",),
        roles=tuple(roles),
        valid_after=None if after is None else after * 1_000_000,
        valid_before=None if before is None else before * 1_000_000 + 999_999,
    )
    line = render_line(key, comment)
    assert parse_trust(line, "t").keys == (key,)


def test_a_public_key_is_read_without_role():
    key = parse_public_key(f"ssh-ed25519 {A} me@example.org\n", "k.pub")
    assert (key.keyid, key.roles, key.principals) == (KEY_A, (), ())


@pytest.mark.parametrize("text", ["", A, f"ssh-ed25519 {A}\nssh-ed25519 {B}", "-----BEGIN OPENSSH PRIVATE KEY-----"])
def test_what_is_no_public_key_is_told(text):
    with pytest.raises(UseError, match=r"k\.pub is no OpenSSH public key"):
        parse_public_key(text, "k.pub")


@given(
    st.text(max_size=200) | st.lists(st.sampled_from([LINE_A, "#", "spiral:", KEY_A, '"', ",", "\n", " "])).map("".join)
)
def test_whatever_the_text_is_it_is_read_or_refused_in_words(text):
    try:
        told = {key.keyid[:7] for key in parse_trust(text, "t").keys}
    except UseError as problem:
        told = {str(problem)[:2]}
    assert told in ({"SHA256:"}, {"t:"}, set())
