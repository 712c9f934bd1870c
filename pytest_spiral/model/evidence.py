"""A run's evidence as values: what the bundle says, read and not yet judged."""

from collections.abc import Sequence
from typing import Any, Final, Literal

from pytest_spiral.model.attestation import Signer
from pytest_spiral.model.base import Value
from pytest_spiral.model.entry import Entry, LedgerHead
from pytest_spiral.model.examination import Examination
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.gate import GateCard, Plan
from pytest_spiral.model.launcher import Confinement, Published
from pytest_spiral.model.measurement import Measurement
from pytest_spiral.model.profile import Fact, Profile
from pytest_spiral.model.record import (
    Attached,
    ControlClosed,
    ControlOpened,
    Crash,
    Recovered,
    RunClosed,
    RunOpened,
    Stopped,
    SubjectSeen,
    TargetLost,
    Test,
)

BUNDLE_FORMAT: Final = "spiral-bundle/1"


class TargetCard(Value, frozen=True, kw_only=True):
    """The system under test as registered: name (empty: none), level, facts it states, faults it was started with."""

    name: str = ""
    fidelity: Fidelity = Fidelity.UNDECLARED
    facts: dict[str, bool | int | float | str] = {}
    faults: tuple[str, ...] = ()
    seed: int = 0


class Scope(Value, frozen=True, kw_only=True):
    """What this run set out to decide.

    `stages` and `gates` are what the options named; both empty: the gates of the selected tests. `narrowed`
    lists what kept tests out without narrowing the scope (`-k recall`, `--deselect …`, paths).
    """

    stages: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    narrowed: tuple[str, ...] = ()


class BundleStart(Value, frozen=True, kw_only=True):
    """`bundle.json`: written once, at the start. Its bytes are the first link of every journal's chain.

    `ledger` is the head of the ledger just before the run was registered there; None: it was registered nowhere.
    `inputs` has, for each input that criteria declare, the files that were there and their digests. `confinement` says how `spiral record` kept the tests from the key; None: it did not start them.
    """

    format: Literal["spiral-bundle/1"] = BUNDLE_FORMAT
    run: str
    nonce: str
    opened: int
    mode: Literal["draft", "release"] = "draft"
    plan: str
    shard: str = "1/1"
    attempt: int = 1
    target: TargetCard
    scope: Scope
    profile: Profile
    argv: tuple[str, ...]
    options: dict[str, Any] = {}
    ini: dict[str, Any] = {}
    environment: dict[str, str] = {}
    packages: dict[str, str] = {}
    git: dict[str, Any] = {}
    plugin: dict[str, str] = {}
    gates: tuple[GateCard, ...] = ()
    inputs: dict[str, dict[str, str]] = {}
    require: Literal["go", "conditional"] = "conditional"
    signer: Signer | None = None
    ledger: LedgerHead | None = None
    confinement: Confinement | None = None


class InventoryItem(Value, frozen=True, kw_only=True, gc=False):
    """A collected test: the criteria it claims, needs stated by its markers, and whether it was selected."""

    id: str
    criteria: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    selected: bool = True


class Inventory(Value, frozen=True, kw_only=True):
    """`inventory.json`: what was collected, before anything ran."""

    format: Literal["spiral-inventory/1"] = "spiral-inventory/1"
    items: tuple[InventoryItem, ...] = ()
    errors: tuple[str, ...] = ()


class Evidence(Value, frozen=True, kw_only=True):
    """All that judging may look at. Order within each tuple: process by process, then as it was written.

    `ledger` has the entries of the ledger that the run was registered in, from the first; None where there is none.
    `earlier` are attempts before this one whose samples it carries.
    """

    bundle: BundleStart
    plan: Plan
    inventory: Inventory
    tests: Sequence[Test] = ()
    measurements: tuple[Measurement, ...] = ()
    runs_opened: tuple[RunOpened, ...] = ()
    runs_closed: tuple[RunClosed, ...] = ()
    controls_opened: tuple[ControlOpened, ...] = ()
    controls_closed: tuple[ControlClosed, ...] = ()
    facts: tuple[Fact, ...] = ()
    subjects: tuple[SubjectSeen, ...] = ()
    lost: tuple[TargetLost, ...] = ()
    crashes: tuple[Crash, ...] = ()
    attached: tuple[Attached, ...] = ()
    examinations: tuple[Examination, ...] = ()
    stopped: tuple[Stopped, ...] = ()
    published: tuple[Published, ...] = ()
    recovered: Recovered | None = None
    status: Literal["finished", "interrupted", "crashed"] = "finished"
    ledger: tuple[Entry, ...] | None = None
    earlier: tuple["EarlierAttempt", ...] = ()


class EarlierAttempt(Value, frozen=True, kw_only=True):
    """What a bundle carries of an earlier attempt, so that both fill one plan: exactly what that attempt had sealed.

    `bundle` and `manifest` are the digests of its `bundle.json` and `manifest.json`. Measurements whose samples are not
    carried are left out of its evidence; `left` are the criteria that they were for.
    """

    nonce: str
    bundle: str
    manifest: str
    evidence: Evidence
    left: tuple[str, ...] = ()
