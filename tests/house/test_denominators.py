"""The counts at the end of a session: summed over tests and workers, and honest about what failed."""

from pathlib import Path

import pytest

CONFTEST = (Path(__file__).parents[1] / "conftest.py").read_text()
FILES = {
    "tests/test_counts": """
        import pytest

        @pytest.mark.parametrize("count", [0, 1, 1230])
        def test_counts(tally, count):
            tally(0, count, "kill points lost or lied")
            tally(count, count + 1, "mutations found")
    """,
    "tests/attacks/edit/test_edit": """
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_is_refused(number):
            assert number != 3

        @pytest.mark.sound
        def test_is_accepted():
            pass
    """,
    "tests/attacks/drop/test_drop": "def test_is_refused(): pass",
}


@pytest.fixture
def counted(pytester):
    """Run the files above with the tests' own conftest; gives the lines of the denominators."""

    def run(*arguments):
        for name in ("tests/attacks/edit", "tests/attacks/drop"):
            pytester.path.joinpath(name).mkdir(parents=True, exist_ok=True)
        pytester.path.joinpath("tests/conftest.py").write_text(CONFTEST)
        pytester.makepyfile(**FILES)
        out = pytester.runpytest_subprocess("--import-mode=importlib", "-p", "no:cacheprovider", *arguments).outlines
        at = next((at for at, line in enumerate(out) if " denominators " in line), len(out))
        return [line for line in out[at + 1 :] if " of " in line]

    return run


@pytest.mark.parametrize("how", [("-p", "no:xdist"), ("-n", "2")], ids=["plain", "two-workers"])
def test_counts_are_summed_and_a_case_that_is_not_refused_is_not_counted_as_one(counted, how):
    assert counted(*how) == [
        "0 of 1 231 kill points lost or lied",
        "1 231 of 1 234 mutations found",
        "2 attack kinds, 4 of 5 cases refused",
    ]


def test_without_counts_nothing_is_said(counted):
    assert counted("-k", "is_accepted") == []
