"""A whole bundle with one file mutated: both verifiers come to an answer, and without a new manifest it is never `sound`."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .parsers import TOKENS, load

TOOLS = load("kit_of_tools_to_fuzz", "tests/tools/conftest.py")
MANY = int(os.environ.get("SPIRAL_FUZZ", "60"))

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return TOOLS.make_small(tmp_path_factory.mktemp("fuzzed") / "small")


def spoiled(data, at, gone, put):
    at %= len(data) + 1
    return data[:at] + put + data[at + gone :]


def test_a_mutated_file_never_ends_in_an_error_or_in_sound(small, tally):
    paths = sorted(path.relative_to(small) for path in small.rglob("*") if path.is_file())
    asked, found = [], []

    @settings(
        max_examples=MANY, deadline=None, database=None, derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip
    @given(
        st.sampled_from(paths), st.integers(0, 3000), st.integers(0, 40),
        st.one_of(st.sampled_from(TOKENS), st.binary(max_size=8)), st.booleans(),
    )  # fmt: skip
    def holds(path, at, gone, put, sealed_anew):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(shutil.copytree(small, Path(folder) / small.name))
            before = (copy / path).read_bytes()
            after = spoiled(before, at, gone, put)
            (copy / path).write_bytes(after)
            if sealed_anew and path.name != "manifest.json":
                TOOLS.small.Forger(copy).seal()
            both = TOOLS.both_of(copy)
        if after == before:
            assert both.outcome == "sound"
        elif not sealed_anew:  # sealed anew, it may be something that nothing else binds: E0 finds accidents only
            asked.append(path)
            found.extend([path] if both.outcome == "untrusted" else [])
            assert asked == found

    holds()
    tally(len(found), len(asked), "mutations of an unsigned bundle found by both verifiers")
    assert len(asked) > MANY // 4
