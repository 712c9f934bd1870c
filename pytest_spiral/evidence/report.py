"""What verification found, step by step: a value that other steps are added to."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from pytest_spiral.evidence.state import State
from pytest_spiral.model.base import Value
from pytest_spiral.rules.integrity import REASONS, STEPS, Finding

StepState = Literal["held", "found", "not-checked", "cannot-tell"]
Outcome = Literal["sound", "unsealed", "untrusted"]


class StepReport(Value, frozen=True, kw_only=True):
    """How one step came out. `note` says why where it was not checked, or what was looked at."""

    step: int
    name: str
    state: StepState = "not-checked"
    note: str = ""


class Report(Value, frozen=True, kw_only=True):
    """All steps and all findings, and how much was read.

    `manifest` is the digest of manifest.json (empty: none). `walls` has, for each process, the earliest and latest
    wall time of its records, in microseconds.
    """

    state: State
    run: str = ""
    manifest: str = ""
    steps: tuple[StepReport, ...] = tuple(StepReport(step=step, name=name) for step, name in STEPS.items())
    findings: tuple[Finding, ...] = ()
    files: int = 0
    bytes: int = 0
    records: int = 0
    tests: int = 0
    samples: int = 0
    walls: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)

    def with_step(
        self, step: int, findings: Sequence[Finding] = (), *, state: StepState = "held", note: str = ""
    ) -> "Report":
        """This report with a step done: `found` where there are findings, else as `state` says.

        Findings of other steps may be among them: each marks its own step. ValueError for a step that is none.
        """
        if step not in STEPS:
            raise ValueError(f"there is no step {step}")
        marked = {one.step for one in findings}
        steps = []
        for known in self.steps:
            now, said = (state, note) if known.step == step else (known.state, known.note)
            if known.step in marked:
                now = "found"
            steps.append(StepReport(step=known.step, name=known.name, state=now, note=said))
        kept = tuple(sorted([*self.findings, *findings], key=lambda one: one.step))
        return msgspec.structs.replace(self, steps=tuple(steps), findings=kept)

    def checked(self, step: int) -> StepReport:
        """How that step came out; KeyError for a step that is none."""
        return {one.step: one for one in self.steps}[step]

    @property
    def outcome(self) -> Outcome:
        """`untrusted`: something does not add up. `unsealed`: nothing but that the run was never sealed."""
        if any(not _is_unsealed(one) for one in self.findings):
            return "untrusted"
        return "sound" if self.state == "sealed" else "unsealed"


def _is_unsealed(found: Finding) -> bool:
    reason = REASONS.get(found.code)
    return reason is not None and reason.unsealed
