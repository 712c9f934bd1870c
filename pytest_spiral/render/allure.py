"""Results for Allure: one per criterion verdict, with its figures, its picture and its place among the gates.

Formats: Allure 2 result files, which Allure 3 reads too; `categories.json` and `environment.properties` of Allure 2;
`allurerc.mjs` of Allure 3. How a page is made of them: `docs/allure.md`.
"""

import base64
import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from pytest_spiral.model.evidence import BundleStart
from pytest_spiral.model.gate import GateCard, Plan
from pytest_spiral.model.judgement import CriterionVerdict, GateDecision, Judgement, LimitVerdict
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.render import words
from pytest_spiral.render.allurerc import ALLURERC, CATEGORIES, allurerc
from pytest_spiral.render.escape import allure, html, properties_key, properties_value
from pytest_spiral.render.figures import confidence_text, counted, counts_of, figures_of
from pytest_spiral.render.svg import can_be_drawn, render_picture

__all__ = [
    "ALLURERC",
    "CATEGORIES",
    "STATUSES",
    "CriterionResult",
    "Labels",
    "Page",
    "add_outcome_label",
    "allurerc",
    "categories",
    "claim_labels",
    "criterion_result",
    "environment_properties",
    "limits_text",
]

STATUSES: Final[Mapping[Verdict, str]] = {
    Verdict.PASS: "passed",
    Verdict.ENVIRONMENT_LIMITED: "skipped",
    Verdict.INAPPLICABLE: "skipped",
    Verdict.FAIL: "failed",
    Verdict.INCONCLUSIVE: "failed",
    Verdict.NOT_RUN: "failed",
    Verdict.INVALID: "broken",
}
"""What Allure calls each verdict; nothing but a pass is `passed`."""

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://pypi.org/project/pytest-spiral/allure")
_ROOM: Final = "&#160;&#160;"  # Allure 2 takes all styles from a description, so cells keep their distance themselves
_OWN_LABELS: Final = frozenset({"epic", "feature", "story", "owner", "severity", "outcome", "gate"})


@dataclass(frozen=True, slots=True)
class Page:
    """What all results of one run share.

    `source` is the address that a gates file's path is appended to, with its slash (empty: the path alone, as a
    relative link). `titles` gives stages a title, such as `stage_b` to `Stage B: subsystem hardening`.
    """

    judgement: Judgement
    plan: Plan
    cards: Sequence[GateCard]
    start: BundleStart
    source: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def found(self) -> words.Cards:
        """The cards, by id."""
        return words.Cards(tuple(self.cards))

    def gate(self, name: str) -> GateDecision:
        """The decision of a gate; a gate without one gets its card's title and no decision."""
        decided = (gate for gate in self.judgement.gates if gate.id == name)
        card = self.found.gate(name)
        stages = {gate.id: gate.stage for gate in self.plan.gates}
        undecided = GateDecision(id=name, title=card.title, owner=card.owner, stage=stages.get(name, ""), decision=None)
        return next(decided, undecided)

    def epic(self, stage: str) -> str:
        """What the results of a stage stand under."""
        said = words.stage_words(stage)
        return self.titles.get(stage, f"{said[:1].upper()}{said[1:]}") or "Gates"


@dataclass(frozen=True, slots=True)
class CriterionResult:
    """A result file of Allure: its name, its bytes, and the files that it points to, as (name, bytes)."""

    name: str
    content: bytes
    attachments: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels and parameters to be added to a result, as (name, value)."""

    labels: tuple[tuple[str, str], ...]
    parameters: tuple[tuple[str, str], ...] = ()


def criterion_result(  # noqa: PLR0913 - what a result says, and what is shown with it
    verdict: CriterionVerdict,
    page: Page,
    *,
    start_ms: int,
    stop_ms: int,
    transport: str = "",
    kept: Sequence[tuple[str, str, str, bytes]] = (),
) -> CriterionResult:
    """Make the result of a criterion: times in milliseconds since 1970, from the evidence.

    `kept` are files to be shown with it: what each is called, its media type, the end of its name, its bytes.

    Equal runs give equal bytes: the uuid follows from the run's nonce and the criterion's id. The history id
    follows from criterion, target, profile and transport, so that a trend never mixes machines.
    """
    identity = _uuid(page, verdict.id)
    pictures, attached = _attachments(verdict, page, kept)
    result = {
        "uuid": identity,
        "historyId": _digest(verdict.id, page.judgement.target, page.start.profile.name, transport),
        "testCaseId": _digest(verdict.id),
        "name": allure(": ".join(part for part in (verdict.id, page.found.criterion(verdict.id).promise) if part)),
        "fullName": allure(verdict.id),
        "titlePath": [page.epic(page.gate(verdict.gate).stage), _feature(page.gate(verdict.gate))],
        "status": _status(verdict),
        "statusDetails": _details(verdict, page.judgement.target),
        "stage": "finished",
        "start": start_ms,
        "stop": stop_ms,
        "descriptionHtml": _description(verdict, page),
        "labels": [{"name": name, "value": allure(value)} for name, value in _labels(verdict, page)],
        "parameters": [_parameter(*one) for one in _parameters(verdict, page, transport)],
        "links": _links(verdict, page),
        "attachments": pictures,
        "steps": [],
    }
    return CriterionResult(f"{identity}-result.json", _json(result), attached)


def claim_labels(verdicts: Iterable[CriterionVerdict], page: Page) -> Labels:
    """Say where a test stands that claims these criteria; the worst verdict is its outcome."""
    listed = sorted(verdicts, key=lambda one: words.WORST_FIRST.index(one.verdict))
    if not listed:
        return Labels(())
    own = [pair for verdict in listed for pair in _place(verdict, page)]
    outcome = ("outcome", listed[0].verdict.value)
    return Labels(tuple(dict.fromkeys([*own, outcome])), tuple(_parameters(listed[0], page, "")))


def add_outcome_label(result: Mapping[str, Any], labels: Labels) -> dict[str, Any]:
    """Return a test's own result with these labels and parameters; the argument stays as it was.

    Labels of a name that we set replace the test's own, so that it stands beside its criterion in the tree.
    """
    replaced = {name for name, _ in labels.labels} & _OWN_LABELS
    named = {name for name, _ in labels.parameters}
    kept = [dict(one) for one in result.get("labels", ()) if one.get("name") not in replaced]
    parameters = [dict(one) for one in result.get("parameters", ()) if one.get("name") not in named]
    return {
        **result,
        "labels": kept + [{"name": name, "value": allure(value)} for name, value in labels.labels],
        "parameters": parameters + [_parameter(*one) for one in labels.parameters],
    }


def environment_properties(start: BundleStart, judgement: Judgement) -> str:
    """Render `environment.properties`: what the run was, where, against which bar, and what it counts for."""
    commit = str(start.git.get("commit", "") or "unknown") + (" with changes" if start.git.get("dirty") else "")
    facts = [
        ("Decision", words.overall_words(judgement)),
        *(
            (f"Decision {words.stage_words(stage.id)}", words.decision_words(stage.decision))
            for stage in judgement.stages
        ),
        ("Owed", words.debt_words(judgement.debts)),
        ("Target", words.target_words(start)),
        ("Profile", start.profile.name),
        ("Run", start.run),
        ("Bar", f"{judgement.plan} under {judgement.rules}"),
        ("Standing", words.standing_words(judgement, start)),
        ("Signed", judgement.signed),
        ("Log", judgement.log),
        ("Commit", commit),
        *((f"Version {name}", start.packages[name]) for name in ("pytest", "pytest-spiral") if name in start.packages),
    ]
    return "".join(f"{properties_key(name)}={properties_value(value)}\n" for name, value in facts)


def categories() -> list[dict[str, Any]]:
    """Return `categories.json` of Allure 2, which sorts by status and by how the message begins."""
    return [
        {"name": name, "matchedStatuses": list(statuses), "messageRegex": f"{word}: .*"}
        for name, statuses, word in CATEGORIES
    ]


def _details(verdict: CriterionVerdict, target: str) -> dict[str, Any]:
    word = _category_word(verdict)
    said = words.verdict_words(verdict, target)
    reason = words.reason_words(verdict, beside=verdict.limits)
    figures = "; ".join(", ".join(words.limit_words(limit)) for limit in words.by_concern(verdict.limits)[:1])
    told = "; ".join(part for part in (said if said != word else "", reason, figures) if part)
    return {
        "message": allure(f"{word}: {told or 'nothing more is known'}"),
        "trace": limits_text(verdict.limits),
        "known": "waived" in verdict.qualifiers,
        "muted": False,
        "flaky": "flaky" in verdict.qualifiers,
    }


def limits_text(limits: Iterable[LimitVerdict]) -> str:
    """Write limits as a table of plain text, a line each, columns aligned; columns that say nothing are left out."""
    head, rows = _columns(limits)
    if not rows:
        return ""
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]
    return "\n".join(lines) + "\n"


_HEAD: Final = ("limit", "verdict", "value", "lower", "upper", "n", "margin", "beside it")
_BESIDE: Final = _HEAD.index("beside it")


def _columns(limits: Iterable[LimitVerdict]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows of the table of limits, without the columns in which no limit says anything."""
    rows = [_cells(limit) for limit in limits]
    used = [at for at in range(len(_HEAD)) if any(row[at] for row in rows)]
    return tuple(_HEAD[at] for at in used), [tuple(row[at] for at in used) for row in rows]


def _cells(limit: LimitVerdict) -> tuple[str, ...]:
    figures, confidence = figures_of(limit), confidence_text(limit)
    beside = [
        f"at {confidence} confidence" if confidence else "",
        counted(limit.warm_up, "warm-up sample") + " left out" if limit.warm_up else "",
        words.place_words(limit),
        *(one for one in limit.qualifiers if one not in limit.note),
        limit.note,
    ]
    cells = (
        limit.limit,
        limit.verdict.value,
        counts_of(limit) or figures.value,
        figures.lower,
        figures.upper,
        figures.samples.removeprefix("n="),
        figures.margin,
        "; ".join(part for part in beside if part),
    )
    return tuple(allure(cell) for cell in cells)


def _status(verdict: CriterionVerdict) -> str:
    """What Allure calls the verdict; an advisory criterion that was left open blocks nothing, so it is not red."""
    left_open = verdict.verdict in (Verdict.NOT_RUN, Verdict.INCONCLUSIVE)
    return "skipped" if left_open and verdict.level == "advisory" else STATUSES[verdict.verdict]


def _category_word(verdict: CriterionVerdict) -> str:
    hardware = verdict.verdict is Verdict.ENVIRONMENT_LIMITED and verdict.cause == "hardware"
    return "hardware-required" if hardware else verdict.verdict.value


def _place(verdict: CriterionVerdict, page: Page) -> list[tuple[str, str]]:
    """Where a criterion stands: stage, gate, itself; who owns it, and how much it matters."""
    gate = page.gate(verdict.gate)
    pairs = [
        ("epic", page.epic(gate.stage)),
        ("feature", _feature(gate)),
        ("story", verdict.id),
        ("gate", gate.id),
        ("owner", page.found.owner(verdict.id) or gate.owner),
        ("severity", "blocker" if verdict.level == "blocker" else "minor"),
    ]
    return [(name, value) for name, value in pairs if value]


def _labels(verdict: CriterionVerdict, page: Page) -> list[tuple[str, str]]:
    gate = page.gate(verdict.gate)
    return [
        *_place(verdict, page),
        ("parentSuite", page.epic(gate.stage)),
        ("suite", _feature(gate)),
        ("layer", "acceptance"),
        ("framework", "pytest-spiral"),
        ("outcome", verdict.verdict.value),
        *([("cause", verdict.cause)] if verdict.cause else []),
        *(("tag", tag) for tag in verdict.qualifiers),
        *([("tag", "advisory")] if verdict.level == "advisory" else []),
    ]


def _feature(gate: GateDecision) -> str:
    return allure(f"{gate.id} {gate.title}".rstrip())


def _parameters(verdict: CriterionVerdict, page: Page, transport: str) -> list[tuple[str, str]]:
    pairs = [
        ("target", page.judgement.target or "none"),
        ("profile", page.start.profile.name),
        ("transport", transport),
        ("fidelity", page.start.target.fidelity.value),
        ("needs", verdict.requirement or verdict.fidelity),
        ("faults", ", ".join(page.start.target.faults)),
    ]
    return [(name, value) for name, value in pairs if value]


def _parameter(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": allure(value)}


def _links(verdict: CriterionVerdict, page: Page) -> list[dict[str, str]]:
    card = page.found.gate(verdict.gate)
    line = page.found.criterion(verdict.id).line or card.line
    if not card.source:
        return []
    url = f"{page.source}{card.source}" + (f"#L{line}" if line else "")
    name = card.source + (f":{line}" if line else "")
    return [{"type": "link", "name": allure(name), "url": allure(url)}]


def _attachments(
    verdict: CriterionVerdict, page: Page, kept: Sequence[tuple[str, str, str, bytes]]
) -> tuple[list[dict[str, str]], tuple[tuple[str, bytes], ...]]:
    """The pictures of the limits, all their figures as JSON, what was kept: how Allure names them, and the files."""
    several = len({limit.where for limit in verdict.limits}) > 1
    under = _under(verdict, page)
    drawn = [
        (f"{under}{limit.limit}{f', {limit.where}' if several else ''}", "image/svg+xml", "svg", limit)
        for limit in verdict.limits
        if can_be_drawn(limit)
    ]
    files = [(name, kind, end, render_picture(limit, name)) for name, kind, end, limit in drawn]
    if verdict.limits:
        files.append(("limits.json", "application/json", "json", _json(msgspec.to_builtins(verdict.limits))))
    files += kept
    sources = [f"{_uuid(page, verdict.id, str(at))}-attachment.{file[2]}" for at, file in enumerate(files)]
    shown = [
        {"name": allure(name), "source": source, "type": kind}
        for source, (name, kind, _, _) in zip(sources, files, strict=True)
    ]
    return shown, tuple((source, file[3]) for source, file in zip(sources, files, strict=True))


def _description(verdict: CriterionVerdict, page: Page) -> str:
    """The page of a criterion: what came out, the figures, and what to do about it."""
    target = page.judgement.target
    reason = "" if verdict.verdict is Verdict.PASS else words.reason_words(verdict, beside=verdict.limits)
    said = words.verdict_words(verdict, target) + (f": {reason}" if reason else "")
    parts = [
        f"<p><strong>{html(said)}</strong></p>",
        _html_control(verdict, page),
        _html_table(verdict.limits),
        _html_picture(verdict.limits, _under(verdict, page)),
        _html_debt(verdict, page),
        _html_tests(verdict.tests),
    ]
    return "".join(parts)


def _html_table(limits: Sequence[LimitVerdict]) -> str:
    """The figures as a table that fits a page, and what stands beside each limit below it."""
    rows = [_cells(limit) for limit in limits]
    used = [at for at in range(_BESIDE) if any(row[at] for row in rows)]
    if not used:
        return ""
    top = "".join(f"<th>{_HEAD[at]}{_ROOM}</th>" for at in used)
    body = "".join(f"<tr>{''.join(f'<td>{html(row[at])}{_ROOM}</td>' for at in used)}</tr>" for row in rows)
    notes = "".join(f"<li>{html(row[0])}: {html(row[_BESIDE])}</li>" for row in rows if row[_BESIDE])
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return table + (f"<ul>{notes}</ul>" if notes else "")


def _under(verdict: CriterionVerdict, page: Page) -> str:
    """What stands before the limits of a control: the fault that its figures were taken under."""
    control = words.control_of(verdict.id, page.plan)
    return f"under {control.fault}: " if control else ""


def _html_control(verdict: CriterionVerdict, page: Page) -> str:
    control = words.control_of(verdict.id, page.plan)
    if control is None:
        return ""
    told = f"A control: under the fault {control.fault}, {control.of} must come out as {control.verdict}."
    return f"<p>{html(told)} The figures are those of the faulty target.</p>"


def _html_picture(limits: Sequence[LimitVerdict], under: str) -> str:
    """The picture of the limit that matters most, inside the page itself, so that it is seen at once."""
    drawn = next((limit for limit in words.by_concern(limits) if can_be_drawn(limit)), None)
    if drawn is None:
        return ""
    data = base64.b64encode(render_picture(drawn, under + drawn.limit)).decode()
    return f'<p><img alt="{html(drawn.limit)}" src="data:image/svg+xml;base64,{data}"></p>'


def _html_debt(verdict: CriterionVerdict, page: Page) -> str:
    debt = next((one for one in page.judgement.debts if one.criterion == verdict.id), None)
    if debt is None:
        return ""
    step, command = words.next_command(verdict, page.plan, page.gate(verdict.gate).stage)
    then = step.capitalize() or "Where it is met, run"
    due = f"due {debt.due}" if debt.due else "no due gate"
    told = f"<p>Owed by {html(debt.owner or 'nobody')}, {html(due)}: {html(debt.requirement)}. {html(then)}</p>"
    probed = "" if debt.evidence == verdict.sentence else "\n".join(map(html, debt.evidence.splitlines()))
    shown = f"<p>What the probe said:</p><pre>{probed}</pre>" if probed else ""
    return f"{told}<pre>{html(command)}</pre>{shown}"


def _html_tests(tests: Sequence[str]) -> str:
    if not tests:
        return ""
    return f"<p>Claimed by</p><ul>{''.join(f'<li><code>{html(test)}</code></li>' for test in tests)}</ul>"


def _uuid(page: Page, *names: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, json.dumps([page.start.nonce, *names])))


def _digest(*names: str) -> str:
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:32]


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode()
