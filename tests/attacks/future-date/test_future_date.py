"""Times that cannot have followed each other."""

import json

import pytest

SECOND = 1_000_000


@pytest.fixture
def dated(forger, seen_by_second):
    """Move the opening and the commit, mend all chains; gives the second verifier's codes and its word on step 8."""

    def move(*, opened=0, committed=None):
        records = {name: forger.records(name) for name in ("main", "gw0", "gw1")}
        start = json.loads((forger.folder / "bundle.json").read_bytes())
        start["opened"] += opened
        start["git"] = {} if committed is None else {"committed": 1_795_339_800 + committed}
        (forger.folder / "bundle.json").write_text(json.dumps(start, separators=(",", ":")))
        for name, kept in records.items():
            forger.rechain(name, kept)
        forger.seal()
        return seen_by_second(forger.folder, 8)

    return move


@pytest.mark.parametrize(
    "moved",
    [
        {"opened": 400 * SECOND},
        {"committed": 400},
        {"opened": 10**9 * SECOND},
        {"opened": 3600 * SECOND, "committed": 0},
        {"committed": 3600},
        {"committed": 10**6},
        {"opened": 305 * SECOND},
        {"opened": -900 * SECOND, "committed": 0},
    ],
)
def test_what_came_before_its_cause_is_found(dated, moved):
    codes, state = dated(**moved)
    assert "moment-order" in codes
    assert state == "found"


@pytest.mark.sound
@pytest.mark.parametrize("moved", [{}, {"opened": 200 * SECOND}, {"committed": -(10**6)}, {"committed": 299}])
def test_clocks_may_disagree_a_little(dated, moved):
    codes, state = dated(**moved)
    assert "moment-order" not in codes
    assert state == "cannot-tell"
