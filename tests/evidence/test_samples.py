"""Each sample is down at once; ranges tile the file."""

import errno
import os
import threading

import pytest

from pytest_spiral.errors import EvidenceError, MeasurementError
from pytest_spiral.evidence import samples as samples_module
from pytest_spiral.evidence.samples import SampleFile
from pytest_spiral.model import record
from pytest_spiral.model.measurement import Sample
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.chain import parse_line
from pytest_spiral.rules.sampling import parse_samples

FILE = "samples/B1.latency/main-1.jsonl"


@pytest.fixture
def run(begin):
    return begin()


@pytest.fixture
def journal(run):
    made = run.journal("main")
    yield made
    made.release()


@pytest.fixture
def file(run, journal):
    return run.samples(journal, "main")


def records(run, kind):
    lines = (run.folder / "journal/main.jsonl").read_bytes().splitlines(keepends=True)
    return [one for one in (parse_line(raw)[1] for raw in lines) if isinstance(one, kind)]


def hold_together(run):
    """Ranges tile the file, and the closing record says the whole of it. Gives the ranges back."""
    data = (run.folder / FILE).read_bytes()
    ranges, at, count = records(run, record.Range), 0, 0
    for one in ranges:
        block = data[one.offset : one.offset + one.bytes]
        assert (one.offset, one.sha256) == (at, digest(block))
        assert len(parse_samples(block, count)) == one.count
        at, count = at + one.bytes, count + one.count
    (closed,) = records(run, record.MeasureClosed)
    assert (at, count, digest(data)) == (closed.bytes, closed.count, closed.sha256)
    assert at == len(data)
    return ranges


def test_a_sample_is_down_when_its_call_returns(run, file):
    file.add(Sample(n=0, value=1.5))
    assert (run.folder / FILE).read_bytes() == b'{"n":0,"value":1.5}\n'


def test_the_close_binds_all_samples_into_the_journal(run, file):
    for number in range(5):
        file.add(Sample(n=number, ns=number * 7))
    file.close()
    assert [one.count for one in hold_together(run)] == [5]


def test_a_measurement_without_samples_has_no_range(run, file):
    file.close("AssertionError")
    assert hold_together(run) == []
    (closed,) = records(run, record.MeasureClosed)
    assert (closed.count, closed.raised) == (0, "AssertionError")


def test_a_range_has_at_most_one_mebibyte(run, file):
    for number in range(60):
        file.add(Sample(n=number, failed="x" * 60_000))
    file.close()
    ranges = hold_together(run)
    assert len(ranges) == 4
    assert all(samples_module.RANGE_BYTES - 61_000 < one.bytes <= samples_module.RANGE_BYTES for one in ranges[:-1])


def test_a_range_covers_at_most_ten_seconds(run, file):
    step = 1_000_000
    for number in range(5):
        file.add(Sample(n=number, ns=1))
        for _ in range(4_000_000_000 // step):
            run.clock.mono()
    file.close()
    assert [one.count for one in hold_together(run)] == [3, 2]


def test_samples_come_in_their_order(run, file):
    file.add(Sample(n=0, ok=True))
    for wrong in (0, 2, -1):
        with pytest.raises(MeasurementError, match="where 1 is expected"):
            file.add(Sample(n=wrong, ok=True))
    file.add(Sample(n=1, ok=False, why="late"))
    file.close()
    assert [one.count for one in hold_together(run)] == [2]


def test_threads_may_share_it(run, file):
    lock, taken = threading.Lock(), [0]

    def work():
        for _ in range(50):
            with lock:
                file.add(Sample(n=taken[0], ns=1))
                taken[0] += 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    file.close()
    assert sum(one.count for one in hold_together(run)) == 200


def test_a_second_close_does_nothing_and_a_late_sample_is_refused(run, file):
    file.close()
    file.close("late")
    with pytest.raises(EvidenceError, match="closed"):
        file.add(Sample(n=0, ok=True))
    hold_together(run)


def test_a_forked_child_never_writes(run, file):
    file.add(Sample(n=0, ok=True))
    pid = os.fork()
    if pid == 0:
        file.add(Sample(n=1, ok=False))
        file.close("child")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    file.add(Sample(n=1, ok=True))
    file.close()
    assert hold_together(run)[0].count == 2


@pytest.mark.parametrize("down", ["nothing", "half", "all"])
@pytest.mark.parametrize("where", range(3), ids=["sample", "range", "closing record"])
def test_an_interrupt_inside_any_write_leaves_ranges_that_tile(run, file, monkeypatch, where, down):
    real, calls = os.write, []

    def interrupted(fd, data):
        calls.append(fd)
        if len(calls) != max(1, where):
            return real(fd, data)
        share = {"nothing": 0, "half": len(data) // 2, "all": len(data)}[down]
        if share:
            real(fd, data[:share])
        raise KeyboardInterrupt

    file.add(Sample(n=0, ok=True))
    act = (lambda: file.add(Sample(n=1, ok=True))) if where == 0 else file.close
    if where:
        file.add(Sample(n=1, ok=True))
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            act()
    file.close("KeyboardInterrupt")
    file._journal.append(record.Test(id="t"))
    data = (run.folder / FILE).read_bytes()
    (bound,) = set(records(run, record.Range))
    (closed,) = set(records(run, record.MeasureClosed))
    count = 1 if (where, down) == (0, "nothing") else 2
    assert (bound.offset, bound.bytes, bound.count, bound.sha256) == (0, len(data), count, digest(data))
    assert (closed.bytes, closed.count, closed.sha256) == (len(data), count, digest(data))
    assert closed.raised == ("KeyboardInterrupt" if where == 0 else "")
    assert len(parse_samples(data, 0)) == count


@pytest.mark.parametrize("problem", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_is_told_and_never_closed_well(run, file, monkeypatch, problem):
    file.add(Sample(n=0, ok=True))

    def write(fd, data):
        raise OSError(problem, "no")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(EvidenceError, match=r"main-1\.jsonl cannot be written to"):
            file.add(Sample(n=1, ok=True))
    with pytest.raises(EvidenceError):
        file.close()
    assert records(run, record.MeasureClosed) == []


def test_bytes_that_something_else_cut_off_are_missed(run, file):
    file.add(Sample(n=0, ok=True))
    os.truncate(run.folder / FILE, 3)
    with pytest.raises(EvidenceError, match="lost bytes"):
        file.close()


def test_what_the_look_refuses_is_not_written(run, journal):
    def refuse(data):
        if b"hunter2" in data:
            raise EvidenceError("a declared secret")

    opened = run.opened("main", 2)
    journal.append(opened)
    file = SampleFile(run.folder, opened, journal, refuse)
    with pytest.raises(EvidenceError, match="declared secret"):
        file.add(Sample(n=0, ok=False, why="hunter2"))
    file.add(Sample(n=0, ok=True))
    file.close()
    assert (run.folder / "samples" / opened.file).read_bytes() == b'{"n":0,"ok":true}\n'


@pytest.mark.parametrize("name", ["../escape.jsonl", "/etc/x.jsonl", "a b/main-1.jsonl", "con/main-1.jsonl"])
def test_a_sample_file_stays_inside_the_bundle(run, journal, name):
    with pytest.raises(ValueError, match="no path of a bundle"):
        SampleFile(run.folder, record.MeasureOpened(file=name, name="x", unit="", test="t", criteria=()), journal)
