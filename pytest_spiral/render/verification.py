"""A verified bundle as lines: the checklist, what was found, and what it comes to."""

from pytest_spiral.evidence.report import Report
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.render.figures import counted
from pytest_spiral.render.layout import Line, Piece, row, rule

_MARKS = {
    "held": ("held", "green"),
    "found": ("FOUND", "red"),
    "not-checked": ("not checked", ""),
    "cannot-tell": ("cannot tell", "yellow"),
}
_COLUMN = 34
_LEVELS = {
    "none": "E0: hashes only (finds accidents, not an attacker)",
    "job": "E1: signed by the job (its tests could have read the key)",
    "recorder": "E2: signed where tests could not read the key",
}
_WITNESSED = "E3: signed where tests could not read the key, and a witness had the ledger's head before collection"


def render_verification(
    report: Report, judgement: Judgement | None, path: str, require: str, width: int = 100
) -> list[Line]:
    """Render all steps, all findings with file and code, and the outcome against what is required."""
    lines = [rule(f"spiral verify {path}", width)]
    for step in report.steps:
        word, style = _MARKS[step.state]
        lead = [Piece(f" {step.step:>2} {step.name.ljust(16)} "), Piece(word.ljust(12) if step.note else word, style)]
        lines += row(lead, [Piece(step.note)] if step.note else [], width, _COLUMN)
        for found in (one for one in report.findings if one.step == step.step):
            where = f"{found.path}: " if found.path else ""
            lines += row([Piece(f"      {found.code} ", "red")], [Piece(f"{where}{found.sentence}")], width, 8)
    lines += row([Piece(" read")], [Piece(_read(report))], width, 8)
    lines += row([Piece(" ")], [Piece(text, style) for text, style in _outcome(report, judgement, require)], width, 2)
    return lines


def render_standing(judgement: Judgement | None, standing: Judgement | None, width: int = 100) -> list[Line]:
    """Render what the kept ledger's later attempts leave of a decision; nothing where that is the same."""
    if judgement is None or standing is None or judgement.criteria == standing.criteria:
        return []
    return _beside(judgement, standing, "among all attempts of the kept ledger", width)


def render_proven(judgement: Judgement | None, proven: Judgement | None, level: str, width: int = 100) -> list[Line]:
    """Render what becomes of a decision at the level of assurance that was proven; nothing where that is the same."""
    if judgement is None or proven is None:
        return []
    return _beside(judgement, proven, f"at {level}; what was sealed is judged at E0, before anybody signs", width)


def _beside(judgement: Judgement, other: Judgement, why: str, width: int) -> list[Line]:
    """Another decision on the same evidence, and the criteria that are not what they are in the first."""
    before = {one.id: one for one in judgement.criteria}
    style = "green bold" if other.permission else "red bold"
    told = [Piece(str(other.decision or "no decision"), style), Piece(why)]
    lines = row([Piece(" ")], told, width, 2)
    for one in other.criteria:
        if one != before.get(one.id):
            lines += row(
                [Piece(f"      {one.id} ")],
                [Piece(str(one.verdict)), Piece(one.sentence), Piece(one.attempts)],
                width,
                8,
            )
    return lines


def _read(report: Report) -> str:
    return (
        f"{report.files:,} files, {report.bytes:,} bytes, {report.records:,} records, "
        f"{report.tests:,} tests, {report.samples:,} samples"
    )


def _outcome(report: Report, judgement: Judgement | None, require: str) -> list[tuple[str, str]]:
    if report.outcome == "untrusted":
        return [
            ("NOT TO BE TRUSTED", "red bold"),
            (f"{counted(len(report.findings), 'finding', 'findings')}; no decision can rest on this", ""),
        ]
    if report.outcome == "unsealed" or judgement is None:
        return [("NOT SEALED", "yellow bold"), (f"the run is {report.state}; it decides nothing", "")]
    said = _WITNESSED if (judgement.signed, judgement.log) == ("recorder", "witnessed") else _LEVELS[judgement.signed]
    level = (f"sealed, {said}; signed: {judgement.signed}; log: {judgement.log}", "")
    if judgement.partial or judgement.decision is None:
        return [("PARTIAL", "yellow bold"), ("no decision", ""), level]
    style = "green bold" if judgement.permission else "red bold"
    return [(str(judgement.decision), style), (f"required: {require}", ""), level]
