"""One gate from the probes to the check of its bundle, by commands that are run and logged."""

import difflib
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_spiral.errors import UseError
from pytest_spiral.evidence.store import write_once
from pytest_spiral.model.gate import Gate
from pytest_spiral.rules.gate_files import GATE_FILES
from pytest_spiral.run.clock import instant, wall_us
from pytest_spiral.run.gates import load_gate_files
from pytest_spiral.run.phases import Phase, Phases

_SPIRAL = ("-m", "pytest_spiral.cli.main")
_NOT_SHOWN = 1


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run: the gate's id, the project's folder, where bundles go, the least decision, words for pytest."""

    gate: str
    root: Path
    reports: Path
    require: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Automated:
    """The phases, the bundle if one was opened, and the command log beside it."""

    phases: tuple[Phase, ...]
    bundle: Path | None
    log: Path

    @property
    def status(self) -> int:
        """That of the first phase that did not succeed, 0 if all did; 1 for one that was skipped or killed."""
        short = next((one for one in self.phases if not one.succeeded), None)
        if short is None:
            return 0
        return short.status if short.status is not None and short.status > 0 else _NOT_SHOWN


def find_gate(root: Path, wanted: str) -> Gate:
    """The gate of that id in the gates files below `root`; UseError where there is none."""
    gates = {gate.id: gate for file in load_gate_files(root, GATE_FILES) for gate in file.gates}
    if wanted not in gates:
        near = difflib.get_close_matches(wanted.upper(), gates, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(gates) or 'none'} below {root}."
        raise UseError(f"There is no gate {wanted!r}; {hint}")
    return gates[wanted]


def run_gate(order: Order, gate: Gate, phases: Phases) -> Automated:
    """Probe, run the gate with evidence, verify the bundle; keeps the log and gives what came of it."""
    began = instant(wall_us()).strftime("%Y%m%dT%H%M%S%fZ")
    with _interrupts_are_for_the_child():
        phases.run("probe", [sys.executable, *_SPIRAL, "doctor", "--root", str(order.root)], order.root)
        before = set(_bundles(order.reports))
        scope = ["-m", gate.stage] if gate.stage else []
        phases.run("gate", [sys.executable, "-m", "pytest", *scope, *_options(order)], order.root)
        opened = sorted(set(_bundles(order.reports)) - before)
        bundle = opened[0] if len(opened) == 1 else None
        if bundle is None:
            phases.skip("verify", f"the run has opened {len(opened)} bundles under {order.reports}, so none is its own")
        else:
            check = [sys.executable, *_SPIRAL, "verify", str(bundle), "--require", order.require]
            phases.run("verify", check, order.root)
    log = order.reports / "commands" / f"{gate.id}-{began}.json"
    log.parent.mkdir(parents=True, exist_ok=True)
    write_once(log, phases.log().encode())
    return Automated(tuple(phases.done), bundle, log)


def _options(order: Order) -> list[str]:
    given = ["--spiral-evidence", "--spiral-gates", order.gate, f"--spiral-reports={order.reports}"]
    return [*given, "--spiral-require", order.require, *order.options]


def _bundles(reports: Path) -> Iterator[Path]:
    return (start.parent for start in reports.glob("*/*/bundle.json"))


@contextmanager
def _interrupts_are_for_the_child() -> Iterator[None]:
    """Ctrl-C reaches every process of the terminal: pytest seals what it has, and this one waits to check that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
