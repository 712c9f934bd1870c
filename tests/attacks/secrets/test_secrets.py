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


TESTS = """\
import os, subprocess
import pytest

@pytest.mark.criterion("S1.failures")
def test_search(spiral):
    with spiral.measure("search") as m:
        m.hit(), m.hit()
        WAY
        m.hit()
"""
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


def run(folder, way, declared=True):
    """Every byte that a run leaves under reports/, and what the terminal said."""
    (folder / "gates.toml").write_text(GATES)
    (folder / "pytest.ini").write_text("[pytest]\n" + ("spiral_secrets = DEPLOY_TOKEN\n" if declared else ""))
    (folder / "test_search.py").write_text(TESTS.replace("WAY", way))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--spiral-evidence", "-p", "no:cacheprovider"],
        cwd=folder, capture_output=True, check=False, timeout=60, env={**os.environ, "DEPLOY_TOKEN": SECRET},
    )  # fmt: skip
    files = [path for path in (folder / "reports").rglob("*") if path.is_file()]
    assert files, done.stdout
    return done.returncode, b"\0".join(path.read_bytes() for path in files)


@pytest.mark.parametrize("way", WAYS)
def test_a_declared_secret_is_in_no_byte_of_what_a_run_leaves(tmp_path, way):
    _, everything = run(tmp_path, WAYS[way].format(text=SECRET))
    assert Redactor([SECRET]).find(everything) == ()


@pytest.mark.parametrize("way", ["a reason", "an attachment", "bytes of a file"])
def test_nor_is_it_there_in_another_spelling(tmp_path, way):
    _, everything = run(tmp_path, WAYS[way].format(text=SPELLED["base64 behind a name"]))
    assert Redactor([SECRET]).find(everything) == ()


@pytest.mark.sound
def test_what_nobody_declared_is_kept(tmp_path):
    """The control: the same run, the same text."""
    status, everything = run(tmp_path, WAYS["what is printed"].format(text=SECRET), declared=False)
    assert (status, SECRET.encode() in everything) == (0, True)
