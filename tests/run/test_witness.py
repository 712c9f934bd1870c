"""When a witness is proven: who says that the head was published, and whose head it is."""

import msgspec
import pytest

from pytest_spiral.model.entry import LedgerHead
from pytest_spiral.model.launcher import Published
from pytest_spiral.run.witness import check_witness

HEAD = LedgerHead(id=f"sha256:{'1' * 64}", seq=7, digest=f"sha256:{'2' * 64}")
OTHER = msgspec.structs.replace(HEAD, seq=8)


class Said(msgspec.Struct):
    """All of a run's evidence that this looks at."""

    published: tuple[Published, ...] = ()


def published(by="launcher", head=HEAD, **fields):
    return Said((Published(head=head, by=by, **{"ok": True, **fields}),))


CASES = {
    "nothing published": (Said(), "launcher", None, "none", False),
    "by the launcher": (published(), "launcher", None, "launcher", True),
    "by a launcher that was not isolated": (published(), "none", None, "cannot-tell", False),
    "by a launcher, signed by another recorder": (published(), "countersign", None, "cannot-tell", False),
    "by the job": (published("job"), "countersign", None, "cannot-tell", False),
    "by the job, under the launcher": (published("job"), "launcher", None, "cannot-tell", False),
    "by the job, and the head is there": (published("job"), "countersign", HEAD, "kept", True),
    "by the job, and another head is there": (published("job"), "countersign", OTHER, "cannot-tell", False),
    "failed": (published(ok=False, why="status 1"), "launcher", None, "failed", False),
    "failed, and the head is there": (published(ok=False), "launcher", HEAD, "failed", False),
    "another head": (published(head=OTHER), "launcher", None, "none", False),
    "another head, and that is there": (published(head=OTHER), "launcher", OTHER, "none", False),
}


@pytest.mark.parametrize(("said", "isolation", "kept", "proof", "holds"), CASES.values(), ids=list(CASES))
def test_a_witness_is_proven_by_who_signs_or_by_the_head_itself(said, isolation, kept, proof, holds):
    found = check_witness(said, HEAD, isolation, kept)
    assert (found.proof, found.holds("recorder")) == (proof, holds)
    assert [one.code for one in found.findings] == (
        ["ledger-published"] if said.published and said.published[0].head != HEAD else []
    )


def test_a_launcher_that_is_not_proven_to_have_signed_proves_no_witness():
    found = check_witness(published(), HEAD, "launcher", None)
    assert [found.holds(signed) for signed in ("none", "job", "recorder")] == [False, False, True]


def test_a_kept_head_needs_nobodys_signature():
    assert check_witness(published("job"), HEAD, "none", HEAD).holds("none")
