"""A gate over time: the ledger's attempts, with the figures that their bundles give."""

from collections.abc import Sequence
from pathlib import Path

from pytest_spiral.errors import UseError
from pytest_spiral.model.chronicle import Chronicle, ChronicleRow, CriterionChronicle
from pytest_spiral.model.entry import Entry
from pytest_spiral.model.judgement import Judgement, LimitVerdict
from pytest_spiral.rules.attempts import Attempt, tell_attempts, tell_drafts
from pytest_spiral.rules.judge.earlier import manifest_of
from pytest_spiral.rules.views import by_criterion
from pytest_spiral.run.grounds import Grounds, Kept
from pytest_spiral.run.shelf import bundles_of
from pytest_spiral.run.verify import verify_bundle


def chronicle_of(gate: str, entries: Sequence[Entry], reports: Path, kept: Kept | None = None) -> Chronicle:
    """The runs of each criterion of a gate, in the order of the ledger whose counting `entries` are given.

    Figures are judged again from bundles under `reports` that verify and have the manifest that the ledger has; `kept`
    is the ledger, for bundles that hold no copy of it. Raises UseError for a gate that no run has registered.
    """
    campaigns = by_criterion(entries)
    known = sorted({name.partition(".")[0] for _, name in campaigns})
    if gate not in known:
        raise UseError(f"no run has registered the gate {gate!r}; known: {', '.join(known) or 'none'}.")
    shelf = _Shelf(reports, kept)
    return Chronicle(
        gate=gate,
        criteria=tuple(
            _criterion(name, target, attempts, shelf)
            for (target, name), attempts in campaigns.items()
            if name.partition(".")[0] == gate
        ),
    )


class _Shelf:
    """Judged bundles, each verified once."""

    def __init__(self, reports: Path, kept: Kept | None) -> None:
        self._reports = reports
        self._grounds = Grounds(kept=kept)
        self._known: dict[str, tuple[Judgement | None, str]] = {}

    def judged(self, one: Attempt) -> tuple[Judgement | None, str]:
        """What a run's bundle gives, or why it gives nothing."""
        nonce = one.opened.nonce
        if nonce not in self._known:
            self._known[nonce] = self._judge(one)
        return self._known[nonce]

    def _judge(self, one: Attempt) -> tuple[Judgement | None, str]:
        manifest = manifest_of(one)
        if manifest is None:
            return None, "not sealed"
        missing = f"its bundle is not under {self._reports}"
        for folder in bundles_of(self._reports, one.opened.run, manifest):
            checked = verify_bundle(folder, self._grounds)
            if checked.report.outcome == "sound" and checked.judgement is not None:
                return checked.judgement, ""
            missing = f"its bundle is not to be trusted ({checked.report.findings[0].code})"
        return None, missing


def _criterion(name: str, target: str, attempts: Sequence[Attempt], shelf: _Shelf) -> CriterionChronicle:
    rows: list[ChronicleRow] = []
    for one in attempts:
        number = 0 if one.opened.draft else 1 + sum(row.number > 0 for row in rows)
        limits, missing = _limits(name, one, shelf)
        rows.append(
            ChronicleRow(
                number=number,
                seq=one.seq,
                wall=one.wall,
                run=one.opened.run,
                draft=one.opened.draft,
                word=one.word(name),
                verdict=str(one.sealed.verdicts.get(name, "")) if one.sealed is not None else "",
                bar=one.opened.criteria[name].bar,
                limits=limits,
                missing=missing,
            )
        )
    words = [one.word(name) for one in attempts if not one.opened.draft]
    told = f"{tell_attempts(words)}{tell_drafts(len(attempts) - len(words))}"
    return CriterionChronicle(criterion=name, target=target, attempts=told, rows=tuple(rows))


def _limits(name: str, one: Attempt, shelf: _Shelf) -> tuple[tuple[LimitVerdict, ...], str]:
    judgement, missing = shelf.judged(one)
    if judgement is None:
        return (), missing
    found = next((each for each in judgement.criteria if each.id == name), None)
    if found is None:
        return (), "not in the scope of that run"
    return found.limits, "" if found.limits else found.sentence or "nothing was measured"
