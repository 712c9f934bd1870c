"""Rules of the house that no linter knows: each is a function from a module's source to what it finds there."""

import ast
from collections.abc import Callable, Iterator

import pytest

MOST_LINES = 450
VAGUE = ("util", "utils", "helper", "helpers", "manager", "managers", "common", "misc", "stuff")
CLOCKS = {
    f"{module}.{name}"
    for module, names in {
        "time": "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time process_time_ns "
        "thread_time thread_time_ns localtime gmtime ctime strftime sleep",
        "datetime.datetime": "now utcnow today",
        "datetime.date": "today",
        "os": "times",
        "asyncio": "sleep",
    }.items()
    for name in names.split()
}
WALL_CLOCKS = (
    CLOCKS
    - {f"time.{name}" for name in ["monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"]}
    - {"asyncio.sleep"}
)
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "os.unsetenv"}
TERMINAL = {"print", "sys.stdout", "sys.stderr", "sys.exit", "exit", "quit", "input"}


def names_used(source: str) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module uses, aliases of imports resolved: `dt.now` is `datetime.datetime.now`."""
    tree = ast.parse(source)
    known = dict(_imported(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            name = _dotted(node)
            head, dot, rest = name.partition(".")
            yield node.lineno, known.get(head, head) + dot + rest


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (
                (one.asname or one.name.partition(".")[0], one.name if one.asname else one.name.partition(".")[0])
                for one in node.names
            )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((one.asname or one.name, f"{node.module}.{one.name}") for one in node.names)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def using(forbidden: set[str]) -> Callable[[str], list[str]]:
    def find(source: str) -> list[str]:
        return [f"line {line}: {name}" for line, name in names_used(source) if name in forbidden]

    return find


def swallowed(source: str) -> list[str]:
    """Handlers that take every error and do nothing, in whichever way that is written."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and _takes_all(node.type) and all(map(_does_nothing, node.body)):
            found.append(f"line {node.lineno}: except")
        if isinstance(node, ast.Call) and _dotted(node.func).rpartition(".")[2] == "suppress":
            found += [f"line {node.lineno}: suppress" for one in node.args if _takes_all(one)]
    return found


def _takes_all(kind: ast.expr | None) -> bool:
    if isinstance(kind, ast.Tuple):
        return any(map(_takes_all, kind.elts))
    return kind is None or _dotted(kind).rpartition(".")[2] in {"Exception", "BaseException"}


def _does_nothing(statement: ast.stmt) -> bool:
    is_constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_constant or isinstance(statement, ast.Pass | ast.Continue)


def undocumented(source: str) -> list[str]:
    """A module's docstring begins with a whole sentence."""
    first = (ast.get_docstring(ast.parse(source)) or "").strip().partition("\n\n")[0].strip()
    return [] if first.endswith((".", "?", "::")) and first[:1] else [f"its docstring begins with {first[:60]!r}"]


def too_long(source: str) -> list[str]:
    lines = len(source.splitlines())
    return [f"{lines} lines, at most {MOST_LINES}"] if lines > MOST_LINES else []


def found_in(modules: dict[str, str], find: Callable[[str], list[str]], *allowed: str) -> dict[str, list[str]]:
    """What a rule finds in which module, but for those under an allowed path."""
    kept = {path: source for path, source in modules.items() if not path.startswith(allowed or ("\0",))}
    assert kept, "there is nothing to look at"
    return {path: found for path, source in kept.items() if (found := find(source))}


def product(modules: dict[str, str]) -> dict[str, str]:
    return {path: source for path, source in modules.items() if path.startswith("pytest_spiral/")}


def sandbox(modules: dict[str, str]) -> dict[str, str]:
    return {path: source for path, source in modules.items() if path.startswith("spiral_sandbox/")}


def test_only_the_clock_reads_the_time(modules):
    assert found_in(product(modules), using(CLOCKS), "pytest_spiral/run/clock.py") == {}


def test_the_clock_reads_the_time(modules):
    assert using(CLOCKS)(modules["pytest_spiral/run/clock.py"]), "then the rule above looks for the wrong thing"


def test_the_sandbox_knows_no_wall_clock(modules):
    assert found_in(sandbox(modules), using(WALL_CLOCKS), "spiral_sandbox/boot/stamp.py") == {}


def test_only_options_probes_and_the_launcher_read_the_environment(modules):
    allowed = ("pytest_spiral/plugin/options.py", "pytest_spiral/profiles/probe/", "pytest_spiral/cli/record.py")
    assert found_in(product(modules), using(ENVIRONMENT), *allowed) == {}


def test_only_the_command_line_prints_and_exits(modules):
    assert found_in(product(modules), using(TERMINAL), "pytest_spiral/cli/main.py") == {}
    assert found_in(modules, using({"print", "input"}), "pytest_spiral/cli/main.py") == {}


def test_no_error_is_swallowed(modules, checking_modules):
    assert found_in({**modules, **checking_modules}, swallowed) == {}


def test_every_module_says_what_it_is(modules):
    assert found_in(modules, undocumented) == {}


def test_no_module_has_too_many_subjects(modules):
    assert found_in(modules, too_long) == {}


def test_modules_are_named_for_a_subject(modules):
    vague = [path for path in modules for part in path.removesuffix(".py").split("/") if part in VAGUE]
    assert vague == []


@pytest.mark.parametrize(
    ("find", "source"),
    [
        (using(CLOCKS), "import time\ntime.time()"),
        (using(CLOCKS), "import time as t\nnow = t.monotonic_ns"),
        (using(CLOCKS), "from time import perf_counter as tick\ntick()"),
        (using(CLOCKS), "import datetime\ndatetime.datetime.now()"),
        (using(CLOCKS), "from datetime import datetime as dt\ndt.now(tz)"),
        (using(CLOCKS), "import datetime as d\nd.date.today()"),
        (using(WALL_CLOCKS), "from datetime import datetime\ndatetime.utcnow()"),
        (using(ENVIRONMENT), "import os\nos.environ['A']"),
        (using(ENVIRONMENT), "from os import environ\nenviron.get('A')"),
        (using(ENVIRONMENT), "from os import getenv as given\ngiven('A')"),
        (using(TERMINAL), "print('x')"),
        (using(TERMINAL), "import sys\nsys.stdout.write('x')"),
        (using(TERMINAL), "from sys import exit as leave\nleave(1)"),
        (swallowed, "try:\n    f()\nexcept Exception:\n    pass"),
        (swallowed, "try:\n    f()\nexcept:\n    ..."),
        (swallowed, "for x in y:\n    try:\n        f()\n    except (ValueError, BaseException):\n        continue"),
        (swallowed, "import contextlib\nwith contextlib.suppress(Exception):\n    f()"),
        (undocumented, "x = 1"),
        (undocumented, '"""Things"""'),
        (too_long, "x = 1\n" * (MOST_LINES + 1)),
    ],
)
def test_each_rule_finds_what_it_is_for(find, source):
    assert find(source)


@pytest.mark.parametrize(
    ("find", "source"),
    [
        (using(CLOCKS), "def read(clock):\n    return clock.time()"),
        (using(CLOCKS), "from datetime import UTC, datetime\ndatetime.fromtimestamp(0, UTC)"),
        (using(WALL_CLOCKS), "from time import monotonic_ns\nmonotonic_ns()"),
        (using(TERMINAL), "reporter.write_line('x')"),
        (swallowed, "try:\n    f()\nexcept OSError:\n    pass"),
        (swallowed, "try:\n    f()\nexcept Exception as error:\n    raise Other from error"),
        (undocumented, '"""A sentence.\n\nAnd more."""'),
    ],
)
def test_no_rule_finds_what_is_allowed(find, source):
    assert find(source) == []
