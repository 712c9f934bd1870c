"""Command line and ini: the table of options as data, and their values as one frozen value."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_spiral.rules.gate_files import GATE_FILES
from pytest_spiral.rules.launched import LAUNCHER

GROUP = "spiral"
TITLE = "release evidence (pytest-spiral)"
_KEPT_ENVIRONMENT = (
    "CI", "GITHUB_ACTIONS", "GITHUB_RUN_ID", "GITHUB_SHA", "GITHUB_REF", "RUNNER_OS", "LANG", "LC_ALL", "TZ",
    "PYTHONHASHSEED", "PYTEST_ADDOPTS", "PYTHONSAFEPATH",
)  # fmt: skip

_LAUNCHERS = {"--spiral-key": "--key", "--spiral-reports": "--reports", "--spiral-ledger": "--ledger"}
_TIME = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smh])")
_TIMES = {"s": 1, "m": 60, "h": 3600}
_SHORTEST_NS = 1_000_000_000

_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--spiral-evidence", {
        "action": "store_true",
        "help": "Record this run, judge the gates in scope, and seal the evidence in a bundle. In scope are all gates "
        "of the stages named in -m (as in -m stage_b), else the gates of the selected tests and those of nothing but "
        "documents that people examine. "
        "Without this option requirements are honoured and nothing is judged or written.",
    }),
    ("--spiral-target", {
        "metavar": "NAME", "default": None,
        "help": "The system under test, by name: `sandbox`, or another installed target (ini spiral_target).",
    }),
    ("--spiral-require", {
        "choices": ("go", "conditional"), "default": None,
        "help": "Exit with status 1 unless the decision is at least this (ini spiral_require, default conditional, "
        "and go for a release run).",
    }),
    ("--spiral-gates", {
        "metavar": "B1,B3", "default": None,
        "help": "Narrow scope and tests to these gates. Unlike -k this still decides.",
    }),
    ("--spiral-reports", {
        "metavar": "DIR", "default": None,
        "help": "Folder for the bundles (ini spiral_reports, default reports).",
    }),
    ("--spiral-ledger", {
        "metavar": "WHERE", "default": None,
        "help": "Register this run in a ledger: a file, git:refs/spiral/ledger, or git:REMOTE:refs/spiral/ledger "
        "(ini spiral_ledger).",
    }),
    ("--spiral-ledger-force", {
        "action": "store_true",
        "help": "Write to a ledger file although the file system is not proven to keep locks. The ledger then says so.",
    }),
    ("--spiral-release", {
        "action": "store_true",
        "help": "A release run: records and judges as --spiral-evidence, counts as an attempt in the ledger, and is judged "
        "among the earlier ones. Refuses a changed tree, -k, --deselect, gates without tests; requires GO unless told else.",
    }),
    ("--spiral-key", {
        "metavar": "FILE", "default": None,
        "help": "Sign the evidence with this Ed25519 key, as a job (ini spiral_key). `spiral key new` makes one.",
    }),
    ("--spiral-profile", {
        "metavar": "NAME", "default": None,
        "help": "What this machine is declared to be: profiles/NAME.toml (ini spiral_profile). One that does not match "
        "stops the run before the first test.",
    }),
    ("--spiral-fault", {
        "metavar": "PLAN", "action": "append", "default": [],
        "help": "Start the target with this fault, such as memory.fail-1-in-100; may be repeated. "
        "For seeing a gate fail.",
    }),
    ("--spiral-items", {
        "metavar": "N", "type": int, "default": None,
        "help": "How many items the load proof stores (ini spiral_items, default 10000).",
    }),
    ("--spiral-seed", {
        "metavar": "N", "type": int, "default": None,
        "help": "Seed of the target's data and faults (ini spiral_seed, default 1).",
    }),
    ("--spiral-stall", {
        "metavar": "10m", "default": None,
        "help": "End and seal the run where no process has recorded anything for so long, and name the test that runs "
        "(ini spiral_stall, default: wait for ever).",
    }),
    ("--spiral-deadline", {
        "metavar": "25m", "default": None,
        "help": "End and seal the run when it has taken so long, before somebody kills it (ini spiral_deadline).",
    }),
)  # fmt: skip

_INI: tuple[tuple[str, str, Any, str], ...] = (
    ("spiral_gate_files", "args", list(GATE_FILES), "Globs, relative to the root folder, that find the gates files."),
    ("spiral_target", "string", "", "Default of --spiral-target."),
    ("spiral_require", "string", "", "Default of --spiral-require: go or conditional."),
    ("spiral_ledger", "string", "", "Default of --spiral-ledger, relative to the root folder."),
    ("spiral_ledger_publish", "string", "", "Command that gives the ledger's head to a witness, before collection."),
    ("spiral_reports", "string", "reports", "Default of --spiral-reports, relative to the root folder."),
    ("spiral_key", "string", "", "Default of --spiral-key, relative to the root folder."),
    ("spiral_profile", "string", "", "Default of --spiral-profile."),
    ("spiral_profiles", "string", "profiles", "Folder of the declared profiles, relative to the root folder."),
    ("spiral_items", "string", "10000", "Default of --spiral-items."),
    ("spiral_seed", "string", "1", "Default of --spiral-seed."),
    ("spiral_stall", "string", "", "Default of --spiral-stall."),
    ("spiral_deadline", "string", "", "Default of --spiral-deadline."),
    ("spiral_secrets", "args", [], "Names of environment variables whose values must never be written."),
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for, command line before ini. `gates` is empty where no gate was named.

    `stall` and `deadline` are nanoseconds, 0 where there is none. `launcher` is the socket of `spiral record`, empty
    where that did not start the session: then `ledger`, `publish` and `key` say what the configuration asks for.
    """

    evidence: bool
    release: bool
    ledger: str
    forced: bool
    target: str
    require: str
    gates: tuple[str, ...]
    reports: str
    key: str
    faults: tuple[str, ...]
    items: int
    seed: int
    gate_files: tuple[str, ...]
    secrets: tuple[str, ...]
    stall: int = 0
    deadline: int = 0
    publish: str = ""
    launcher: str = ""
    profile: str = ""
    profiles: str = "profiles"

    def named(self) -> dict[str, Any]:
        """The options that shape a run, by name, for the bundle."""
        return {
            "target": self.target,
            "require": self.require,
            "gates": list(self.gates),
            "faults": list(self.faults),
            "profile": self.profile,
            "release": self.release,
            "ledger": self.ledger,
            "items": self.items,
            "seed": self.seed,
        }


def add_options(parser: pytest.Parser) -> None:
    """Register every option and ini key."""
    group = parser.getgroup(GROUP, TITLE)
    for flag, settings in _OPTIONS:
        group.addoption(flag, **settings)
    for name, kind, default, text in _INI:
        parser.addini(name, text, type=kind, default=default)  # type: ignore[arg-type]


def is_wanted(config: pytest.Config) -> bool:
    """Whether there is anything to do: evidence or a profile is asked for, or there is a gates file. Imports nothing heavy."""
    asked = ("--spiral-evidence", "--spiral-release", "--spiral-profile")
    if any(config.getoption(option) for option in asked) or launcher_of(config):
        return True
    return any(next(config.rootpath.glob(pattern), None) for pattern in config.getini("spiral_gate_files"))


def launcher_of(config: pytest.Config) -> str:
    """The socket of `spiral record`, where that has started this session; an xdist worker gets it from its controller."""
    given = getattr(config, "workerinput", None)
    return str(given.get(LAUNCHER, "")) if given is not None else os.environ.get(LAUNCHER, "")


def leave_launcher() -> None:
    """Take the socket out of the environment: a session that a test starts is another one."""
    os.environ.pop(LAUNCHER, None)


def read_options(config: pytest.Config) -> Options:
    """The values in force; raises pytest.UsageError with one sentence for one that cannot be."""
    launcher = launcher_of(config)
    for option, word in _LAUNCHERS.items():
        if launcher and config.getoption(option) is not None:
            raise pytest.UsageError(f"{option} is for spiral record to know: write spiral record {word} … -- pytest ….")
    release = bool(config.getoption("--spiral-release"))
    require = config.getoption("--spiral-require") or config.getini("spiral_require")
    require = require or ("go" if release else "conditional")
    if require not in ("go", "conditional"):
        raise pytest.UsageError(f"spiral_require is {require!r}; use go or conditional.")
    target = _first(config.getoption("--spiral-target"), config.getini("spiral_target"))
    faults = tuple(config.getoption("--spiral-fault"))
    if faults and not target:
        raise pytest.UsageError(f"--spiral-fault {faults[0]} needs a target to be put into. Remedy: --spiral-target.")
    return Options(
        evidence=release or bool(launcher) or bool(config.getoption("--spiral-evidence")),
        release=release,
        ledger=_first(config.getoption("--spiral-ledger"), config.getini("spiral_ledger")),
        forced=bool(config.getoption("--spiral-ledger-force")),
        target=target,
        require=require,
        gates=_listed("--spiral-gates", config.getoption("--spiral-gates")),
        reports=_folder(_first(config.getoption("--spiral-reports"), config.getini("spiral_reports"))),
        key=_key(config),
        faults=faults,
        items=_whole(config, "items", 1),
        seed=_whole(config, "seed", 0),
        gate_files=tuple(config.getini("spiral_gate_files")),
        secrets=secret_values(config.getini("spiral_secrets")),
        stall=_time(config, "stall"),
        deadline=_time(config, "deadline"),
        publish=str(config.getini("spiral_ledger_publish")),
        launcher=launcher,
        profile=_first(config.getoption("--spiral-profile"), config.getini("spiral_profile")),
        profiles=str(config.getini("spiral_profiles")),
    )


def names_target(config: pytest.Config) -> bool:
    """Whether the command line names a target or a fault, so that a name which is none is told at once."""
    return bool(config.getoption("--spiral-target") or config.getoption("--spiral-fault"))


def names_profile(config: pytest.Config) -> bool:
    """Whether the command line says what this machine is, so that it is compared even where nothing is recorded."""
    return bool(config.getoption("--spiral-profile"))


def kept_environment() -> dict[str, str]:
    """The environment variables that a bundle keeps: an allow list, so that no secret can slip in."""
    return {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}


def wants_annotations() -> bool:
    """Whether a CI runner reads workflow commands from what is printed."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def stages_named(config: pytest.Config, stages: Iterable[str]) -> tuple[str, ...]:
    """The stages that `-m` names positively: true of the stage's marker alone, and false of none."""
    text = str(config.getoption("markexpr") or "")
    if not text:
        return ()
    from _pytest.mark.expression import Expression

    words = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text))
    try:
        expression = Expression.compile(text)
    except SyntaxError as error:
        raise pytest.UsageError(f"Wrong expression passed to '-m': {text}: {error.msg}") from error

    def holds(name: str) -> bool:
        return expression.evaluate(lambda word, /, **_: word == name)

    if holds(""):
        return ()
    return tuple(stage for stage in sorted(set(stages) & words) if holds(stage))


def _first(given: str | None, default: str) -> str:
    return given if given is not None else default


def _listed(option: str, text: str | None) -> tuple[str, ...]:
    listed = tuple(dict.fromkeys(one.strip() for one in (text or "").split(",") if one.strip()))
    if text is not None and not listed:
        raise pytest.UsageError(f"{option} names nothing; write it like {option} B1,B3, or leave it out.")
    return listed


def _folder(text: str) -> str:
    if not text.strip():
        raise pytest.UsageError("--spiral-reports names no folder; write it like --spiral-reports reports.")
    return text


def _key(config: pytest.Config) -> str:
    """The key's file, or empty. A key that is named for a run which signs nothing is a mistake that is told."""
    given = config.getoption("--spiral-key")
    if given is None:
        return str(config.getini("spiral_key"))
    if not given.strip():
        raise pytest.UsageError("--spiral-key names no file; write it like --spiral-key=job.key, or leave it out.")
    if not (config.getoption("--spiral-evidence") or config.getoption("--spiral-release")):
        raise pytest.UsageError("--spiral-key signs evidence, and none is taken. Remedy: add --spiral-evidence.")
    return str(config.invocation_params.dir / given)


def _whole(config: pytest.Config, name: str, least: int) -> int:
    given = config.getoption(f"--spiral-{name}")
    text = config.getini(f"spiral_{name}") if given is None else given
    try:
        number = int(text)
    except ValueError:
        raise pytest.UsageError(f"spiral_{name} is {text!r}; use a whole number.") from None
    if number < least:
        raise pytest.UsageError(f"--spiral-{name} is {number}; use a whole number from {least} up.")
    return number


def _time(config: pytest.Config, name: str) -> int:
    """A time such as 90s, 10m or 1.5h in nanoseconds; 0 where none is set."""
    text = _first(config.getoption(f"--spiral-{name}"), config.getini(f"spiral_{name}")).strip()
    if not text and config.getoption(f"--spiral-{name}") is None:
        return 0
    found = _TIME.fullmatch(text)
    nanoseconds = round(float(found[1]) * _TIMES[found[2]] * 1e9) if found else 0
    if nanoseconds < _SHORTEST_NS:
        raise pytest.UsageError(f"--spiral-{name} is {text!r}; write a time from 1s up, such as 90s, 10m or 2h.")
    return nanoseconds


def secret_values(names: Iterable[str]) -> tuple[str, ...]:
    """The values of the variables that are set; one too short to be told from ordinary text is wrong use."""
    from pytest_spiral.rules.redact import SHORTEST_SECRET

    values = {name: os.environ[name] for name in names if os.environ.get(name)}
    short = [name for name, value in values.items() if len(value) < SHORTEST_SECRET]
    if short:
        raise pytest.UsageError(
            f"a secret: the value of {short[0]} has fewer than {SHORTEST_SECRET} characters, "
            "and striking it out would strike out ordinary text."
        )
    return tuple(values.values())
