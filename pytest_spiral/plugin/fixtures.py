"""The fixtures. One to learn: `spiral`; beside it the profile and the transports."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_spiral.plugin.keys import PROCESS

if TYPE_CHECKING:
    from pytest_spiral.model.exchange import Exchange, Request
    from pytest_spiral.model.parity import LatencyParity, LoadParity
    from pytest_spiral.model.profile import Fact
    from pytest_spiral.plugin.process import Process
    from pytest_spiral.profiles.declared import Checked
    from pytest_spiral.run.compare import Compared
    from pytest_spiral.run.measure import Measure
    from pytest_spiral.run.recorder import TestRecorder
    from pytest_spiral.run.target import Target
    from pytest_spiral.transports.base import Transport

_MEDIA_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".txt": "text/plain",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".prom": "text/plain",
}


class Spiral:
    """What a test holds: it measures, opens runs and controls, attaches files, reaches the target."""

    def __init__(self, process: "Process", recorder: "TestRecorder") -> None:
        self._process = process
        self._recorder = recorder

    def measure(self, name: str, unit: str = "", planned: int | None = None) -> "AbstractContextManager[Measure]":
        """Open the measurement `name`, in `unit`: `with spiral.measure("search", unit="ms") as m:`.

        `planned` announces how many samples will come (default: what the criterion's plan asks for). Raises
        MeasurementError for a name that no limit of the claimed criteria names, for a unit that does not convert,
        and for the same name twice in one run block.
        """
        return self._recorder.measure(name, unit, planned)

    def rehearsal(self) -> AbstractContextManager[str]:
        """Open a run block: what is measured inside is one of the runs that `consecutive` counts."""
        return self._recorder.rehearsal()

    @contextmanager
    def control(self) -> "Generator[Target]":
        """Start a second target with the control's fault; what is measured inside must make the guarded criterion fail."""
        with self._recorder.controlled() as criterion:
            rule = criterion.control
            if rule is None:
                raise AssertionError("a control block belongs to a criterion with a control")
            with self._process.rig.second((rule.fault,), criterion.id) as target:
                yield target

    @contextmanager
    def second_target(self) -> "Generator[Target]":
        """Start a second target without faults, to compare the first one with."""
        with self._process.rig.second((), "") as target:
            yield target

    def attach(self, source: Path | bytes | str, name: str = "", media_type: str = "") -> None:
        """Keep a file (a path) or a content (bytes, text) in the bundle under a clean name.

        Of more than 1 GiB the first 1 GiB is kept, and how much was left out is recorded.
        """
        shown = name or (source.name if isinstance(source, Path) else "attachment.txt")
        writer = self._process.writer
        if writer is None:
            return
        from pytest_spiral.rules.paths import clean_segment

        suffix = Path(shown).suffix
        path = f"attachments/{clean_segment(f'{writer.process}-{writer.number()}-{shown}')}"
        writer.attach(
            path,
            source.encode() if isinstance(source, str) else source,
            name=shown,
            media_type=media_type or _MEDIA_TYPES.get(suffix, "application/octet-stream"),
            test=self._recorder.test,
            criteria=tuple(one.id for one in self._recorder.claimed),
        )

    def compare(
        self,
        rest: "Exchange",
        grpc: "Exchange",
        item: str = "",
        *,
        effects: "tuple[Mapping[str, int], Mapping[str, int]]" = ({}, {}),
    ) -> "Compared":
        """Compare two calls that the target's transports made by `traced(request)`: REST's first, then gRPC's.

        `effects` are counts of what each call changed, as the suite saw them. The bundle keeps both exchanges and the
        comparison. `feed(rest, grpc)` of the result says to two measurements what each side said. Raises TargetLostError
        where a side did not answer because it is gone: that is no difference.
        """
        from pytest_spiral.run.compare import compare

        if rest.reply is None or grpc.reply is None:
            self._process.rig.check_there()
        return compare(self._process.rig.traces, (rest, grpc), item, effects)

    def compare_latency(
        self,
        pairs: "Iterable[tuple[Exchange, Exchange]]",
        item: str,
        *,
        margin: str,
        confidence: str = "0.95",
    ) -> "LatencyParity":
        """Judge by two one-sided tests on interleaved pairs (REST, gRPC) that both take as long, within ± `margin`."""
        from pytest_spiral.run.compare import compare_latency

        return compare_latency(self._process.rig.traces, pairs, item=item, margin=margin, confidence=confidence)

    def compare_load(
        self,
        component: str,
        request: "Callable[[int], Request]",
        item: str,
        *,
        ways: "Sequence[str]" = ("rest", "grpc", "fallback"),
        **plan: Any,
    ) -> "LoadParity":
        """Judge that a load which mixes these ways to a component is no slower than REST alone.

        `request(i)` gives call i. `plan` is `calls`, `every_ms`, `margin`, and, where the defaults do not suit, `quantile`,
        `confidence`, `blocks`, `workers`: see `run.load`. Bounded; what was measured is in the bundle.
        """
        from pytest_spiral.run.load import compare_load

        subject = getattr(self._process.rig.target, component)
        with subject.fallback() as fallback:
            open_ways = {"rest": subject.transport("rest"), "grpc": subject.transport("grpc"), "fallback": fallback}
            load = compare_load({name: open_ways[name] for name in ways}, request, item=item, **plan)
        self._process.rig.traces.loaded(component, load)
        return load

    def blocked(self, why: str) -> NoReturn:
        """Say that what this test needs of its subject does not work: the test is blocked, its criteria not-run."""
        from pytest_spiral.plugin.running import Blocked

        raise Blocked(f"blocked: {why}")

    @property
    def target(self) -> "Target":
        """The system under test, started on first use."""
        return self._process.rig.target

    @property
    def items(self) -> int:
        """How many items a load proof stores (`--spiral-items`)."""
        return self._process.options.items

    @property
    def seed(self) -> int:
        """The run's seed (`--spiral-seed`)."""
        return self._process.options.seed


class HardwareProfile:
    """What this machine is: `hardware_profile["memory"]` is a fact with its evidence."""

    def __init__(self, process: "Process") -> None:
        self._process = process

    def __getitem__(self, name: str) -> "Fact":
        return self._process.fact(name)

    def holds(self, requirement: str) -> bool:
        """Whether a requirement expression is met here; unknown counts as not met."""
        return self._process.judge_requirement(requirement).met

    def validate(self) -> "tuple[Checked, ...]":
        """Hold this machine against its declared profile: the facts, then each environment check, with its evidence.

        Without a declared profile (`--spiral-profile`) the test is blocked.
        """
        declared = self._process.declared
        if declared is None:
            from pytest_spiral.plugin.running import Blocked

            raise Blocked("blocked: no profile is declared; name one with --spiral-profile or the ini spiral_profile")
        from pytest_spiral.profiles.declared import validate

        return validate(declared, self._process.facts_of(declared))


def _process(request: pytest.FixtureRequest) -> "Process":
    process = request.config.stash.get(PROCESS, None)
    if process is None:
        raise pytest.UsageError(
            "this test uses pytest-spiral, and no gates file was found under "
            f"{request.config.rootpath}. Remedy: run `spiral init`, or set the ini `spiral_gate_files`."
        )
    return process


@pytest.fixture
def spiral(request: pytest.FixtureRequest) -> Spiral:
    """Measure, rehearse, control, attach, and reach the target."""
    from pytest_spiral.plugin.claims import claim_of
    from pytest_spiral.run.recorder import TestRecorder

    process = _process(request)
    recorder = TestRecorder(
        test=request.node.nodeid,
        claimed=claim_of(request.node).criteria,
        plan=process.plan,
        keeper=process.keeper,
        process=process.name,
        number=process.number,
        calls=process.calls,
    )
    return Spiral(process, recorder)


@pytest.fixture
def hardware_profile(request: pytest.FixtureRequest) -> HardwareProfile:
    """What this machine is, each fact probed once and with its raw evidence."""
    return HardwareProfile(_process(request))


Open = Callable[..., "Transport"]


def _opener(request: pytest.FixtureRequest, kind: Any) -> Open:
    process = _process(request)

    def open_to(component: str, service: str = "", *, fresh: bool = False) -> "Transport":
        subject = getattr(process.rig.target, component)
        transport: Transport = subject.transport(kind, service, fresh=fresh)
        return transport

    return open_to


@pytest.fixture
def rest_transport(request: pytest.FixtureRequest) -> Open:
    """Opens REST to a component of the target: `rest_transport("memory")`, `rest_transport("connectors", "operator_api")`."""
    return _opener(request, "rest")


@pytest.fixture
def grpc_transport(request: pytest.FixtureRequest) -> Open:
    """Opens gRPC to a component of the target: `grpc_transport("memory")`."""
    return _opener(request, "grpc")


@pytest.fixture(params=["rest", "grpc"])
def transport(request: pytest.FixtureRequest) -> Open:
    """Runs the test once over REST and once over gRPC: `transport("memory")`."""
    return _opener(request, request.param)
