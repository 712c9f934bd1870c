"""What is derived of a bundle has the same bytes whatever the hash seed, locale, time zone and encoding of the process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).parent / "derive.py"
PLAIN = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONUTF8": "1"}
ENVIRONMENTS = {
    "another seed": {"PYTHONHASHSEED": "1"},
    "a third seed": {"PYTHONHASHSEED": "4294967295"},
    "no seed": {"PYTHONHASHSEED": "random"},
    "the C locale": {"LC_ALL": "C"},
    "the C locale and its encoding": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "the POSIX locale": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a comma in numbers": {"LC_ALL": "de_DE.UTF-8", "PYTHONUTF8": "0"},
    "another small i": {"LC_ALL": "tr_TR.UTF-8", "PYTHONUTF8": "0"},
    "far in the east": {"TZ": "Pacific/Kiritimati"},
    "far in the west": {"TZ": "Etc/GMT+12"},
    "half an hour off": {"TZ": "Asia/Kolkata"},
    "optimised": {"PYTHONOPTIMIZE": "2"},
    "narrow": {"COLUMNS": "20", "NO_COLOR": "1", "TERM": "dumb"},
}
FOUND_BY = {
    "careless: of a set": "another seed",
    "careless: in local time": "far in the east",
    "careless: in the machine's encoding": "the C locale and its encoding",
}


def known_locales():
    said = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout
    return {name.lower().replace("-", "") for name in said.split()}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, gates_text, make_session):
    """A sealed run with texts that locales treat differently, and its gates file."""
    root = tmp_path_factory.mktemp("canonical")
    text = gates_text.replace("Work is done", "Suche antwortet — in µs, İstanbul")
    assert text != gates_text
    (root / "gates.toml").write_text(text, encoding="utf-8")
    made = make_session(root, text).run(misses=1, runs=("good", "bad"))
    return made.seal().folder, root / "gates.toml"


@pytest.fixture(scope="module")
def derived(bundle):
    """Digests by name, as a process in that environment derives them."""

    def ask(change):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("LC_")}
        done = subprocess.run(
            [sys.executable, str(CHILD), *map(str, bundle)],
            capture_output=True, check=False, timeout=60, env={**environment, **PLAIN, **change},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return json.loads(done.stdout)

    return ask


@pytest.fixture(scope="module")
def plain(derived):
    return derived({})


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_what_is_derived_has_the_same_bytes_everywhere(derived, plain, tally, name):
    wanted = ENVIRONMENTS[name].get("LC_ALL", "C")
    if wanted.lower().replace("-", "") not in known_locales() | {"c"}:
        pytest.skip(
            f"environment-limited: needs the locale {wanted}; locale -a has {', '.join(sorted(known_locales()))}"
        )
    here = derived(ENVIRONMENTS[name])
    assert here.keys() == plain.keys()
    own = [key for key in plain if not key.startswith("careless: ")]
    alike = [key for key in own if here[key] == plain[key]]
    tally(len(alike), len(own), "derived files and texts with the same bytes in another environment")
    assert alike == own
    assert {"plan.json", "summary.json", "change_notes.md", "summary.md", "selftest.json"} <= set(own)
    assert sum(key.startswith("allure-results/") for key in own) > 4


@pytest.mark.parametrize("writer", FOUND_BY)
def test_a_careless_writer_is_found(derived, plain, writer):
    """The control: the order of a set, the local time, the machine's encoding."""
    assert derived(ENVIRONMENTS[FOUND_BY[writer]])[writer] != plain[writer]


def test_what_the_bundle_has_is_what_is_derived_of_it(bundle, plain):
    import hashlib

    folder, _ = bundle
    for name in ("summary.json", "summary.md", "change_notes.md", "selftest.json", "plan.json"):
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == plain[name], name
