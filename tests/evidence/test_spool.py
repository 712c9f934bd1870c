"""Outputs kept as bytes: whole up to the limit, cut and counted beyond it, secrets struck out."""

import hashlib
import os
import tempfile

import pytest

from pytest_spiral.errors import DiskError
from pytest_spiral.evidence.spool import Spool
from pytest_spiral.rules.redact import Redactor

NO_TEXT = bytes(range(256)) + b"\xff\xfe\n"


def same(data):
    return data


@pytest.fixture
def spool(tmp_path):
    return lambda strike=same, most=1000: Spool(tmp_path / "logs/stdout.log", strike, most)


@pytest.fixture
def captured():
    """A nameless temporary file with these bytes, such as pytest's capturing has."""
    with tempfile.TemporaryFile(buffering=0) as file:

        def write(data):
            file.seek(0)
            file.truncate()
            file.write(data)
            return file.fileno()

        yield write


def test_bytes_that_are_no_text_are_kept_as_they_came(spool, captured, tmp_path):
    kept = spool()
    kept.take_from(captured(NO_TEXT))
    kept.take_from(captured(b"more"))
    kept.take_from(captured(b""))
    assert kept.close() == (len(NO_TEXT) + 4, f"sha256:{hashlib.sha256(NO_TEXT + b'more').hexdigest()}", 0)
    assert (tmp_path / "logs/stdout.log").read_bytes() == NO_TEXT + b"more"


def test_the_file_is_read_without_moving_it(spool, captured):
    fd = captured(b"abc")
    os.lseek(fd, 1, os.SEEK_SET)
    spool().take_from(fd)
    assert os.lseek(fd, 0, os.SEEK_CUR) == 1


@pytest.mark.parametrize(("size", "kept", "cut"), [(999, 999, 0), (1000, 1000, 0), (1001, 1000, 1), (5000, 1000, 4000)])
def test_what_is_over_the_limit_is_cut_and_counted(spool, captured, size, kept, cut):
    one, other = spool(), spool()
    one.take_from(captured(b"x" * size))
    stored = one.close()
    assert (stored.bytes, stored.cut) == (kept, cut)
    assert other.close() is None


def test_the_limit_counts_over_all_that_came(spool, captured):
    kept = spool()
    for _ in range(3):
        kept.take_from(captured(b"x" * 400))
    kept.add(b"y" * 10)
    assert kept.close()[::2] == (1000, 210)


def test_nothing_makes_no_file(spool, tmp_path):
    assert spool().close() is None
    assert list(tmp_path.iterdir()) == []


def test_what_comes_after_the_end_is_not_kept(spool, captured, tmp_path):
    kept = spool()
    kept.add(b"one")
    kept.close()
    kept.add(b"two")
    kept.take_from(captured(b"three"))
    assert (tmp_path / "logs/stdout.log").read_bytes() == b"one"


@pytest.mark.parametrize("pieces", [[b"the tower falls\xff"], [b"the tow", b"er falls\xff"]])
def test_a_secret_is_struck_out_also_where_it_came_in_two_pieces(spool, tmp_path, pieces):
    kept = spool(Redactor(["tower"]).strike)
    for piece in pieces:
        kept.add(piece)
    stored = kept.close()
    data = (tmp_path / "logs/stdout.log").read_bytes()
    assert data == b"the *** falls\xff"
    assert stored.sha256 == f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_a_file_with_a_name_a_pipe_and_a_closed_descriptor_are_left_alone(spool, tmp_path):
    kept = spool()
    with (tmp_path / "mine").open("w+b", buffering=0) as mine:
        mine.write(b"mine")
        kept.take_from(mine.fileno())
    read, write = os.pipe()
    os.write(write, b"piped")
    kept.take_from(read)
    os.close(read)
    os.close(write)
    kept.take_from(write)
    assert kept.close() is None


def test_a_file_that_is_there_already_is_not_written_over(spool, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/stdout.log").write_text("old")
    with pytest.raises(DiskError, match="evidence is never overwritten"):
        spool().add(b"new" * 4096)
    assert (tmp_path / "logs/stdout.log").read_text() == "old"


def test_a_forked_child_adds_nothing(spool, tmp_path):
    kept = spool()
    kept.add(b"one")
    child = os.fork()
    if not child:
        kept.add(b"x" * 10_000)
        os._exit(0 if kept.close() is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert kept.close().bytes == 3
    assert (tmp_path / "logs/stdout.log").read_bytes() == b"one"
