"""Opening a run from pytest's side: in the controller, in xdist's workers, and without xdist."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_spiral.errors import UseError
from pytest_spiral.model.evidence import BundleStart, Scope, TargetCard
from pytest_spiral.model.profile import Profile
from pytest_spiral.plugin.claims import Book, make_book
from pytest_spiral.plugin.guard import Guard
from pytest_spiral.plugin.keys import PROCESS
from pytest_spiral.plugin.markers import register_markers
from pytest_spiral.plugin.options import (
    Options,
    kept_environment,
    leave_launcher,
    names_profile,
    names_target,
    read_options,
    secret_values,
    stages_named,
)
from pytest_spiral.plugin.output import keep_output
from pytest_spiral.plugin.process import Process
from pytest_spiral.plugin.running import Running
from pytest_spiral.rules.facts import stated_facts
from pytest_spiral.rules.redact import Redactor
from pytest_spiral.run.gates import GateFile, load_gate_files, make_plan
from pytest_spiral.run.target_file import target_secrets

if TYPE_CHECKING:
    from pytest_spiral.evidence.keys import SigningKey
    from pytest_spiral.ledger.store import Store
    from pytest_spiral.model.entry import LedgerHead
    from pytest_spiral.model.launcher import Published
    from pytest_spiral.profiles.declared import Declared
    from pytest_spiral.run.channel import Channel
    from pytest_spiral.run.examination import Found

WORKER_INPUT = "spiral_bundle"
WORKER_OUTPUT = "spiral_head"
WORKER_PROBLEMS = "spiral_problems"
WORKER_TROUBLE = "spiral_trouble"


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is an xdist worker."""
    return hasattr(config, "workerinput")


def set_up(config: pytest.Config) -> None:
    """Read gates and options; where evidence is asked for, open the run or join it."""
    options = read_options(config)
    files = load_gate_files(config.rootpath, options.gate_files)
    if options.evidence and not files:
        raise UseError(
            f"--spiral-evidence finds no gates file: {', '.join(options.gate_files)} under {config.rootpath}. "
            "Remedy: run `spiral init`, or set the ini `spiral_gate_files`."
        )
    if not files:
        _refuse_taken_path(config)
    book = make_book(config.rootpath, files)
    options = replace(options, secrets=(*options.secrets, *_required_secrets(book)))
    register_markers(config, book.stages, book.gates)
    _refuse_unknown_gates(options, book)
    stages = stages_named(config, book.stages)
    plan = make_plan(files, stages, options.gates)
    secrets = (*options.secrets, *target_secrets(options.target, config.rootpath))
    process = Process(options, book, plan, _name(config), Redactor(secrets), config.rootpath)
    config.stash[PROCESS] = process
    config.pluginmanager.register(Running(process), "spiral-running")
    if options.evidence and is_worker(config):
        _join(config, process)
    elif options.evidence and not config.option.collectonly:
        _open(config, process, stages, files)
    else:
        _know_target(process, named=names_target(config))
        if names_profile(config) and not is_worker(config):
            _hold_profile(process)


def _required_secrets(book: Book) -> tuple[str, ...]:
    """The values of secrets that criteria require: who asks for one must not find it in the evidence."""
    from pytest_spiral.rules.requirements import secret_names

    return secret_values(secret_names(one.requires for one in book.criteria.values() if one.requires))


def _refuse_taken_path(config: pytest.Config) -> None:
    """Explain pytest's own trap: before plugins are loaded, it takes an existing folder after a blank for a test path.

    The root folder then follows from that folder, and no gates file is found there.
    """
    arguments = [str(one) for one in config.invocation_params.args]
    for flag, value in pairwise(arguments):
        if flag == "--spiral-reports" and (config.invocation_params.dir / value).exists():
            raise UseError(
                f"no gates file is found under {config.rootpath}, because pytest took {value} for a folder with tests. "
                f"Remedy: write {flag}={value}, with an equals sign."
            )


def _name(config: pytest.Config) -> str:
    return str(config.workerinput["workerid"]) if is_worker(config) else "main"  # type: ignore[attr-defined]


def _refuse_unknown_gates(options: Options, book: Book) -> None:
    for name in options.gates:
        if name not in book.gates:
            raise UseError(f"--spiral-gates names {name!r}; known gates: {', '.join(sorted(book.gates)) or 'none'}.")


def _know_target(process: Process, *, named: bool) -> None:
    """Without evidence the target is only described where it was named now, or a requirement asks what it states."""
    wanted = {one.requires for one in process.book.criteria.values() if one.requires}
    if named or (process.options.target and any("clock." in text for text in wanted)):
        process.known.update(stated_facts(_target_card(process)))


def _target_card(process: Process) -> TargetCard:
    """What the target states of itself; an empty card where none is named, which needs none of what calls targets."""
    options = process.options
    if not options.target:
        return TargetCard()
    from pytest_spiral.run.target import describe_target

    return describe_target(options.target, options.faults, options.seed, process.root)


def _open(config: pytest.Config, process: Process, stages: tuple[str, ...], files: tuple[GateFile, ...]) -> None:
    from pytest_spiral.profiles.probe import detect
    from pytest_spiral.run.gate_run import Request, open_run, slug_of

    channel = _meet_launcher(process)
    options, plan = process.options, process.plan
    narrowed = _narrowed(config, process.book)
    if options.release:
        _refuse_release(config, options, narrowed, channel.terms.sealed if channel is not None else options.reports)
    key = _key(config, options)
    card = _target_card(process)
    process.known.update(stated_facts(card))
    profile = _with_needs(detect(), process)
    process.known.update({fact.name: fact for fact in profile.facts if fact.name not in process.known})
    declared = _hold_profile(process)
    if declared is not None:
        profile = _with_facts(declared, profile, process)
    chosen = {gate.id for gate in plan.gates}
    cards = tuple(one for file in files for one in file.cards if one.id in chosen)
    request = Request(
        root=config.rootpath,
        reports=_reports(config, options),
        slug=slug_of(stages, options.gates),
        plan=plan,
        cards=cards,
        scope=Scope(stages=stages, gates=options.gates, narrowed=narrowed),
        target=card,
        profile=profile,
        argv=tuple(process.redactor.redact(str(one)) for one in config.invocation_params.args),
        options={**options.named(), **({"profile_digest": declared.digest} if declared else {})},
        ini={"spiral_gate_files": list(options.gate_files), "spiral_reports": options.reports},
        environment={name: process.redactor.redact(value) for name, value in kept_environment().items()},
        require="go" if options.require == "go" else "conditional",
        ledger=_ledger(config, options) if channel is None else _launchers_ledger(channel),
        release=options.release,
        key=key,
        channel=channel,
        publish=_publish(config, options) if channel is None else channel.publish,
    )
    documents = _find_documents(process, files)
    opened = open_run(request)
    process.opened = opened
    process.writer = opened.writer("main", process.redactor)
    if opened.published is not None:
        process.writer.append(opened.published)
    if documents:
        from pytest_spiral.run.examination import keep_documents

        keep_documents(process.writer, documents)
    keep_output(config, process, process.writer)
    config.pluginmanager.register(Guard(config, process), "spiral-guard")
    _point_allure(config, opened.folder)


def _find_documents(process: Process, files: tuple[GateFile, ...]) -> "tuple[Found, ...]":
    """The documents that people examine, looked at before the run is registered: what is wrong use is no attempt."""
    if not any(one.method == "examine" for one in process.plan.criteria()):
        return ()
    from pytest_spiral.run.examination import find_documents

    return find_documents(process.root, files, process.plan, process.redactor)


def _meet_launcher(process: Process) -> "Channel | None":
    """The way to `spiral record` where that has started this session; from then on its terms are in force.

    Raises UseError where the configuration asks for what the launcher, who alone may do it, was not told to do.
    """
    options = process.options
    if not options.launcher:
        return None
    from pytest_spiral.run.channel import Channel

    leave_launcher()
    channel = Channel(options.launcher, process.name)
    terms = channel.terms
    for ini, wanted, there, word in (
        ("spiral_ledger", options.ledger, terms.ledger, f"--ledger={options.ledger}"),
        ("spiral_ledger_publish", options.publish, terms.publishes, f"--publish={options.publish!r}"),
    ):
        if wanted and not there:
            raise UseError(f"the ini {ini} is set, which is for spiral record to do. Remedy: spiral record {word}.")
    process.options = replace(options, reports=terms.reports, ledger=terms.ledger, publish="", key="")
    return channel


def _launchers_ledger(channel: "Channel") -> "Store | None":
    from pytest_spiral.run.channel import LaunchersLedger

    return LaunchersLedger(channel) if channel.terms.ledger else None


def _publish(config: pytest.Config, options: Options) -> "Callable[[LedgerHead], Published] | None":
    """How the ledger's head is given to a witness; None where that is not asked for. Raises UseError."""
    if not options.publish:
        return None
    if not options.ledger:
        raise UseError(
            "spiral_ledger_publish gives a ledger's head away, and no ledger is named. Remedy: spiral_ledger."
        )
    from pytest_spiral.run.publish import publish_head, words_of

    words = words_of(options.publish, "spiral_ledger_publish")
    return lambda head: publish_head(words, head, config.rootpath, "job")


def _ledger(config: pytest.Config, options: Options) -> "Store | None":
    if not options.ledger:
        return None
    from pytest_spiral.ledger.places import find_ledger
    from pytest_spiral.run.clock import wall_us

    return find_ledger(options.ledger, config.rootpath, wall_us, forced=options.forced)


def _refuse_release(config: pytest.Config, options: Options, narrowed: tuple[str, ...], reports: str) -> None:
    """A release run is about a whole scope and one commit, and is registered; raises UseError.

    `reports` is where bundles are put, which is looked at no more than the ledger.
    """
    if not options.ledger:
        raise UseError(
            "--spiral-release counts attempts, and no ledger is named. "
            "Remedy: --spiral-ledger=reports/ledger.jsonl, or --spiral-ledger=git:origin:refs/spiral/ledger."
        )
    if narrowed:
        raise UseError(
            f"--spiral-release proves whole gates, and tests are kept out by {', '.join(narrowed)}. "
            "Remedy: narrow the scope by -m stage_b or --spiral-gates, or make a draft with --spiral-evidence."
        )
    from pytest_spiral.run.opening import release_commit

    ours = [reports] if options.ledger.startswith("git:") else [reports, options.ledger]
    aside = [relpath(one, config.rootpath) if Path(one).is_absolute() else one for one in ours]
    release_commit(config.rootpath, [one for one in aside if not one.startswith("..")])


def _with_needs(profile: Profile, process: Process) -> Profile:
    """The profile with every fact that a criterion of the bar asks for, so that one probe serves all processes."""
    from pytest_spiral.rules.requirements import parse_requirement

    known = {fact.name: fact for fact in profile.facts}
    for criterion in process.plan.criteria():
        for name in parse_requirement(criterion.requires).names if criterion.requires else ():
            if name not in known and name not in process.known:
                known[name] = process.fact(name)
    return Profile(name=profile.name, facts=tuple(known[name] for name in sorted(known)))


def _hold_profile(process: Process) -> "Declared | None":
    """The declared profile, compared with this machine; raises UseError with a sentence for each mismatch."""
    declared = process.declared
    if declared is None:
        return None
    mismatches = declared.mismatches(process.facts_of(declared))
    if mismatches:
        raise UseError("\n".join(mismatches))
    return declared


def _with_facts(declared: "Declared", profile: Profile, process: Process) -> Profile:
    """The detected profile under the declared one's name, with every fact that the declaration speaks of."""
    known = {fact.name: fact for fact in profile.facts} | process.facts_of(declared)
    return Profile(name=declared.name, facts=tuple(known[name] for name in sorted(known)))


def _join(config: pytest.Config, process: Process) -> None:
    import msgspec

    from pytest_spiral.rules.canonical import digest
    from pytest_spiral.run.gate_run import Opened

    given = config.workerinput[WORKER_INPUT]  # type: ignore[attr-defined]
    folder = Path(given)
    data = (folder / "bundle.json").read_bytes()
    start = msgspec.json.decode(data, type=BundleStart)
    process.known.update({fact.name: fact for fact in start.profile.facts})
    process.known.update(stated_facts(start.target))
    channel = None
    if process.options.launcher:
        from pytest_spiral.run.channel import Channel

        channel = Channel(process.options.launcher, process.name)
    process.opened = Opened(folder, start, digest(data), channel=channel)
    process.writer = process.opened.writer(process.name, process.redactor)
    keep_output(config, process, process.writer)
    _point_allure(config, folder)


def _point_allure(config: pytest.Config, folder: Path) -> None:
    """Allure's own results go into the bundle, unless the user sends them elsewhere."""
    if hasattr(config.option, "allure_report_dir") and not config.option.allure_report_dir:
        config.option.allure_report_dir = str(folder / "allure-results")


def _reports(config: pytest.Config, options: Options) -> Path:
    return config.rootpath / options.reports


def _key(config: pytest.Config, options: Options) -> "SigningKey | None":
    """The key that signs the run, read before anything runs; None where the run is not signed."""
    if not options.key:
        return None
    from pytest_spiral.run.signing import load_run_key

    return load_run_key(config.rootpath / options.key, _reports(config, options))


def _narrowed(config: pytest.Config, book: Book) -> tuple[str, ...]:
    """What keeps tests out without narrowing the scope."""
    found: list[str] = []
    option = config.option
    if getattr(option, "keyword", ""):
        found.append(f"-k {option.keyword}")
    found += [f"--deselect {one}" for one in getattr(option, "deselect", None) or ()]
    found += [f"--ignore {one}" for one in getattr(option, "ignore", None) or ()]
    found += [f"--ignore-glob {one}" for one in getattr(option, "ignore_glob", None) or ()]
    found += [f"--{name}" for name in ("lf", "stepwise") if getattr(option, name, False)]
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        found += _paths_short(config, book)
    return tuple(found)


def _paths_short(config: pytest.Config, book: Book) -> list[str]:
    """The paths given, where they leave out a folder with gates."""
    given = [(config.invocation_params.dir / str(one).partition("::")[0]).resolve() for one in config.args]
    whole = all(any(file.folder.resolve().is_relative_to(one) for one in given) for file in book.files)
    exact = any("::" in str(one) for one in config.args)
    return [] if whole and not exact else [str(one) for one in config.args]


def check_collection(problems: list[str], config: pytest.Config) -> None:
    """Stop the session on mistakes in what tests claim: exit status 4, all of them listed."""
    if not problems:
        return
    text = "\n".join(problems)
    if is_worker(config):
        config.workeroutput[WORKER_PROBLEMS] = text  # type: ignore[attr-defined]
        return
    raise pytest.UsageError(text)


__all__ = ["check_collection", "is_worker", "set_up"]
