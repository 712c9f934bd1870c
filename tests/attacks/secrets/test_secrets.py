"""Declared secrets on their way into a bundle."""

import base64
import json
import os
import subprocess
import sys
from urllib.parse import quote

import pytest

from pytest_spiral.rules.redact import Redactor

SECRET = 'xyzzy-plugh/7+"é'
NUMERIC = SECRET.encode()
SPELLED = {
    "plain": SECRET,
    "base64": base64.b64encode(NUMERIC).decode(),
    "base64 behind a name": base64.b64encode(b"user:" + NUMERIC).decode(),
    "base64 behind two letters": base64.b64encode(b"ab" + NUMERIC + b"tail").decode(),
    "base64 for URLs": base64.urlsafe_b64encode(NUMERIC).decode(),
    "base64 without padding": base64.b64encode(NUMERIC).decode().rstrip("="),
    "hexadecimal": NUMERIC.hex(),
    "hexadecimal in capitals": NUMERIC.hex().upper(),
    "URL": quote(SECRET, safe=""),
    "URL in small letters": quote(SECRET, safe="").lower(),
    "JSON": json.dumps(SECRET)[1:-1],
    "JSON with its letters": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "every letter escaped": "".join(f"\\u{ord(one):04x}" for one in SECRET),
}
WAYS = {
    "a reason": "m.miss({text!r})",
    "an attachment": "spiral.attach({text!r}, name='notes.txt')",
    "an exception": "raise RuntimeError({text!r})",
    "what is printed": "print({text!r})",
    "bytes of a file": "os.write(1, {text!r}.encode())",
    "split over writes": "[os.write(2, {text!r}[at : at + 3].encode()) for at in range(0, len({text!r}), 3)]",
    "a child's output": "subprocess.run(['echo', {text!r}], check=True)",
}


@pytest.mark.parametrize("name", SPELLED)
def test_each_spelling_is_known(name):
    known = Redactor([SECRET])
    for before, after in (("", ""), ("token=", "; more"), ('{"a":"', '"}')):
        text = f"{before}{SPELLED[name]}{after}"
        assert known.find(text.encode())
        assert not known.find(known.redact(text).encode())


GATES = """\
format = 1
[[gate]]
id = "S1"
title = "Search answers"
owner = "@search"
no_control = "a test of attacks"
[[gate.criterion]]
id = "S1.failures"
limit = "failures(search) <= 0"
samples = 3
"""
TEST = """
@pytest.mark.criterion("S1.failures")
def test_NUMBER(spiral):
    with spiral.measure("search") as m:
        m.hit()
        WAY
        m.hit()
"""
SECRETS = {way: f'xyzzy-{number}-plugh/7+"é' for number, way in enumerate(WAYS)}
ENCODED = {way: f'frobozz-{number}-plugh/7+"é' for number, way in enumerate(WAYS)}


def user_and(secret):
    """As HTTP's basic authentication spells it."""
    return base64.b64encode(f"user:{secret}".encode()).decode()


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """Every byte that a run leaves under reports/; each way has a secret of its own, plain and in another spelling."""

    def run(*, declared):
        folder = tmp_path_factory.mktemp("secrets")
        variables = {f"TOKEN_{at}": one for at, one in enumerate([*SECRETS.values(), *ENCODED.values()])}
        texts = [(way, SECRETS[way]) for way in WAYS] + [(way, user_and(ENCODED[way])) for way in WAYS]
        bodies = [TEST.replace("WAY", WAYS[way].format(text=text)) for way, text in texts]
        module = "".join(body.replace("NUMBER", str(at)) for at, body in enumerate(bodies))
        (folder / "gates.toml").write_text(GATES)
        (folder / "pytest.ini").write_text(f"[pytest]\nspiral_secrets = {' '.join(variables) if declared else ''}\n")
        (folder / "test_search.py").write_text("import os, subprocess\nimport pytest\n" + module)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--spiral-evidence", "-p", "no:cacheprovider"],
            cwd=folder, capture_output=True, check=False, timeout=60, env={**os.environ, **variables},
        )  # fmt: skip
        files = [path for path in (folder / "reports").rglob("*") if path.is_file()]
        assert len(files) > 5, done.stdout
        return b"\0".join(path.read_bytes() for path in files)

    return {declared: run(declared=declared) for declared in (True, False)}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("secrets", [SECRETS, ENCODED], ids=["plain", "encoded"])
def test_a_declared_secret_is_in_no_byte_of_what_a_run_leaves(left, way, secrets):
    assert Redactor([secrets[way]]).find(left[True]) == ()


@pytest.mark.sound
@pytest.mark.parametrize("way", WAYS)
def test_what_nobody_declared_is_kept(left, way):
    """The control: the same run, the same text."""
    assert Redactor([SECRETS[way]]).find(left[False])
