"""The watch over a run: by a clock that is handed in, so that nothing waits."""

import threading

import pytest

from pytest_spiral.evidence.journals import journal_sizes
from pytest_spiral.run.watch import Patience, Watch

S = 1_000_000_000


class Scene:
    """A watch whose clock and journals move only when told, and what it did."""

    def __init__(self, patience):
        self.now = 0
        self.seen = 0
        self.did = []
        self.watch = Watch(patience, lambda: self.seen, lambda: self.now, self.end, self.force)

    def end(self, why):
        self.did.append(("end", why))

    def force(self, why):
        self.did.append(("force", why))

    def at(self, second, *, record=False):
        self.now = second * S
        self.seen += record
        return self.watch.check()


@pytest.mark.parametrize(
    ("patience", "silent", "spent", "why"),
    [
        (Patience(), 10**18, 10**18, ""),
        (Patience(stall=10 * S), 10 * S - 1, 10**18, ""),
        (Patience(stall=10 * S), 10 * S, 0, "no process has recorded anything for 10 s"),
        (Patience(deadline=90 * S), 10**18, 90 * S - 1, ""),
        (Patience(deadline=90 * S), 0, 90 * S, "the deadline of 90 s has come"),
        (Patience(stall=S, deadline=2 * S), 2 * S, 2 * S, "the deadline of 2 s has come"),
    ],
)
def test_patience_ends_at_its_limit_and_not_before(patience, silent, spent, why):
    assert patience.why(silent, spent) == why


def test_every_record_begins_the_wait_anew():
    scene = Scene(Patience(stall=10 * S))
    assert scene.at(9) == ""
    assert scene.at(18, record=True) == ""
    assert scene.at(27) == ""
    assert scene.at(28) == "no process has recorded anything for 10 s"


def test_records_do_not_move_the_deadline():
    scene = Scene(Patience(deadline=10 * S))
    assert scene.at(9, record=True) == ""
    assert scene.at(10, record=True) == "the deadline of 10 s has come"


def test_a_run_that_does_not_react_is_forced():
    scene = Scene(Patience(stall=S // 50))
    scene.now = S
    scene.watch.start()
    scene.watch._thread.join(30)
    why = "no process has recorded anything for 0.02 s"
    assert scene.did == [("end", why), ("force", why)]


def test_a_run_that_ends_in_time_is_left_alone():
    scene = Scene(Patience(stall=10 * S))
    scene.watch.start()
    scene.watch.stop()
    scene.watch._thread.join(30)
    assert not scene.watch._thread.is_alive()
    assert scene.did == []


def test_a_run_that_reacts_is_not_forced():
    scene = Scene(Patience(stall=S // 50))
    reacted = threading.Event()
    watch = Watch(
        Patience(stall=S // 50), lambda: 0, lambda: scene.now, lambda _: (watch.stop(), reacted.set()), scene.force
    )
    scene.now = S
    watch.start()
    assert reacted.wait(30)
    watch._thread.join(30)
    assert scene.did == []


def test_the_sizes_of_journals_change_with_each_record(tmp_path):
    assert journal_sizes(tmp_path) == ()
    (tmp_path / "journal").mkdir()
    journal = tmp_path / "journal/main.jsonl"
    journal.write_bytes(b"one\n")
    before = journal_sizes(tmp_path)
    with journal.open("ab") as file:
        file.write(b"two\n")
    assert (before, journal_sizes(tmp_path)) == ((("main.jsonl", 4),), (("main.jsonl", 8),))
