"""Declared secrets are found and replaced in every usual spelling."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_spiral.rules.redact import Redactor

SECRET = 'p\\w/d+"é key=1?'

SPELLINGS = {
    "plain": SECRET,
    "URL, all escaped": quote(SECRET, safe=""),
    "URL, slash kept": quote(SECRET),
    "form": quote_plus(SECRET),
    "URL, lower case": quote(SECRET, safe="").lower(),
    "URL, every byte": "".join(f"%{byte:02X}" for byte in SECRET.encode()),
    "JSON, ASCII": json.dumps(SECRET)[1:-1],
    "JSON, UTF-8": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "JSON, slash escaped": json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    "JSON, every character": "".join(f"\\u{ord(each):04X}" for each in SECRET),
    "hexadecimal": SECRET.encode().hex(),
    "hexadecimal, upper case": SECRET.encode().hex().upper(),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64, no padding": base64.b64encode(SECRET.encode()).decode().rstrip("="),
    "base64, URL alphabet": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "base64, URL-escaped": quote(base64.b64encode(SECRET.encode()).decode(), safe=""),
}

secrets = st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=12)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def spelled(secret: str) -> list[str]:
    encoded = secret.encode()
    return [
        secret,
        quote(secret, safe=""),
        quote_plus(secret).lower() if secret == secret.lower() else quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        encoded.hex(),
        encoded.hex().upper(),
        base64.b64encode(encoded).decode(),
        base64.urlsafe_b64encode(encoded).decode().rstrip("="),
    ]


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_each_spelling_of_a_secret_is_replaced(spelling):
    assert Redactor([SECRET]).redact(f"<{spelling}>") == "<***>"


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_each_spelling_is_found_at_its_offset(spelling):
    assert Redactor([SECRET]).find(f"é<{spelling}>".encode()) == (3,)


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_another_secret_is_left_alone(spelling):
    other = Redactor(["not-" + SECRET])
    assert other.redact(spelling) == spelling
    assert other.find(spelling.encode()) == ()


@given(secrets, texts, texts)
@example("0000", "", "")
@example("\\\\\\\\\\", "\\", "\\")
def test_nothing_is_found_in_what_was_redacted(secret, before, after):
    redactor = Redactor([secret])
    for spelling in spelled(secret):
        text = before + spelling + after
        assert redactor.find(text.encode())
        assert redactor.find(redactor.redact(text).encode()) == ()


@given(st.binary(max_size=7), secrets, st.binary(max_size=7), st.booleans())
def test_a_secret_inside_a_longer_base64_text_is_found(before, secret, after, url):
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    text = encode(before + secret.encode() + after)
    (offset, *_) = Redactor([secret]).find(text)
    assert offset == len(before) * 8 // 6


def test_basic_authentication_keeps_the_user_and_loses_the_password():
    shown = Redactor(["hunter2!"]).redact(base64.b64encode(b"me@x:hunter2!").decode())
    assert base64.b64decode(shown.removesuffix("***") + "==").startswith(b"me@x")
    assert shown.endswith("***")


@given(texts.filter(lambda text: "s" not in text))
def test_text_without_a_secret_stays_as_it_is(text):
    assert Redactor(["ssss", "zzszz"]).redact(text) == text


def test_of_two_secrets_the_longer_is_replaced_whole():
    assert Redactor(["abcd", "abcdefgh"]).redact("abcdefgh abcde") == "*** ***e"


def test_a_replacement_that_completes_another_secret_is_replaced_too():
    assert Redactor(["***x", "secret"]).redact("secretx") == "***"


def test_each_place_is_counted():
    assert Redactor(["abcd", "wxyz"]).find(b"wxyz..abcd..abcd") == (0, 6, 12)


def test_a_long_run_of_backslashes_is_searched_in_reasonable_time():
    run = "\\" * 40
    assert Redactor([run + "x"]).find((run * 200 + "y").encode()) == ()
    assert Redactor([run + "x"]).find((run + "x").encode()) == (0,)


def test_lone_surrogates_pass_through():
    assert Redactor(["abcd"]).redact("\ud800 abcd") == "\ud800 ***"


def test_no_secrets_means_no_change():
    assert Redactor([]).redact("anything") == "anything"
    assert Redactor([]).find(b"anything") == ()


@pytest.mark.parametrize("short", ["", "#", "#;#", "ééé"])
def test_a_secret_that_is_too_short_is_refused_without_being_quoted(short):
    with pytest.raises(ValueError, match="secret 2 of 2 is shorter than 4 characters") as refused:
        Redactor(["long enough", short])
    assert not short or short not in str(refused.value)


def test_four_characters_are_enough():
    assert Redactor(["abcd"]).redact("abcd") == "***"


def test_the_repr_names_no_secret():
    assert repr(Redactor(["abcdefgh"])) == "<Redactor, secrets: 1>"
