"""Whether what the runs of a ledger rest on has changed since, by the newest sealed run of each criterion."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_spiral.evidence.verify import examine
from pytest_spiral.model.freshness import Standing, State
from pytest_spiral.rules.attempts import Attempt
from pytest_spiral.rules.freshness import inputs_of, stale_of
from pytest_spiral.run.inputs import changed_since
from pytest_spiral.run.shelf import bundles_of


def freshness_of(
    campaigns: Mapping[tuple[str, str], Sequence[Attempt]], reports: Path, root: Path
) -> tuple[Standing, ...]:
    """How each criterion's newest sealed run, a release run where there is one, stands to what is below `root` now.

    Only a bundle under `reports` that verifies and has the manifest of the ledger tells of it; each is compared once, as
    `spiral show --fresh` does. Raises UseError for an input that cannot be read.
    """
    compared: dict[str, tuple[str, Mapping[str, str]]] = {"": ("none of its runs was sealed", {})}
    found: list[Standing] = []
    for (target, name), attempts in campaigns.items():
        sealed = [one for one in attempts if one.sealed is not None]
        newest = next(reversed([one for one in sealed if not one.opened.draft] or sealed), None)
        nonce, run = (newest.opened.nonce, newest.opened.run) if newest is not None else ("", "")
        if newest is not None and nonce not in compared:
            compared[nonce] = _compare(newest, reports, root)
        why, told = compared[nonce]
        state: State = "unknown" if why else "undeclared" if name not in told else "stale" if told[name] else "fresh"
        found.append(Standing(criterion=name, target=target, run=run, state=state, sentence=why or told.get(name, "")))
    return tuple(found)


def _compare(one: Attempt, reports: Path, root: Path) -> tuple[str, Mapping[str, str]]:
    """Why nobody can tell of a run, else empty; its criteria that rest on files or the machine, each with why it is stale, or empty."""
    why = f"its bundle is not under {reports}"
    for folder in bundles_of(reports, one.opened.run, one.sealed.manifest if one.sealed is not None else ""):
        report, evidence = examine(folder)
        if report.outcome == "sound" and evidence is not None:
            stale = stale_of(changed_since(evidence.plan, evidence.bundle, root, folder.resolve().parents[1]))
            return "", {each.id: stale.get(each.id, "") for each in evidence.plan.criteria() if inputs_of(each)}
        why = "its bundle is not to be trusted"
    return why, {}
