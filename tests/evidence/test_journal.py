"""One chained line a record, down before the call returns."""

import errno
import fcntl
import os
import threading

import pytest

from pytest_spiral.errors import EvidenceError
from pytest_spiral.evidence import appender
from pytest_spiral.evidence.journal import Journal
from pytest_spiral.evidence.journals import journal_heads
from pytest_spiral.model import record
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.chain import Link, link_faults, link_of, parse_line


@pytest.fixture
def run(begin):
    return begin()


@pytest.fixture
def journal(run):
    made = run.journal("main")
    yield made
    made.release()


def read(run, process="main"):
    """All records of a journal, whose chain must be whole."""
    data = (run.folder / "journal" / f"{process}.jsonl").read_bytes()
    assert data.endswith(b"\n")
    link, found = Link(n=-1, digest=run.first_prev, mono=0), []
    for raw in data.splitlines(keepends=True):
        line, one = parse_line(raw)
        assert list(link_faults(link, line)) == []
        link = link_of(line, raw)
        found.append(one)
    return found


def a_test(number):
    return record.Test(id=f"t{number}")


def test_a_journal_begins_with_its_start_and_ends_with_its_end(run, journal):
    journal.append(a_test(1))
    journal.close(record.End(status="interrupted", exit_status=2))
    start, one, end = read(run)
    assert start == record.Start(process="main", nonce="3f9c1a00000000000000000000000001")
    assert one == a_test(1)
    assert end == record.End(status="interrupted", exit_status=2)


def test_times_are_the_clocks_that_were_handed_in(run, journal):
    raw = (run.folder / "journal/main.jsonl").read_bytes()
    line, _ = parse_line(raw)
    assert (line.wall, line.mono) == (1_795_339_800_000_000, 1_000_000)
    assert journal.elapsed() == 2_000_000


def test_the_head_says_where_the_journal_stands(run, journal):
    journal.append(a_test(1))
    raw = (run.folder / "journal/main.jsonl").read_bytes().splitlines(keepends=True)[-1]
    assert journal.head == record.JournalHead(n=1, digest=digest(raw), ended=False)
    journal.close(record.End())
    assert (journal.head.n, journal.head.ended) == (2, True)


def test_heads_are_read_from_the_last_whole_lines(run, journal):
    ended, torn, empty = run.journal("gw0"), run.journal("gw1"), run.folder / "journal/gw2.jsonl"
    for number in range(300):
        ended.append(a_test(number))
    ended.close(record.End())
    torn.append(a_test(0))
    torn.release()
    with (run.folder / "journal/gw1.jsonl").open("ab") as file:
        file.write(b'{"n":2,"prev')
    empty.write_bytes(b'{"n":0')
    heads = journal_heads(run.folder)
    assert heads == {
        "gw0": ended.head,
        "gw1": torn.head,
        "gw2": record.JournalHead(n=-1, digest=run.first_prev, ended=False),
    }


def test_a_journal_is_never_opened_over_another(run, journal):
    with pytest.raises(EvidenceError, match="never overwritten"):
        run.journal("main")


def test_a_journal_is_never_written_through_a_link(run, tmp_path):
    (run.folder / "journal/gw0.jsonl").symlink_to(tmp_path / "outside")
    with pytest.raises(EvidenceError):
        run.journal("gw0")
    assert not (tmp_path / "outside").exists()


def test_after_its_close_nothing_can_be_recorded(run, journal):
    journal.close(record.End())
    with pytest.raises(EvidenceError, match="closed"):
        journal.append(a_test(1))
    assert len(read(run)) == 2


def test_while_it_is_open_its_file_is_locked(run, journal):
    with (run.folder / "journal/main.jsonl").open("rb") as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        journal.close(record.End())
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_child_of_exec_does_not_inherit_it(journal):
    assert not os.get_inheritable(journal._file._fd)


def test_with_standard_streams_closed_its_descriptor_is_still_above_them(tmp_path):
    kept = os.dup(0)
    try:
        os.close(0)
        made = appender.Appender(tmp_path / "a")
        assert made._fd > 2
        made.append(b"x\n")
        made.release()
    finally:
        os.dup2(kept, 0)
        os.close(kept)
    assert (tmp_path / "a").read_bytes() == b"x\n"


def test_threads_share_one_chain(run, journal):
    def work(start):
        for number in range(start, start + 50):
            journal.append(a_test(number))

    threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 400, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _, *tests = read(run)
    assert sorted(int(one.id[1:]) for one in tests) == list(range(400))


def in_child(act):
    """Run something in a forked child; its exit status says whether it raised."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_forked_child_never_writes(run, journal):
    def act():
        journal.append(a_test(99))
        journal.sync()
        journal.close(record.End())

    journal.append(a_test(1))
    assert in_child(act) == 0
    journal.append(a_test(2))
    assert read(run)[1:] == [a_test(1), a_test(2)]


def test_a_forked_child_that_lives_on_does_not_hold_the_lock(run, journal):
    reading, writing = os.pipe()
    alive, living = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.write(living, b"!")
        os.read(reading, 1)  # until the parent has looked
        os._exit(0)
    os.close(reading)
    try:
        os.read(alive, 1)  # the child is past its fork
        journal.close(record.End())
        with (run.folder / "journal/main.jsonl").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(writing)
        os.waitpid(pid, 0)


def test_a_short_write_is_completed(run, journal, monkeypatch):
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, data[: max(1, len(data) // 3)]))
        journal.append(a_test(1))
    journal.append(a_test(2))
    assert read(run)[1:] == [a_test(1), a_test(2)]


@pytest.mark.parametrize("problem", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_is_told_and_stays_told(run, journal, monkeypatch, problem):
    real = os.write
    journal.append(a_test(1))

    def half(fd, data):
        if data.startswith(b'{"n"'):
            return real(fd, data[:20])
        raise OSError(problem, os.strerror(problem))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        with pytest.raises(EvidenceError, match=r"journal.main\.jsonl cannot be written to"):
            journal.append(a_test(2))
    with pytest.raises(EvidenceError, match="cannot be written to"):
        journal.append(a_test(3))
    with pytest.raises(EvidenceError):
        journal.close(record.End())
    whole, _, torn = (run.folder / "journal/main.jsonl").read_bytes().rpartition(b"\n")
    assert parse_line(whole.splitlines()[-1] + b"\n")[1] == a_test(1)
    assert len(torn) == 20


def test_a_journal_that_cannot_begin_holds_no_lock(run, monkeypatch):
    def fsync(fd):
        raise OSError(errno.EIO, "broken")

    path = run.folder / "journal/gw0.jsonl"
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(EvidenceError, match="reports an error"):
        run.journal("gw0")
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_failing_sync_fails_the_close(run, journal, monkeypatch):
    def fsync(fd):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(EvidenceError, match="reports an error"):
        journal.close(record.End())
    assert not journal._file.open


@pytest.mark.parametrize("down", ["nothing", "half", "all"])
def test_an_interrupt_inside_a_write_leaves_the_chain_whole(run, journal, monkeypatch, down):
    real = os.write

    def interrupted(fd, data):
        share = {"nothing": 0, "half": len(data) // 2, "all": len(data)}[down]
        if share:
            real(fd, data[:share])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.append(a_test(1))
    if down != "nothing":
        assert journal.head.n == 1
    journal.append(a_test(2))
    journal.close(record.End(status="interrupted"))
    expected = [a_test(2)] if down == "nothing" else [a_test(1), a_test(2)]
    assert read(run)[1:-1] == expected


def test_too_long_a_record_is_refused_and_leaves_no_trace(run, journal):
    with pytest.raises(EvidenceError, match="at most 65536"):
        journal.append(record.Test(id="t", why="x" * 70_000))
    journal.append(a_test(1))
    assert read(run)[1:] == [a_test(1)]


def test_what_the_look_refuses_is_not_written(run):
    def refuse(data):
        if b"hunter2" in data:
            raise EvidenceError("a declared secret")

    path = run.folder / "journal" / "gw0.jsonl"
    journal = Journal(path, run.first_prev, "gw0", "ab", run.clock.wall, run.clock.mono, refuse)
    with pytest.raises(EvidenceError, match="declared secret"):
        journal.append(record.Test(id="t", why="password hunter2"))
    journal.append(a_test(1))
    journal.close(record.End())
    assert b"hunter2" not in path.read_bytes()
    assert read(run, "gw0")[1:-1] == [a_test(1)]
