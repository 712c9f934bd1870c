"""The boot component: what the operator of the rig can ask of the supervisor.

run     boot the system so many times, several at a time; publishes boot_metrics.prom, gives a line for each boot
boot    boot it once, from any manifest; what each component wrote comes with it
drill   boot the drills' manifest once with a fault in one component; gives the outcome and the policy's time limit
faults  which faults a drill can have
"""

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spiral_sandbox.boot.flaws import ALWAYS, FLAWS, Flaw
from spiral_sandbox.boot.manifest import Manifest, load_manifest
from spiral_sandbox.boot.metrics import figures, publish
from spiral_sandbox.boot.record import BootLog
from spiral_sandbox.boot.seats import Report
from spiral_sandbox.boot.stamp import wall_ns
from spiral_sandbox.boot.starting import Warden
from spiral_sandbox.boot.supervisor import Boot, together
from spiral_sandbox.errors import SandboxError, UnknownOperationError

if TYPE_CHECKING:
    from spiral_sandbox.component import Context

HERE = Path(__file__).parent
STRUCK = "fabric"
"""The component that a fault plan of the target is put into. It has no standby."""

_NONCE = re.compile(r"[0-9a-f]{16,64}")
MOST_BOOTS, MOST_AT_ONCE, AT_ONCE = 10_000, 64, 4


def build(context: "Context") -> "BootService":
    """The boot component for a context; ValueError for a fault that it does not have."""
    return BootService(context.folder, context.faults)


class BootService:
    """The supervisor's operations. Boots of different requests may run side by side."""

    version = "1.0.0"

    def __init__(self, folder: Path, faults: frozenset[str]) -> None:
        names = {name.partition(".")[2] for name in faults}
        self._stale_metrics = "stale-metrics" in names
        self._failover = "no-failover" not in names
        self._flaws = tuple(
            Flaw(name, STRUCK, _struck(name)) for name in sorted(names - {"stale-metrics", "no-failover"})
        )
        if len(self._flaws) > 1:
            raise ValueError("a boot has one fault at a time")
        self._folder = folder.resolve()
        self._core, self._drills = load_manifest(HERE / "core.toml"), load_manifest(HERE / "drills.toml")
        self._warden: Warden | None = None
        self._count = 0
        self._operations: dict[str, Callable[..., Awaitable[Any]]] = {
            "run": self._run,
            "boot": self._boot,
            "drill": self._drill,
            "faults": self._list_faults,
        }

    @property
    def facts(self) -> dict[str, str]:
        """The mark by which the system shows every process that this supervisor has started."""
        return {"boot.mark": self._warden.mark if self._warden else ""}

    async def start(self) -> dict[str, dict[str, object]]:
        """Start the warden. Nothing is served: the supervisor is asked by the rig alone."""
        _need_proc()
        for name in ("logs", "boots", "monitoring"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        self._warden = await Warden.open(self._folder / "warden.txt")
        return {}

    async def handle(self, op: str, args: dict[str, Any]) -> Any:
        """Do one operation and return plain JSON; UnknownOperationError, ManifestError, ValueError, TypeError."""
        if op not in self._operations:
            raise UnknownOperationError(f"The boot has no operation {op!r}; it has {', '.join(self._operations)}.")
        return await self._operations[op](**args)

    async def stop(self) -> None:
        """End whatever runs."""
        warden, self._warden = self._warden, None
        if warden is not None:
            await warden.close()

    async def _run(self, *, boots: int, at_once: int = AT_ONCE, run: str = "") -> dict[str, Any]:
        """A run of `boots` boots of the system, `at_once` of them side by side."""
        if not 1 <= boots <= MOST_BOOTS or not 1 <= at_once <= MOST_AT_ONCE:
            raise ValueError(f"a run has 1 to {MOST_BOOTS} boots, 1 to {MOST_AT_ONCE} at once")
        run = run or uuid.uuid4().hex
        began = wall_ns()
        room = asyncio.Semaphore(at_once)
        flaw = self._flaws[0] if self._flaws else None
        with closing(self._open_log(run, began, self._core, boots)) as log:

            async def one(number: int) -> Report:
                async with room:
                    return await self._make(self._core, log, number, flaw=flaw).run()

            reports = await together(one(number) for number in range(1, boots + 1))
        metrics = self._folder / "monitoring" / "boot_metrics.prom"
        if not (self._stale_metrics and metrics.exists()):
            publish(metrics, run, figures(reports, began))
        return {
            "run": run,
            "log": str(log.path),
            "metrics": str(metrics),
            "boots": [_line(report) for report in reports],
        }

    async def _boot(self, *, nonce: str = "", manifest: str = "") -> dict[str, Any]:
        """One boot without any fault of the target: of the system, or of the manifest in a file."""
        if nonce and not _NONCE.fullmatch(nonce):
            raise ValueError(f"a nonce is 16 to 64 hexadecimal digits, not {nonce!r}")
        chosen = load_manifest(Path(manifest)) if manifest else self._core
        run = uuid.uuid4().hex
        with closing(self._open_log(run, wall_ns(), chosen, 1)) as log:
            boot = self._make(chosen, log, 1, nonce=nonce)
            report = await boot.run()
        started = {seat.part.name: seat.pid for seat in report.seats if seat.pid}
        return {"run": run, "log": str(log.path), **_line(report), "started": started, "written": boot.logs()}

    async def _drill(self, *, fault: str, component: str, attempts: int = ALWAYS) -> dict[str, Any]:
        """One boot of the drills' manifest with a fault in the first `attempts` attempts of one component."""
        if component not in {part.name for part in self._drills.parts}:
            raise ValueError(f"{component!r} is no component of the drills")
        run = uuid.uuid4().hex
        flaw = Flaw(fault, component, attempts)
        with closing(self._open_log(run, wall_ns(), self._drills, 1)) as log:
            report = await self._make(self._drills, log, 1, flaw=flaw).run()
        stops = sum(part.stop_within_s for part in self._drills.parts)
        return {"run": run, "log": str(log.path), **_line(report), "limit_s": self._drills.limit_s(component) + stops}

    async def _list_faults(self) -> list[str]:
        return list(FLAWS)

    def _open_log(self, run: str, began: int, manifest: Manifest, boots: int) -> BootLog:
        head = {"run": run, "at": began, "manifest": manifest.name, "digest": manifest.digest, "boots": boots}
        return BootLog(self._folder / "logs" / f"{run}.jsonl", {**head, "warden": self._warden_now().pid})

    def _make(
        self, manifest: Manifest, log: BootLog, number: int, *, nonce: str = "", flaw: Flaw | None = None
    ) -> Boot:
        nonce = nonce or uuid.uuid4().hex
        self._count += 1
        folder = self._folder / "boots" / f"{self._count}-{nonce[:16]}"
        folder.mkdir()
        return Boot(manifest, self._warden_now(), log, folder, number, nonce, flaw, self._failover)

    def _warden_now(self) -> Warden:
        if self._warden is None:
            raise SandboxError("The boot was stopped, so nothing can be started any more.")
        return self._warden


def _need_proc() -> None:
    if not Path("/proc/self/environ").exists():
        raise SandboxError("The boot looks for what it left behind in /proc, and there is none here; use Linux.")


def _struck(name: str) -> int:
    """In how many attempts a fault of the target is: a dead component stays dead, whatever else is over at a retry."""
    return ALWAYS if name == "dead-but-healthy" else 1


def _line(report: Report) -> dict[str, Any]:
    return {
        "boot": report.number,
        "nonce": report.nonce,
        "outcome": report.outcome,
        "reason": report.reason,
        "first_attempt": report.at_first_attempt,
        "retries": report.retries,
        "took_ms": report.took_ns / 1e6,
        "strays": list(report.strays),
        "components": {
            seat.name: {"outcome": seat.outcome, "by": seat.part.name, "attempts": seat.tries} for seat in report.seats
        },
    }
