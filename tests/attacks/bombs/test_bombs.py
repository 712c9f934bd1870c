"""Little that costs much."""

import os
import tracemalloc

import pytest

MIB = 1024 * 1024


@pytest.fixture
def bounded():
    """No more than a document of the largest size and a little may be asked for."""
    tracemalloc.start()
    yield
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 80 * MIB


def test_a_line_without_end_is_not_read_to_its_end(forger, verify, bounded):
    with (forger.folder / "journal/gw1.jsonl").open("ab") as file:
        file.truncate(200 * MIB)
    answer = verify(forger.folder)
    assert answer.refused
    assert "line-too-long" in answer.codes & answer.second_codes


def test_a_sparse_file_is_too_large_by_its_size(forger, verify, bounded):
    with (forger.folder / "log.txt").open("ab") as file:
        file.truncate(2 * 1024 * MIB)
    answer = verify(forger.folder)
    assert answer.refused
    assert answer.codes == answer.second_codes == {"file-too-large"}  # and nothing of it was read


def test_a_range_of_gigabytes_is_not_asked_for(forger, verify, bounded):
    forger.change("gw0", lambda records: next(one for kind, one in records if kind == "range").update(bytes=2**40))
    answer = verify(forger.folder)
    assert answer.refused
    assert "samples-tiling" in answer.codes & answer.second_codes


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_nesting_ends_at_its_limit(forger, verify, bounded, opening):
    forger.edit("inventory.json", lambda _: opening * 100_000)
    forger.seal()
    answer = verify(forger.folder)
    assert answer.refused
    assert "json-depth" in answer.codes & answer.second_codes


def test_quotes_that_never_close_cost_no_more_than_their_length(forger, verify, bounded):
    forger.edit("inventory.json", lambda _: b'["' * 40 + b'"\\' * 100_000)
    forger.seal()
    assert verify(forger.folder).refused


def test_folders_in_folders_are_not_followed_for_ever(forger, verify, bounded):
    here = os.open(forger.folder, os.O_RDONLY)
    try:
        for _ in range(300):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    answer = verify(forger.folder)
    assert answer.refused
    assert "path-depth" in answer.codes & answer.second_codes
