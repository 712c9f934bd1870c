"""What looks like a secret is found by its form; what only talks of one is left alone."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.rules.paths import SEGMENT_LENGTH, path_faults, quarantined_path
from pytest_spiral.rules.suspects import FORMS, find_suspects, strike_suspects, stub_of

# Put together here, so that no scanner takes this file for what it looks for.
BEGIN, END = "-----BEGIN {}PRIVATE KEY{}-----", "-----END {}PRIVATE KEY{}-----"
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\nVJTUt9Us8cKj+/==\n"


def pem(word="", block=""):
    return f"{BEGIN.format(word, block)}\n{BODY}{END.format(word, block)}\n"


SECRETS = {
    "private key": [
        pem(),
        pem("RSA "),
        pem("OPENSSH "),
        pem("ENCRYPTED "),
        pem("PGP ", " BLOCK"),
        BEGIN.format("EC ", "") + "\n" + BODY,
    ],
    "AWS access key": ["AKIA" + "Q" * 16, "key=ASIA" + "7" * 16 + ";"],
    "GitHub token": ["ghp_" + "a" * 36, "token: ghs_" + "Z9" * 18, "github_pat_" + "A" * 22 + "_" + "b" * 59],
    "Slack token": ["xoxb-" + "123456789012-abcdef", "xoxp-" + "1" * 24, "xapp-" + "1-A0-" + "f" * 20],
    "bearer header": [
        "Authorization: Bearer " + "abc.DEF-ghi_jkl" * 2,
        "authorization=bearer " + "f" * 32,
        json.dumps({"Authorization": "Bearer " + "e" * 40}),
        json.dumps(json.dumps({"authorization": "Bearer " + "e" * 40})),
    ],
}
INNOCENT = [
    "",
    "a PRIVATE KEY is never written",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBg\n-----END PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----\nMIIBIjANBg\n-----END CERTIFICATE-----",
    "AKIA",
    "XAKIA" + "Q" * 16,
    "AKIA" + "Q" * 17,
    "ghp_short",
    "Authorization: Bearer ***",
    "Authorization: Basic " + "a" * 40,
    "the bearer of this token",
    "xoxo, with love",
]


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in SECRETS.items() for text in texts])
def test_what_looks_like_a_secret_is_found_and_struck(kind, text):
    for whole in (text, f"before {text} after", f'"{text}"', json.dumps(text)):
        data = whole.encode()
        assert find_suspects(data) == (kind,)
        struck = strike_suspects(data)
        assert find_suspects(struck) == ()
        assert f"[quarantined: {kind}]".encode() in struck


@pytest.mark.parametrize("text", INNOCENT)
def test_what_only_talks_of_a_secret_is_left_alone(text):
    assert find_suspects(text.encode()) == ()
    assert strike_suspects(text.encode()) == text.encode()


def test_every_form_has_its_examples():
    assert [form.kind for form in FORMS] == list(SECRETS)


def test_nothing_of_a_key_is_left():
    text = f"log\n{pem('RSA ')}more"
    assert strike_suspects(text.encode()).decode() == "log\n[quarantined: private key]\nmore"
    assert BODY.split(maxsplit=1)[0] not in strike_suspects(text.encode()).decode()


def test_a_struck_text_is_still_the_json_that_it_was():
    document = {"trace": f"E  {pem()}", "token": "ghp_" + "a" * 36, "name": "test"}
    struck = json.loads(strike_suspects(json.dumps(document).encode()))
    assert struck["name"] == "test"
    assert struck["token"] == "[quarantined: GitHub token]"
    assert struck["trace"].startswith("E  [quarantined: private key]")


@given(st.binary(max_size=200))
def test_striking_leaves_nothing_to_find(data):
    for secret in ("ghp_" + "a" * 36, pem(), "AKIA" + "Q" * 16):
        assert find_suspects(strike_suspects(data + secret.encode() + data)) == ()


@pytest.mark.parametrize(
    "text", ["-----BEGIN " * 20_000, BEGIN.format("", "") * 5_000, "xoxb-" * 50_000, "bearer " * 50_000]
)
def test_hostile_data_is_read_in_one_go(text):
    assert len(strike_suspects(text.encode())) <= len(text) + 1_000_000


def test_a_stub_says_what_was_there_and_holds_none_of_it():
    said = stub_of("key.pem\x1b", 1234, ("private key",))
    assert said.startswith("QUARANTINED by pytest-spiral: 'key.pem\\x1b', 1,234 bytes")
    assert find_suspects(said.encode()) == ()


@pytest.mark.parametrize("name", ["attachments/main-1-x.txt", "logs/" + "a" * SEGMENT_LENGTH, "x"])
def test_a_stub_lies_beside_where_the_file_would_have_been(name):
    path = quarantined_path(name)
    assert list(path_faults(path)) == []
    assert (path.rpartition("/")[0], path.endswith(".quarantined")) == (name.rpartition("/")[0], True)
