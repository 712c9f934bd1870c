"""The ledger in a file: durable appends, torn tails, refusals, and many writers of which some are killed."""

import errno
import fcntl
import json
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_spiral.errors import EvidenceError, UntrustedError, UseError
from pytest_spiral.ledger.book import Book
from pytest_spiral.ledger.filesystem import file_system, unproven
from pytest_spiral.ledger.fsck import fsck
from pytest_spiral.model.entry import Artefact, Noted
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import head_of, read_entries

WRITERS, EACH, KILLS = 8, int(os.environ.get("SPIRAL_TEST_APPENDS", "500")), 12
WRITER = """\
import sys
from pathlib import Path
from pytest_spiral.ledger.book import Book
from pytest_spiral.model.entry import AttemptCollected

path, writer, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
book = Book(Path(path), lambda: 1_795_339_800_000_000)
for number in range(first, last):
    record = AttemptCollected(nonce=f"{writer}-{number}", inventory="sha256:" + "a" * 64)
    entry, = book.append(record)
    print(number, entry.seq, flush=True)
"""


def read(book):
    return list(read_entries(book.lines()))


def test_the_first_append_begins_the_ledger(book, entries):
    (one,) = book.append(entries.opened())
    found = read(book)
    assert [entry.kind for entry in found] == ["ledger", "opened"]
    assert found[1] == one
    assert head_of(found).id == found[0].digest
    assert found[0].prev == f"sha256:{'0' * 64}"


def test_two_ledgers_are_never_the_same(tmp_path, entries):
    books = [Book(tmp_path / name, lambda: 1) for name in ("a", "b")]
    first, second = ([one.append(entries.opened()), read(one)[0]][1] for one in books)
    assert first.digest != second.digest


def test_nothing_is_there_until_something_is_appended(book, file):
    assert list(book.lines()) == []
    assert not file.exists()


def test_appending_a_record_again_changes_nothing(book, entries, file):
    before = book.append(*entries.run(1), *entries.run(2))
    data = file.read_bytes()
    assert book.append(*entries.run(2)) == before[3:]
    assert book.append(entries.opened(1), entries.opened(1)) == (before[0], before[0])
    assert file.read_bytes() == data


def test_a_record_that_only_resembles_one_is_another(book, entries):
    book.append(entries.opened(1), entries.collected(1))
    said = json.dumps({"kind": "collected"})
    (odd,) = book.append(Artefact(name=said, sha256=digest(b""), bytes=0))
    (draft,) = book.append(entries.collected(1, draft=True))
    assert (odd.seq, draft.seq) == (3, 4)


@pytest.mark.parametrize("torn", [b"{", b'{"seq":3,"prev":', b"\xff" * 200_000, b"x"])
def test_a_torn_tail_is_cut_off_and_noted(book, entries, file, torn):
    book.append(*entries.run(1))
    whole = file.read_bytes()
    file.write_bytes(whole + torn)
    (after,) = book.append(entries.opened(2))
    note = read(book)[-2].record
    assert note == Noted(what="torn", bytes=len(torn), sha256=digest(torn))
    assert file.read_bytes().startswith(whole)
    assert after.seq == 5
    assert fsck(book.lines()).findings == ()


def test_a_reader_leaves_a_torn_tail_out(book, entries, file):
    book.append(*entries.run(1))
    file.write_bytes(file.read_bytes() + b'{"seq":4')
    assert len(read(book)) == 4


def test_a_ledger_that_was_torn_before_its_first_line_begins_again(book, entries, file):
    file.parent.mkdir()
    file.write_bytes(b'{"seq":0,')
    book.append(entries.opened())
    assert [entry.kind for entry in read(book)] == ["ledger", "noted", "opened"]


def test_nothing_continues_from_a_line_that_cannot_be_read(book, entries, file):
    book.append(*entries.run(1))
    data = file.read_bytes() + b"not an entry\n"
    file.write_bytes(data)
    with pytest.raises(UntrustedError, match="fsck"):
        book.append(entries.opened(2))
    assert file.read_bytes() == data


def test_an_entry_that_is_too_long_is_refused_and_leaves_nothing(book, entries, file):
    book.append(entries.opened(1))
    data = file.read_bytes()
    with pytest.raises(EvidenceError, match="65536"):
        book.append(entries.opened(2, run="x" * 70_000))
    assert file.read_bytes() == data


def test_a_link_is_not_followed(tmp_path, entries):
    (tmp_path / "real").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(EvidenceError, match="link"):
        Book(tmp_path / "link", lambda: 1).append(entries.opened())
    assert (tmp_path / "real").read_bytes() == b""


def test_a_folder_is_no_ledger(tmp_path, entries):
    with pytest.raises(EvidenceError, match="folder"):
        Book(tmp_path, lambda: 1).append(entries.opened())


def test_an_append_waits_for_the_lock(book, entries, file):
    book.append(entries.opened(1))
    held = os.open(file, os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    started = subprocess.Popen([sys.executable, "-c", WRITER, file, "0", "0", "1"], stdout=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        started.wait(timeout=1)
    assert len(read(book)) == 2
    os.close(held)
    assert started.communicate(timeout=30)[0] == "0 2\n"


def test_a_full_disk_leaves_the_ledger_as_it_was(entries, tmp_path):
    """RLIMIT_FSIZE stops a write in its middle, as a full disk does."""
    script = (
        "import resource, signal, sys; from pathlib import Path; from pytest_spiral.ledger.book import Book\n"
        "from pytest_spiral.errors import EvidenceError; from pytest_spiral.model.entry import AttemptCollected\n"
        "path = Path(sys.argv[1]); book = Book(path, lambda: 1)\n"
        "book.append(AttemptCollected(nonce='a', inventory='sha256:' + 'a' * 64))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); before = path.read_bytes()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20,) * 2)\n"
        "try: book.append(AttemptCollected(nonce='b', inventory='sha256:' + 'b' * 64))\n"
        "except EvidenceError as error: print(path.read_bytes() == before, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "ledger.jsonl"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("True the ledger"), done
    assert os.strerror(errno.EFBIG) in done.stdout


# many writers


def start(file, writer, first):
    command = [sys.executable, "-c", WRITER, str(file), str(writer), str(first), str(EACH)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_many_writers_of_which_some_are_killed_lose_nothing(book, file):
    """Each acknowledged entry is there once, at the place that was acknowledged, and the chain is linear."""
    acknowledged = {}
    writers = {writer: start(file, writer, 0) for writer in range(WRITERS)}
    kills = [(number % WRITERS, 5 + 7 * number) for number in range(KILLS)]
    for writer, after in kills:
        process = writers[writer]
        for _ in range(after):
            note(acknowledged, writer, process.stdout.readline())
        process.kill()
        rest = process.communicate()[0].splitlines(keepends=True)
        for line in rest:
            note(acknowledged, writer, line)
        done = max((number for who, number in acknowledged if who == writer), default=-1)
        writers[writer] = start(file, writer, done + 1)
    for writer, process in writers.items():
        for line in process.communicate(timeout=120)[0].splitlines(keepends=True):
            note(acknowledged, writer, line)
        assert process.returncode == 0
    found = read(book)
    told = {entry.record.nonce: entry.seq for entry in found if entry.kind == "collected"}
    assert len(told) == sum(entry.kind == "collected" for entry in found) == WRITERS * EACH
    assert {f"{writer}-{number}": seq for (writer, number), seq in acknowledged.items()} == told
    assert {entry.kind for entry in found} <= {"ledger", "collected", "noted"}


def note(acknowledged, writer, line):
    if line.endswith("\n"):
        number, seq = map(int, line.split())
        acknowledged[writer, number] = seq


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.integers(min_value=0), more=st.integers(min_value=1, max_value=3))
def test_any_prefix_and_an_append_is_a_ledger(tmp_path_factory, entries, cut, more):
    file = tmp_path_factory.mktemp("prefix") / "ledger.jsonl"
    book = Book(file, lambda: 5)
    book.append(*entries.run(1), *entries.run(2))
    data = file.read_bytes()
    file.write_bytes(data[: cut % (len(data) + 1)])
    book.append(*[one for number in range(more) for one in entries.run(number + 3)])
    assert fsck(book.lines()).findings == ()
    last = [entry.record for entry in read(book)][-3 * more :]
    assert last == [one for number in range(more) for one in entries.run(number + 3)]


# file systems

MOUNTS = """\
21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
22 21 0:40 / /mounted/share rw shared:1 - nfs4 server:/share rw
23 21 0:41 / /mounted/with\\040blank rw - cifs //server/share rw
24 22 0:42 / /mounted/share/local rw - tmpfs tmpfs rw
"""


@pytest.fixture
def mounts(tmp_path):
    (tmp_path / "mountinfo").write_text(MOUNTS)
    return tmp_path / "mountinfo"


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/mounted/share/x", "nfs4"),
        ("/mounted/share/local/x", "tmpfs"),
        ("/mounted/sharefolder", "ext4"),
        ("/mounted/with blank", "cifs"),
    ],
)
def test_the_longest_mount_point_says_the_file_system(mounts, tmp_path, folder, kind):
    from pathlib import Path

    assert file_system(Path(folder), mounts) == kind


def network(tmp_path, kind):
    table = tmp_path / "mountinfo"
    table.write_text(f"21 1 8:1 / / rw - ext4 d rw\n22 21 0:4 / {tmp_path} rw - {kind} server:/x rw\n")
    return table


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "lustre"])
def test_a_network_file_system_is_refused(tmp_path, entries, kind):
    with pytest.raises(UseError, match=f"{kind} is a network file system") as refused:
        Book(tmp_path / "ledger.jsonl", lambda: 1, mounts=network(tmp_path, kind)).append(entries.opened())
    assert "local disk" in str(refused.value)
    assert not (tmp_path / "ledger.jsonl").exists()


@pytest.mark.parametrize("kind", ["ext4", "xfs", "tmpfs", "overlay", "btrfs", "fuse.fuse-overlayfs"])
def test_a_local_file_system_is_taken(tmp_path, kind):
    assert unproven(tmp_path, network(tmp_path, kind)) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["mountinfo"]


def test_a_forced_ledger_says_so_once(tmp_path, entries):
    table = network(tmp_path, "nfs4")
    for number in range(3):
        Book(tmp_path / "ledger.jsonl", lambda: 1, forced=True, mounts=table).append(entries.opened(number))
    notes = [one.record for one in read(Book(tmp_path / "ledger.jsonl", lambda: 1)) if one.kind == "noted"]
    assert [(one.what, "nfs4" in one.detail) for one in notes] == [("unproven-locks", True)]
