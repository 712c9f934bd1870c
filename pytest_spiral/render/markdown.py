"""Pages of Markdown: the summary that a reviewer reads first, and the notes on what moved since the last gate."""

from collections.abc import Iterable, Sequence
from typing import Final

from pytest_spiral.model.evidence import BundleStart
from pytest_spiral.model.gate import Control, Criterion, GateCard, Plan
from pytest_spiral.model.judgement import CriterionVerdict, Debt, GateDecision, Judgement, LimitVerdict
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.render import words
from pytest_spiral.render.escape import markdown, markdown_code, visible
from pytest_spiral.render.figures import counted, counts_of, figures_of, grouped

_HEAD: Final = ("criterion", "verdict", "figure", "limit", "n", "margin", "reason")
_DEBT_HEAD: Final = ("criterion", "owner", "due", "requirement", "what the probe said", "what to do")
_NOT_JUDGED: Final = frozenset({Verdict.NOT_RUN, Verdict.ENVIRONMENT_LIMITED, Verdict.INVALID, Verdict.INCONCLUSIVE})


def render_summary_markdown(
    judgement: Judgement, plan: Plan, cards: Sequence[GateCard], start: BundleStart, path: str
) -> str:
    """Render `summary.md`: the decision, each gate, the debts, what was not judged, and how to check all of it.

    `path` is the bundle's folder as `spiral verify` takes it.
    """
    found = words.Cards(tuple(cards))
    parts = [
        _opening(judgement, start),
        *(_gate(gate, judgement, plan, found) for gate in judgement.gates),
        _debts(judgement, plan, found),
        _not_judged(judgement, plan),
        _checking(judgement, start, path),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_change_notes(judgement: Judgement, plan: Plan, start: BundleStart) -> str:
    """Render `change_notes.md` of a run with no earlier gate to compare with: the bar that this run sets.

    Every criterion of the bar is listed with its limits, so that a later run's notes can say what moved.
    """
    rows = [(markdown(criterion.id), criterion.level, _bar(criterion)) for criterion in plan.criteria()]
    parts = (
        f"# Change notes: {markdown(words.scope_words(judgement))}",
        (
            f"The bar of this run, {markdown_code(start.run)}, is {markdown_code(judgement.plan)} under "
            f"{markdown_code(judgement.rules)}. There is no earlier gate to compare with."
        ),
        f"## The bar: {counted(len(rows), 'criterion', 'criteria')}",
        table(("criterion", "level", "what it asks"), rows),
    )
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Make a table of cells that are Markdown already; a bar in a cell must be escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell or ' ' for cell in cells)} |" for cells in lines)


def limit_cells(limit: LimitVerdict) -> tuple[str, str, str, str]:
    """Figure, limit, samples and margin of a limit as cells of a table."""
    figures = figures_of(limit)
    figure = counts_of(limit) or ", bound ".join(part for part in (figures.value, figures.bound) if part)
    samples = figures.samples.removeprefix("n=")
    if limit.warm_up:
        samples += f" + {limit.warm_up} warm-up"
    if limit.failed and not counts_of(limit):
        samples += f", {grouped(limit.failed)} failed"
    return markdown(figure), markdown_code(limit.limit), samples, markdown(figures.margin)


def _opening(judgement: Judgement, start: BundleStart) -> str:
    head = f"# {words.overall_words(judgement)}: {markdown(words.scope_words(judgement))}"
    rows = [
        *((f"{markdown(words.stage_words(stage.id))}", _stage(judgement, stage.id)) for stage in judgement.stages),
        ("verdicts", markdown(words.count_words(judgement.criteria))),
        ("owed", markdown(words.debt_words(judgement.debts))),
        ("target", markdown(words.target_words(start))),
        ("profile", markdown_code(start.profile.name)),
        ("run", markdown_code(start.run)),
        ("bar", f"{markdown_code(judgement.plan)} under {markdown_code(judgement.rules)}"),
        (
            "standing",
            f"{markdown(words.standing_words(judgement, start))}; signed: {judgement.signed}; log: {judgement.log}",
        ),
    ]
    warning = f"> **What-if:** {markdown(judgement.watermark)}. It can never be signed." if judgement.watermark else ""
    killed = f"> **Recovered:** {markdown(judgement.recovered)}." if judgement.recovered else ""
    return "\n\n".join(part for part in (head, warning, killed, table(("", ""), rows)) if part)


def _stage(judgement: Judgement, name: str) -> str:
    stage = next(one for one in judgement.stages if one.id == name)
    decision = "no decision" if judgement.partial else words.decision_words(stage.decision)
    weakest = f"; weakest link {markdown(stage.weakest)}" if stage.weakest else ""
    return f"**{decision}**{weakest}"


def _gate(gate: GateDecision, judgement: Judgement, plan: Plan, cards: words.Cards) -> str:
    verdicts = {one.id: one for one in judgement.criteria if one.gate == gate.id}
    rows = [
        row
        for name in words.criterion_ids(judgement, plan)
        if name.partition(".")[0] == gate.id
        for row in _rows(name, verdicts.get(name), words.control_of(name, plan), judgement.target)
    ]
    return "\n\n".join((*_gate_head(gate, cards, verdicts.values()), table(_HEAD, rows)))


def _gate_head(gate: GateDecision, cards: words.Cards, verdicts: Iterable[CriterionVerdict]) -> Iterable[str]:
    source = cards.gate(gate.id).source
    yield f"## {markdown(f'{gate.id} {gate.title}')}: {words.decision_words(gate.decision)}"
    told = [
        words.count_words(verdicts),
        f"owner {gate.owner}" if gate.owner else "",
        f"criteria in {source}" if source else "",
    ]
    yield markdown("; ".join(part for part in told if part))
    if gate.capped:
        yield f"Capped at CONDITIONAL GO: {markdown('; '.join(gate.capped))}"


def _rows(name: str, verdict: CriterionVerdict | None, control: Control | None, target: str) -> list[tuple[str, ...]]:
    if verdict is None:
        return [(markdown(name), "**no verdict**", *[""] * 4, "registered in the bar, missing from the judgement")]
    limits = words.by_concern(verdict.limits)
    said = [
        "" if verdict.verdict is Verdict.PASS else words.reason_words(verdict, beside=limits),
        ", ".join(verdict.qualifiers),
        f"under {control.fault}, where it must {control.verdict}" if control else "",
        words.attempt_words(verdict),
    ]
    word = markdown(words.verdict_words(verdict, target))
    shown = word if verdict.verdict is Verdict.PASS else f"**{word}**"
    first = limit_cells(limits[0]) if limits else ("", "", "", "")
    rows: list[tuple[str, ...]] = [(markdown(name), shown, *first, _beside(said, limits[0] if limits else None))]
    return rows + [("", limit.verdict.value, *limit_cells(limit), _beside((), limit)) for limit in limits[1:]]


def _beside(said: Sequence[str], limit: LimitVerdict | None) -> str:
    noted = (words.place_words(limit), limit.note) if limit else ()
    return "; ".join(markdown(part) for part in (*said, *noted) if part)


def _debts(judgement: Judgement, plan: Plan, cards: words.Cards) -> str:
    if not judgement.debts:
        return "## Debts\n\nNone: nothing was left unjudged for lack of environment."
    stages = {gate.id: gate.stage for gate in judgement.gates}
    verdicts = {one.id: one for one in judgement.criteria}
    rows = []
    for debt in judgement.debts:
        one = verdicts[debt.criterion]
        rows.append(_debt(debt, cards, words.next_command(one, plan, stages.get(one.gate, ""))))
    return f"## Debts: {len(rows)}\n\n{table(_DEBT_HEAD, rows)}"


def _debt(debt: Debt, cards: words.Cards, what: tuple[str, str]) -> tuple[str, ...]:
    owner = debt.owner or cards.owner(debt.criterion)
    step, command = what
    return (
        markdown(debt.criterion),
        markdown(owner or "nobody"),
        markdown(debt.due or cards.due(debt.criterion) or "no due gate"),
        markdown_code(debt.requirement) + (" (hardware)" if debt.cause == "hardware" else ""),
        markdown(debt.evidence),
        f"{step}: {markdown_code(command)}" if step else f"{markdown_code(command)} where it is met",
    )


def _not_judged(judgement: Judgement, plan: Plan) -> str:
    listed = [one for one in judgement.criteria if one.verdict in _NOT_JUDGED]
    missing = set(words.criterion_ids(judgement, plan)) - {one.id for one in judgement.criteria}
    lines = [f"- {markdown(one.id)}: {markdown(_why_not(one, judgement.target))}" for one in listed]
    lines += [f"- {markdown(name)}: no verdict" for name in sorted(missing)]
    told = "\n".join(lines) or "Everything in scope was judged."
    partial = f"**{words.partial_words(judgement)}.**\n\n" if judgement.partial else ""
    return f"## What this run does not prove\n\n{partial}{told}"


def _why_not(verdict: CriterionVerdict, target: str) -> str:
    reason = words.reason_words(verdict)
    word = words.verdict_words(verdict, target)
    return f"{word}: {reason}" if reason else word


def _checking(judgement: Judgement, start: BundleStart, path: str) -> str:
    folder = visible(path)
    commands = f"    spiral verify {folder} --require {start.require}\n    spiral judge {folder}"
    told = (
        "The first recomputes every verdict from the raw samples of this folder and compares; it needs no network. "
        "The second writes the judgement again, byte for byte. This page is derived from the same samples and "
        f"proves nothing by itself. Signed: {judgement.signed}; log: {judgement.log}."
    )
    return f"## How to check it\n\n{commands}\n\n{told}"


def _bar(criterion: Criterion) -> str:
    asked = [markdown_code(limit.text) for limit in criterion.limits]
    most = "at most " if criterion.sequential else ""
    asked += [f"{most}{criterion.samples} samples"] if criterion.samples else []
    asked += [f"over {markdown(criterion.exposure)}"] if criterion.exposure else []
    asked += [f"confidence {markdown(criterion.confidence)}"] if criterion.confidence else []
    asked += [f"sequential, built for {markdown(criterion.sequential)}"] if criterion.sequential else []
    together = " judged together" if criterion.combine == "pooled" else " in a row"
    asked += [f"{criterion.consecutive} runs{together}"] if criterion.consecutive > 1 else []
    asked += [f"requires {markdown_code(criterion.requires)}"] if criterion.requires else []
    asked += [f"fidelity {markdown(criterion.fidelity)}"] if criterion.fidelity else []
    asked += [f"must fail under {markdown_code(criterion.control.fault)}"] if criterion.control else []
    asked += (
        [f"{markdown_code(criterion.document)} examined by {markdown(criterion.signer or '')}"]
        if criterion.document
        else []
    )
    return "; ".join(asked) or "no limit"
