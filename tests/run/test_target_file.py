"""`[tool.spiral.targets.NAME]`: read strictly, every mistake one sentence with line and remedy, values never quoted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_spiral.errors import GatesFileError, TargetError, UseError
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.run.target_file import load_targets, parse_targets, target_secrets

WHOLE = """\
[project]
name = "x"

[tool.spiral.targets.staging]
fidelity = "staging"
controls = "sandbox"
timeout = "500 ms"
retries = 2
facts = { "clock.trusted" = true }
ca = "ca.pem"
cert = "client.pem"
key = "client.key"
credential = "STAGING_TOKEN"

[tool.spiral.targets.staging.components.memory]
challenge = "nonce-item"
rest = "https://staging.example.org"
grpc = "staging.example.org:8444"
send_credential = true

[tool.spiral.targets.staging.components.connectors]
challenge = "run-certificate"

[tool.spiral.targets.staging.components.connectors.services.operator_api]
rest = "https://staging.example.org:8450/api"
grpc = "[::1]:8451"
codec = "json"
credential = "OPERATOR_TOKEN"
credentials = { overseer = "OVERSEER_TOKEN" }
"""


def test_a_whole_target():
    target = parse_targets(WHOLE)["staging"]
    assert (target.fidelity, target.controls, target.timeout_s, target.retries) == (Fidelity.STAGING, "sandbox", 0.5, 2)
    assert target.facts == {"clock.trusted": True}
    assert target.variables() == ("OPERATOR_TOKEN", "OVERSEER_TOKEN", "STAGING_TOKEN")
    memory, connectors = target.components["memory"], target.components["connectors"]
    assert (memory.challenge, memory.services[""].grpc, memory.services[""].send) == (
        "nonce-item",
        "staging.example.org:8444",
        True,
    )
    operator = connectors.services["operator_api"]
    assert (operator.ca, operator.codec, operator.send) == ("ca.pem", "json", False)
    assert operator.credentials == {"": "OPERATOR_TOKEN", "overseer": "OVERSEER_TOKEN"}


def changed(old, new):
    assert old in WHOLE
    return WHOLE.replace(old, new)


MISTAKES = {
    "no level": (changed('fidelity = "staging"\n', ""), 4, "`fidelity` is missing or empty"),
    "another level": (changed('"staging"\n', '"stagin"\n'), 5, "`fidelity` is 'stagin'"),
    "unknown key": (changed("retries =", "retry ="), 8, "did you mean `retries`?"),
    "unknown table": ("[tool.spiral.target.x]\nfidelity = 'live'\n", 1, "did you mean `targets`?"),
    "no components": ("[tool.spiral.targets.a]\nfidelity = 'live'\n", 1, "the target a has no component"),
    "a name": (WHOLE.replace("staging.components", "Staging.components").replace("targets.staging]", "targets.Staging]"), 4, "'Staging' is no name of a target"),
    "no address": (changed('rest = "https://staging.example.org"\ngrpc = "staging.example.org:8444"\n', ""), 15, "has no one place"),
    "no url": (changed('https://staging.example.org"', 'staging.example.org"'), 17, "`rest` is 'staging.example.org'"),
    "a user in the url": (changed('https://staging.example.org"', 'https://me@staging.example.org"'), 17, "`rest` is"),
    "no port": (changed("staging.example.org:8444", "staging.example.org"), 18, "write host and port"),
    "a codec": (changed('"json"', '"loose"'), 27, "use one of protobuf, json"),
    "a challenge": (changed('"nonce-item"', '"trust-me"'), 16, "use one of nonce-item, run-certificate"),
    "a timeout": (changed('"500 ms"', '"5"'), 7, "has no unit"),
    "a long timeout": (changed('"500 ms"', '"2 h"'), 7, "up to 10 min"),
    "a timeout of bytes": (changed('"500 ms"', '"2 GB"'), 7, "up to 10 min"),
    "retries": (changed("retries = 2", "retries = 99"), 8, "use 10 at most"),
    "negative retries": (changed("retries = 2", "retries = -1"), 8, "a whole number from 0 up"),
    "a certificate without key": (changed('key = "client.key"\n', ""), 14, "belong together"),
    "plain http with tls files": (changed('https://staging.example.org"', 'http://127.0.0.1"'), 17, "files for TLS and does not use it"),
    "a fact": (changed('"clock.trusted" = true', '"Clock" = [1]'), 9, "no fact that a target can state"),
    "a table that is none": ("[tool.spiral.targets]\nstaging = 5\n", 2, "`staging` is no table"),
    "targets that are none": ("[tool.spiral]\ntargets = 5\n", 2, "`targets` is no table"),
    "no toml": ("[tool.spiral\n", 1, "this is no TOML"),
    "both places": (changed('challenge = "run-certificate"', 'rest = "https://x"'), 22, "has no one place that answers"),
    "nothing to send": (WHOLE.replace('credential = "STAGING_TOKEN"\n', ""), 18, "`send_credential` needs one to send"),
    "a trace that claims more": (changed('rest = "https://staging.example.org"\ngrpc = "staging.example.org:8444"', 'replay = "traces/x"'), 5, "plays a trace back"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_sentence_with_its_line(text, line, said):
    with pytest.raises(GatesFileError) as error:
        parse_targets(text)
    assert said in str(error.value)
    assert (error.value.path, error.value.line) == ("pyproject.toml", line)
    assert "Remedy: " in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("secret", ["hunter2-is-long", "eyJhbGciOi.J9", "lower_case"])
def test_a_credential_in_place_of_a_name_is_refused_and_not_quoted(secret):
    for text in (changed("STAGING_TOKEN", secret), changed("OVERSEER_TOKEN", secret)):
        with pytest.raises(GatesFileError, match="never the credential itself") as error:
            parse_targets(text)
        assert secret not in str(error.value)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ('rest = "http://staging.example.org"\ncredential = "T"', True),
        ('grpc = "staging.example.org:80"\ncredential = "T"', True),
        ('rest = "http://127.0.0.1:80"\ngrpc = "localhost:81"\ncredential = "T"', False),
        ('rest = "http://staging.example.org"', False),
        ('rest = "https://staging.example.org"\ncredential = "T"', False),
    ],
)
def test_a_credential_does_not_travel_in_the_clear(text, refused):
    whole = f'[tool.spiral.targets.s]\nfidelity = "staging"\n[tool.spiral.targets.s.components.memory]\n{text}\n'
    if refused:
        with pytest.raises(GatesFileError, match="would travel in the clear"):
            parse_targets(whole)
    else:
        assert parse_targets(whole)["s"].components["memory"].services[""]


def test_without_a_file_or_a_table_there_are_none(tmp_path):
    assert load_targets(tmp_path) == {}
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    assert load_targets(tmp_path) == {}
    (tmp_path / "pyproject.toml").write_bytes(b"\xff")
    with pytest.raises(UseError, match="save it as UTF-8"):
        load_targets(tmp_path)


def test_values_of_credentials_are_known_as_secrets(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text(WHOLE)
    for name, value in (("STAGING_TOKEN", "a-long-one"), ("OPERATOR_TOKEN", "")):
        monkeypatch.setenv(name, value)
    assert target_secrets("staging", tmp_path) == ("a-long-one",)
    assert target_secrets("sandbox", tmp_path) == ()
    monkeypatch.setenv("OVERSEER_TOKEN", "abc")
    with pytest.raises(TargetError, match="OVERSEER_TOKEN holds fewer than 4"):
        target_secrets("staging", tmp_path)


FIDELITIES = [str(one) for one in Fidelity]


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=40) | st.sampled_from(FIDELITIES))
def test_whatever_stands_in_a_value_is_taken_or_refused_in_a_sentence(text):
    escaped = "".join(f"\\U{ord(one):08x}" for one in text if not 0xD800 <= ord(one) < 0xE000)
    for key in ("fidelity", "controls", "timeout", "ca"):
        whole = (
            f'[tool.spiral.targets.s]\n{key} = "{escaped}"\n[tool.spiral.targets.s.components.m]\nrest = "https://x"\n'
        )
        if key == "fidelity" and text in FIDELITIES:
            assert parse_targets(whole)
            continue
        with pytest.raises(GatesFileError, match="Remedy"):
            parse_targets(whole)
