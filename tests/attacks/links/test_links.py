"""Things that are no files, in every place of a bundle."""

import os
import socket
from pathlib import Path

import pytest


def replace(path, make):
    path.unlink()
    make(path)


def listen(path):
    with socket.socket(socket.AF_UNIX) as opened:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's path has 108 characters at most
        try:
            opened.bind(path.name)
        finally:
            os.chdir(here)


MAKERS = {
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link into the bundle": lambda path: path.symlink_to("bundle.json"),
    "a link out of it": lambda path: path.symlink_to("/etc/hostname"),
    "a link to nowhere": lambda path: path.symlink_to("/no/such/file"),
    "a pipe": os.mkfifo,
    "a socket": listen,
}
PLACES = ["log.txt", "plan.json", "bundle.json", "inventory.json", "summary.json", "manifest.json", "journal/main.jsonl",
          "journal/gw0.jsonl", "samples/B1.latency/gw0-1.jsonl"]  # fmt: skip


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_file_is_refused_and_not_waited_for(forger, verify, place, maker):
    replace(forger.folder / place, MAKERS[maker])
    answer = verify(forger.folder)
    assert answer.refused
    assert "file-irregular" in answer.codes & answer.second_codes


@pytest.mark.parametrize("folder", ["journal", "samples"])
def test_a_folder_that_is_a_link_is_not_entered(forger, verify, folder):
    (forger.folder / folder).rename(forger.folder.parent.parent / folder)
    (forger.folder / folder).symlink_to(forger.folder.parent.parent / folder)
    answer = verify(forger.folder)
    assert answer.refused
    assert "file-irregular" in answer.codes & answer.second_codes


def test_a_hard_link_is_a_file_and_held_against_its_digest(forger, verify):
    (forger.folder / "log.txt").unlink()
    os.link(forger.folder / "bundle.json", forger.folder / "log.txt")
    answer = verify(forger.folder)
    assert answer.refused
    assert "digest-mismatch" in answer.codes & answer.second_codes
