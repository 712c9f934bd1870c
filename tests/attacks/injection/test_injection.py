"""Text of a bundle that wants to be more than text."""

import re

import pytest

from pytest_spiral.cli.main import main

HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07",
    "\n::error::owned",
    "\r\u202eowned",
    "<script>owned()</script>",
    "](javascript:owned)",
]
FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|^::", re.MULTILINE)


@pytest.fixture
def said(capsys, read_aloud):
    """What both verifiers print of a folder."""

    def ask(folder):
        capsys.readouterr()
        assert main(["verify", str(folder)]) in (1, 3)
        return [capsys.readouterr().out, "\n".join(read_aloud(folder))]

    return ask


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("where", ["crash", "target-lost", "attached"])
def test_neither_verifier_obeys_a_record(forger, said, where, text):
    def inject(records):
        body = {
            "crash": {"process": "gw1", "test": text, "why": text},
            "target-lost": dict.fromkeys(("subject", "test", "why"), text),
        }
        body["attached"] = {"path": text, "name": text, "media_type": text, "bytes": 1, "sha256": text}
        records.insert(-1, (where, body[where]))

    forger.change("main", inject)
    for out in said(forger.folder):
        assert out
        assert not FORBIDDEN.search(out), out


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\u202eowned"])
def test_neither_verifier_obeys_a_files_name(forger, said, text):
    (forger.folder / text).write_text("x")
    for out in said(forger.folder):
        assert "path-name" in out
        assert not FORBIDDEN.search(out), out


def test_what_a_test_raises_is_text_in_terminal_and_page(play):
    ran = play(last=f"raise RuntimeError({''.join(HOSTILE)!r})")
    assert ran.verdict == "invalid"
    own = ran.out[ran.out.index(" spiral: ") : ran.out.index(" check it ")]  # the rest is pytest's own
    assert "S1" in own
    assert not FORBIDDEN.search(own)
    page = (ran.folder / "summary.md").read_text()
    assert not FORBIDDEN.search(page)
    assert "<script>" not in page
    assert not re.search(r"(?<!\\)\]\(javascript:", page)
