"""A document that a person examines: only their own signature of exactly these bytes passes, and only by a trust root."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.errors import UntrustedError
from pytest_spiral.model.examination import Examination, ExaminationStatement
from pytest_spiral.model.record import Attached, DocumentSeen
from pytest_spiral.model.trust import TrustedKey, TrustRoot
from pytest_spiral.rules.examination import examined_words, parse_statement, render_statement
from pytest_spiral.rules.freshness import patterns_of
from pytest_spiral.rules.judge import judge
from pytest_spiral.rules.times import TOLERANCE_US, parse_wall, told

ADA, BOB = f"SHA256:{'a' * 43}", f"SHA256:{'b' * 43}"
DIGEST, OTHER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
OPENED = 1_795_600_000_000_000
PATH = "attachments/examined-S1.charter-charter.md"
LIMITED, PASS, NOT_RUN, INVALID = "environment-limited", "pass", "not-run", "invalid"


def statement(**changes):
    said = {
        "criterion": "S1.charter",
        "document": "docs/charter.md",
        "bytes": 7,
        "sha256": DIGEST,
        "signer": "ada@example.org",
        "examined": "2026-11-01T08:00:00Z",
    }
    return ExaminationStatement(**{**said, **changes})


def seen(**changes):
    said = {"path": PATH, "bytes": 7, "sha256": DIGEST, "statement": "text", "signature": "text"}
    return DocumentSeen(**{"criterion": "S1.charter", "document": "docs/charter.md", **said, **changes})


def examination(said=None, found=None, **changes):
    return Examination(**{"seen": found or seen(), "statement": said or statement(), "keyid": ADA, **changes})


def key(keyid=ADA, principals=("ada@example.org",), roles=("spiral-signoff",), **changes):
    return TrustedKey(keyid=keyid, kind="ssh-ed25519", public="", principals=principals, roles=roles, **changes)


ROOT = TrustRoot(keys=(key(), key(BOB, ("bob@example.org",))))


@pytest.fixture
def charter(bench):
    """A run with the criterion and the document, kept in the bundle; `ask` judges it with an examination."""

    def ask(*examinations, trust=ROOT, kept=True, **fields):
        bench.criterion("S1.charter", method="examine", document="docs/charter.md", signer="ada@example.org", **fields)
        bench.ran("test_it", "S1.other")
        evidence = bench.evidence()
        attached = Attached(path=PATH, name="charter.md", media_type="", bytes=7, sha256=DIGEST)
        bundle = msgspec.structs.replace(evidence.bundle, opened=OPENED)
        evidence = msgspec.structs.replace(
            evidence, bundle=bundle, examinations=examinations, attached=(attached,) if kept else ()
        )
        judgement = judge(evidence, trust=trust)
        return judgement, next(one for one in judgement.criteria if one.id == "S1.charter")

    return ask


def test_what_its_signer_has_examined_passes_by_a_trust_root(charter):
    judgement, one = charter(examination())
    assert (one.verdict, one.reason, one.ran, one.runs) == (PASS, "", True, ("pass",))
    (line,) = one.limits
    assert (line.limit, line.verdict, line.sentence) == ("examined(docs/charter.md)", PASS, "")
    assert line.note == "7 bytes signed by ada@example.org on 2026-11-01"
    assert judgement.permission == 2


def test_without_a_trust_root_nobody_knows_whose_key_it_is(charter):
    judgement, one = charter(examination(), trust=None)
    assert (one.verdict, one.original, one.reason, one.requirement) == (
        LIMITED,
        PASS,
        "signer-unproven",
        "a trust root",
    )
    assert ADA in one.sentence
    assert judgement.permission == 1
    assert [(debt.criterion, debt.requirement) for debt in judgement.debts] == [("S1.charter", "a trust root")]


@pytest.mark.parametrize("trust", [None, ROOT], ids=["no-root", "root"])
@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (examination(found=seen(path="", bytes=0, sha256="")), (NOT_RUN, "document-missing")),
        (examination(found=seen(document="docs/other.md")), (INVALID, "examined-other")),
        (Examination(seen=seen(statement="", signature="")), (NOT_RUN, "unsigned")),
        (Examination(seen=seen(signature="")), (NOT_RUN, "unsigned")),
        (Examination(seen=seen(), fault="not JSON"), (INVALID, "signature-broken")),
        (examination(keyid=""), (INVALID, "signature-broken")),
        (examination(statement(criterion="S1.other")), (INVALID, "examined-other")),
        (examination(statement(document="docs/other.md")), (INVALID, "examined-other")),
        (examination(statement(signer="bob@example.org"), keyid=BOB), (NOT_RUN, "other-signer")),
        (examination(statement(sha256=OTHER)), (NOT_RUN, "document-changed")),
        (examination(statement(bytes=8)), (NOT_RUN, "document-changed")),
        (examination(found=seen(sha256=OTHER)), (NOT_RUN, "document-changed")),
        (examination(statement(sha256=OTHER), seen(sha256=OTHER)), (INVALID, "document-unkept")),
        (examination(statement(rehearsal=True)), (NOT_RUN, "rehearsal")),
        (examination(statement(examined=told(OPENED + TOLERANCE_US + 1_000_000))), (INVALID, "examined-later")),
    ],
)
def test_what_is_no_examination_by_its_signer_is_none(charter, one, expected, trust):
    judgement, found = charter(one, trust=trust)
    assert (found.verdict, found.reason) == expected
    assert judgement.permission == 0
    assert found.sentence


def test_clocks_may_disagree_a_little(charter):
    assert charter(examination(statement(examined=told(OPENED + TOLERANCE_US))))[1].verdict == PASS


def test_a_document_that_the_bundle_does_not_keep_is_unproven(charter):
    assert charter(examination(), kept=False)[1].reason == "document-unkept"


@pytest.mark.parametrize(("number", "reason"), [(0, "unsigned"), (2, "examined-twice")])
def test_a_run_looks_at_a_document_once(charter, number, reason):
    assert charter(*[examination()] * number)[1].reason == reason


@pytest.mark.parametrize(
    ("root", "word"),
    [
        (TrustRoot(), "is not in the trust root"),
        (TrustRoot(keys=(key(BOB),)), "is not in the trust root"),
        (TrustRoot(keys=(key(principals=("bob@example.org",)),)), "is bob@example.org in the trust root"),
        (TrustRoot(keys=(key(roles=("spiral-job", "spiral-recorder", "spiral-waiver")),)), "not spiral-signoff"),
        (TrustRoot(keys=(key(roles=()),)), "none, not spiral-signoff"),
        (TrustRoot(keys=(key(valid_after=parse_wall("2026-11-01T08:00:01Z")),)), "not valid yet"),
        (TrustRoot(keys=(key(valid_before=parse_wall("2026-11-01T07:59:59Z")),)), "not valid any more"),
        (TrustRoot(keys=(key(),), superseded={ADA: 10**6}), "superseded"),
        (TrustRoot(keys=(key(),), compromised={ADA: 10**6}), "compromised"),
    ],
)
def test_a_key_that_the_trust_root_does_not_take_for_the_signers_is_refused(charter, root, word):
    judgement, one = charter(examination(), trust=root)
    assert (one.verdict, one.reason, word in one.sentence) == (INVALID, "signer-untrusted", True), one.sentence
    assert judgement.permission == 0


def test_a_key_counts_by_when_it_signed_and_under_any_of_its_names(charter):
    moment = parse_wall("2026-11-01T08:00:00Z")
    root = TrustRoot(keys=(key(principals=("x", "ada@example.org"), valid_after=moment, valid_before=moment),))
    assert charter(examination(), trust=root)[1].verdict == PASS


@pytest.mark.parametrize("trust", [None, ROOT, TrustRoot()], ids=["no-root", "root", "another-root"])
@pytest.mark.parametrize("wanted", ["staging", "live"])
def test_a_rehearsal_is_a_condition_whoever_asks(charter, wanted, trust):
    judgement, one = charter(examination(statement(rehearsal=True)), trust=trust, fidelity=wanted)
    assert (one.verdict, one.original, one.reason, one.fidelity) == (LIMITED, PASS, "fidelity", wanted)
    assert judgement.permission == 1


@pytest.mark.parametrize("wanted", ["undeclared", "stub", "simulated", "sandbox"])
def test_a_rehearsal_is_never_enough(charter, wanted):
    assert charter(examination(statement(rehearsal=True)), fidelity=wanted)[1].reason == "rehearsal"


def test_a_person_is_as_live_as_can_be_whatever_the_target(charter):
    judgement, one = charter(examination(), fidelity="live")
    assert (one.verdict, judgement.permission) == (PASS, 2)


def test_a_bundle_that_nobody_vouches_for_as_asked_stays_a_condition(charter):
    assert charter(examination(), assurance="E2")[1].reason == "assurance"


def test_a_document_is_an_input_of_its_criterion(bench):
    bench.criterion(
        "S1.charter", method="examine", document="docs/charter.md", signer="ada", inputs=("profile", "a.toml")
    )
    assert patterns_of(bench.plan()) == ("a.toml", "docs/charter.md")


def test_of_a_long_note_the_beginning_is_told():
    told_of = [
        examined_words(statement(note="x" * length)).count("x") - examined_words(statement()).count("x")
        for length in (200, 201)
    ]
    assert told_of == [200, 199]


# what is signed


TEXTS = st.text(max_size=40)


@given(
    said=st.builds(
        ExaminationStatement,
        criterion=TEXTS,
        document=TEXTS,
        bytes=st.integers(0, 2**53 - 1),
        sha256=TEXTS,
        signer=TEXTS,
        examined=st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001 - UTC is added
            lambda one: one.replace(microsecond=0, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
        ),
        rehearsal=st.booleans(),
        note=TEXTS,
    )
)
def test_what_is_signed_reads_back(said):
    assert parse_statement(render_statement(said)) == said
    assert said.signer in examined_words(said)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        render_statement(statement()) + b"x",
        render_statement(statement()).replace(b"spiral-examination/1", b"spiral-examination/2"),
        render_statement(statement()).replace(b'"note"', b'"remark"'),
        render_statement(statement()).replace(b'"note": ""', b'"note": "", "note": ""'),
        render_statement(statement()).replace(b"08:00:00Z", b"8:00:00Z"),
        render_statement(statement()).replace(b"2026-11-01", b"2026-02-30"),
        render_statement(statement()).replace(b"2026-11-01", b"1969-12-31"),
        render_statement(statement()).replace(b"08:00:00Z", b"08:00:00+00:00"),
        render_statement(statement(note="x" * 17_000)),
    ],
)
def test_what_is_no_statement_is_refused(data):
    with pytest.raises(UntrustedError):
        parse_statement(data)
