"""Every parser over mutated seeds, over noise and over bombs: a value, or an error of its own; no more memory than told.

SPIRAL_FUZZ says how many inputs each parser gets (default 60); `make fuzz` goes on for longer, guided by coverage.
"""

import os
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .parsers import BOMBS, TOKENS, Parser, table

PARSERS = table()
TOLD = f"inputs of {len(PARSERS)} parsers raised anything but the parser's own error"
MANY = int(os.environ.get("SPIRAL_FUZZ", "60"))
MOST_MEMORY = 48 * 2**20  # for an input of at most 250 kB
# The sandbox's own files, which nobody sends; a boot manifest besides is one that whoever runs the sandbox names.
PACKAGED = ("presets.toml", "demo.toml", "rules.toml", "faults.toml", "boot manifest")

pytestmark = pytest.mark.timeout(120)  # a parser that hangs fails, and is named


def mutated(seeds):
    """A seed with some of its bytes replaced, removed, doubled, or something awkward put in."""
    edit = st.tuples(
        st.integers(0, 4000),
        st.integers(0, 12),
        st.one_of(st.sampled_from(TOKENS), st.binary(max_size=4), st.just(None)),
    )

    def apply(seed, edits):
        for at, gone, put in edits:
            at = at % (len(seed) + 1)  # noqa: PLW2901 - a place in this seed
            seed = seed[:at] + (seed[at : at + gone] * 2 if put is None else put) + seed[at + gone :]
        return seed

    return st.builds(apply, st.sampled_from(seeds), st.lists(edit, max_size=6))


def inputs(parser):
    noise = st.lists(st.sampled_from(TOKENS), max_size=20).map(b"".join)
    return st.one_of(mutated(parser.seeds), mutated(parser.seeds), st.binary(max_size=300), noise)


def read(parser, data):
    """True where it took the data, False where it refused; anything else it raises goes on."""
    try:
        parser.read(data)
    except parser.errors:
        return False
    return True


def memory_of(parser, data):
    """The most bytes that reading it held at once."""
    tracemalloc.start()
    try:
        read(parser, data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_gives_a_value_or_its_own_error(name, tally):
    parser, tried = PARSERS[name], []

    @settings(
        max_examples=MANY, deadline=None, database=None, derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
    @given(inputs(parser))
    def holds(data):
        tried.append(False)
        read(parser, data)
        tried[-1] = True

    try:
        holds()
    finally:
        tally(tried.count(False), len(tried), TOLD)
    assert len(tried) >= MANY // 2


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_survives_bombs_in_bounded_memory(name, tally):
    parser, most, done = PARSERS[name], 0, 0
    try:
        for bomb in BOMBS.values():
            most = max(most, memory_of(parser, bomb))
            done += 1
    finally:
        tally(len(BOMBS) - done, len(BOMBS), TOLD)
    assert most < MOST_MEMORY or name in PACKAGED


@pytest.mark.parametrize("name", PARSERS)
def test_its_seeds_are_good_input(name):
    """Else the fuzzing would never come past the first check."""
    assert PARSERS[name].seeds
    assert all(read(PARSERS[name], seed) for seed in PARSERS[name].seeds)


def test_a_parser_that_raises_something_else_is_found():
    """The control: one that lets KeyError out, and one that takes memory."""
    careless = Parser(lambda data: {b"a": 1}[data], (ValueError,), (b"a",))
    with pytest.raises(KeyError):
        read(careless, BOMBS["digits"])
    greedy = Parser(lambda data: [data * 100 for _ in range(20)], (), ())
    assert memory_of(greedy, BOMBS["zeros"]) > MOST_MEMORY
