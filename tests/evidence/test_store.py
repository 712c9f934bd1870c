"""Whole files: complete and durable, or not there at all."""

import errno
import io
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_spiral.errors import EvidenceError, UseError
from pytest_spiral.evidence import store
from pytest_spiral.evidence.store import create_bundle, make_folder, replace, write_once, write_stream
from pytest_spiral.rules.canonical import digest


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def failing(problem, after=0):
    """An operating-system call that fails with that error after so many good ones."""
    calls = []

    def call(*arguments, **more):
        calls.append(arguments)
        if len(calls) > after:
            raise OSError(problem, os.strerror(problem))

    return call


def test_a_bundle_gets_a_folder_of_its_own(tmp_path):
    folder = create_bundle(tmp_path / "reports" / "stage_b", "20261122T093000Z-stage_b-3f9c1a")
    assert folder == tmp_path / "reports" / "stage_b" / "20261122T093000Z-stage_b-3f9c1a"
    assert names(folder) == ["journal", "samples"]


def test_a_bundle_is_never_begun_twice(tmp_path):
    create_bundle(tmp_path, "run")
    with pytest.raises(UseError, match="exists already"):
        create_bundle(tmp_path, "run")


def test_a_file_in_the_way_is_named_with_its_remedy(tmp_path):
    (tmp_path / "reports").write_text("not a folder")
    with pytest.raises(UseError, match=r"reports.*exists already|file stands where a folder belongs"):
        create_bundle(tmp_path / "reports", "run")


@pytest.mark.parametrize(
    ("name", "problem", "remedy"),
    [
        ("write", errno.ENOSPC, "the disk is full"),
        ("write", errno.EDQUOT, "quota"),
        ("fsync", errno.EIO, "reports an error"),
        ("mkdir", errno.EROFS, "read-only"),
        ("mkdir", errno.EACCES, "permission"),
        ("open", errno.ENOENT, "the folder is gone"),
    ],
)
def test_a_disk_that_takes_nothing_is_wrong_use_before_the_first_test(tmp_path, monkeypatch, name, problem, remedy):
    monkeypatch.setattr(os, name, failing(problem))
    with pytest.raises(UseError, match=remedy):
        create_bundle(tmp_path, "run")


@pytest.mark.parametrize("write", [write_once, replace])
def test_a_file_is_there_with_all_its_bytes_and_nothing_beside_it(tmp_path, write):
    write(tmp_path / "a.json", b"x" * 100_000)
    assert names(tmp_path) == ["a.json"]
    assert (tmp_path / "a.json").read_bytes() == b"x" * 100_000
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) & 0o777 & ~0o644 == 0


def test_a_file_is_written_once(tmp_path):
    write_once(tmp_path / "a", b"first")
    with pytest.raises(EvidenceError, match="never overwritten"):
        write_once(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert names(tmp_path) == ["a"]
    replace(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"second"


def test_a_link_in_the_way_is_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    (tmp_path / "a").symlink_to(outside)
    with pytest.raises(EvidenceError):
        write_once(tmp_path / "a", b"theirs")
    replace(tmp_path / "a", b"theirs")
    assert outside.read_bytes() == b"mine"
    assert not (tmp_path / "a").is_symlink()


def test_of_many_that_write_the_same_file_one_succeeds(tmp_path):
    def attempt(number):
        try:
            write_once(tmp_path / "a", b"%d" % number * 10_000)
        except EvidenceError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        won = [number for number in pool.map(attempt, range(8)) if number is not None]
    assert len(won) == 1
    assert (tmp_path / "a").read_bytes() == b"%d" % won[0] * 10_000
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("problem", sorted(store._NO_LINKS))
def test_without_hard_links_a_file_is_still_written_once(tmp_path, monkeypatch, problem):
    monkeypatch.setattr(os, "link", failing(problem))
    write_once(tmp_path / "a", b"first")
    with pytest.raises(EvidenceError, match="never overwritten"):
        write_once(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize(("name", "problem"), [("fsync", errno.EIO), ("link", errno.EIO), ("open", errno.ENOSPC)])
def test_a_failing_disk_leaves_nothing_half_written(tmp_path, monkeypatch, name, problem):
    with monkeypatch.context() as patch:
        patch.setattr(os, name, failing(problem))
        with pytest.raises(EvidenceError, match=r"cannot be written"):
            write_once(tmp_path / "a", b"x")
    assert names(tmp_path) == []


def test_a_failing_disk_leaves_the_old_file_whole(tmp_path, monkeypatch):
    write_once(tmp_path / "a", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(errno.EIO))
        with pytest.raises(EvidenceError):
            replace(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_vanished_folder_is_told(tmp_path):
    with pytest.raises(EvidenceError, match="the folder is gone"):
        write_once(tmp_path / "gone" / "a", b"x")


@pytest.mark.parametrize(("size", "most", "kept"), [(0, 10, 0), (10, 10, 10), (3_000_000, 2_500_000, 2_500_000)])
def test_a_stream_is_kept_up_to_its_limit_and_the_cut_is_told(tmp_path, size, most, kept):
    data = os.urandom(size)
    stored = write_stream(tmp_path / "a", io.BytesIO(data), most)
    assert (tmp_path / "a").read_bytes() == data[:kept]
    assert stored == (kept, digest(data[:kept]), size - kept)


def test_a_source_that_fails_leaves_no_file(tmp_path):
    class Broken(io.BytesIO):
        def read(self, *_):
            raise OSError(errno.EIO, "broken")

    with pytest.raises(EvidenceError, match="what was to be kept cannot be read"):
        write_stream(tmp_path / "a", Broken(), 10)
    assert names(tmp_path) == []


def test_folders_are_made_or_refused_in_a_sentence(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    with pytest.raises(EvidenceError, match="file"):
        make_folder(tmp_path / "file" / "c")
