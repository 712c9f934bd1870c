"""Defects of an examination: the document, what was signed of it, and by whom."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from pytest_spiral.model.examination import Examination, ExaminationStatement
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.examination import REHEARSED
from pytest_spiral.rules.selftest.defect import Broken, Defect
from pytest_spiral.rules.selftest.scene import Scene

_EXAMINED: Final = "a document that a person examines"
_OTHER: Final = f"sha256:{'1' * 64}"


def _examined(change: Callable[[Examination], tuple[Examination, ...]]) -> Callable[[Scene], Iterator[Broken]]:
    """The examination replaced by any number of others."""

    def make(scene: Scene) -> Iterator[Broken]:
        for one in scene.evidence.examinations:
            yield Broken("", scene.but(examinations=change(one)))

    return make


def _said(**changes: Any) -> Callable[[Scene], Iterator[Broken]]:
    """Something else was signed."""
    return _examined(lambda one: (_stating(one, **changes),))


def _stating(one: Examination, **changes: Any) -> Examination:
    said: ExaminationStatement | None = one.statement and msgspec.structs.replace(one.statement, **changes)
    return msgspec.structs.replace(one, statement=said)


def _seen(**changes: Any) -> Callable[[Scene], Iterator[Broken]]:
    """The run found something else."""
    return _examined(lambda one: (msgspec.structs.replace(one, seen=msgspec.structs.replace(one.seen, **changes)),))


def _unkept(scene: Scene) -> Iterator[Broken]:
    if scene.evidence.examinations:
        yield Broken("", scene.but(attached=()))


def _rehearsed(scene: Scene) -> Iterator[Broken]:
    """For a criterion that asks for more than a rehearsal, one is a condition; see `_rehearsed_only`."""
    if _asks_for_more(scene):
        yield from _said(rehearsal=True)(scene)


def _rehearsed_only(scene: Scene) -> Iterator[Broken]:
    if not _asks_for_more(scene):
        yield from _said(rehearsal=True)(scene)


def _asks_for_more(scene: Scene) -> bool:
    return Fidelity(scene.criterion.fidelity or Fidelity.UNDECLARED).rank > REHEARSED.rank


def _defect(name: str, makes: str, make: Callable[[Scene], Iterator[Broken]], verdict: Verdict) -> Defect:
    return Defect(name, makes, _EXAMINED, make, verdict=verdict)


DEFECTS: Final = (
    _defect("document-unlooked", "the run did not look at the document", _examined(lambda _: ()), Verdict.NOT_RUN),
    _defect("document-missing", "the document was not there", _seen(path="", bytes=0, sha256=""), Verdict.NOT_RUN),
    _defect("document-other", "the run looked at another document", _seen(document="another.md"), Verdict.INVALID),
    _defect("document-changed", "the document is not the one that was signed", _said(sha256=_OTHER), Verdict.NOT_RUN),
    _defect("document-longer", "the document has a byte more than was signed", _said(bytes=1), Verdict.NOT_RUN),
    _defect("document-unkept", "the bundle does not keep the document", _unkept, Verdict.INVALID),
    _defect("unsigned", "nobody has signed", _seen(statement="", signature=""), Verdict.NOT_RUN),
    _defect(
        "signature-broken",
        "the signature does not hold",
        _examined(lambda one: (msgspec.structs.replace(one, keyid="", fault="made up"),)),
        Verdict.INVALID,
    ),
    _defect(
        "statement-unread",
        "nothing can be read of what was signed",
        _examined(lambda one: (msgspec.structs.replace(one, statement=None),)),
        Verdict.INVALID,
    ),
    _defect(
        "signed-elsewhere", "what was signed is for another criterion", _said(criterion="Z9.other"), Verdict.INVALID
    ),
    _defect("signed-another", "what was signed is of another document", _said(document="another.md"), Verdict.INVALID),
    _defect("signed-by-another", "somebody else has signed", _said(signer="somebody-else"), Verdict.NOT_RUN),
    _defect("signed-later", "it was signed after the run", _said(examined="2999-01-01T00:00:00Z"), Verdict.INVALID),
    _defect("examined-twice", "the document was looked at twice", _examined(lambda one: (one, one)), Verdict.INVALID),
    _defect(
        "signer-stranger",
        "the key is in no trust root",
        _examined(lambda one: (msgspec.structs.replace(one, keyid=f"SHA256:{'S' * 43}"),)),
        Verdict.INVALID,
    ),
    _defect("rehearsal-only", "it was signed in rehearsal", _rehearsed_only, Verdict.NOT_RUN),
    Defect(
        "rehearsal",
        "it was signed in rehearsal, and more is asked for",
        f"{_EXAMINED}, with a fidelity",
        _rehearsed,
        leaves="condition",
    ),
)
