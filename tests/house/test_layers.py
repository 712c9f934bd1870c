"""Who may import whom: the contracts hold for the tree, and each of them finds a violation."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LINTER = str(Path(sys.executable).with_name("lint-imports"))
PACKAGES = ("pytest_spiral", "spiral_contract", "spiral_sandbox")
# Contract, the module in which an import is planted, what it imports.
PLANTED = (
    ("Imports go downward", "pytest_spiral/rules/units.py", "pytest_spiral.run.clock"),
    ("Imports go downward", "pytest_spiral/transports/base.py", "pytest_spiral.evidence.state"),
    ("Imports go downward", "pytest_spiral/render/words.py", "pytest_spiral.run.opening"),
    ("Imports go downward", "pytest_spiral/cli/init.py", "pytest_spiral.plugin.keys"),
    ("Only the plugin knows pytest", "pytest_spiral/run/clock.py", "pytest"),
    ("Only transports.rpc knows gRPC", "pytest_spiral/transports/rest.py", "grpc"),
    ("Only run.clock reads the time", "pytest_spiral/evidence/store.py", "time"),
    ("Rules and model touch nothing outside", "pytest_spiral/rules/units.py", "subprocess"),
    ("Only transports know the contract", "pytest_spiral/run/clock.py", "spiral_contract.operations"),
    ("The product does not know the sandbox", "pytest_spiral/run/target.py", "spiral_sandbox.target"),
    ("What is under test does not know the product", "spiral_sandbox/faults.py", "pytest_spiral.errors"),
)


def lint(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [LINTER, "--no-logo", "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def one_line(text: str) -> str:
    """The report without its line breaks, which depend on the width of a terminal."""
    return " ".join(text.split())


def test_every_contract_holds(root):
    done = lint(root)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def planted(root, tmp_path_factory):
    """What the linter reports of a copy of the tree in which each contract is broken."""
    copy = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(root / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / ".importlinter", copy)
    before = lint(copy)
    assert before.returncode == 0, before.stdout
    for _, module, imported in PLANTED:
        with (copy / module).open("a") as file:
            file.write(f"\n\ndef planted_{imported.replace('.', '_')}():\n    import {imported}\n")
    return one_line(lint(copy).stdout)


@pytest.mark.parametrize(("contract", "module", "imported"), PLANTED)
def test_a_planted_import_is_found(planted, contract, module, imported):
    importer = module.removesuffix(".py").replace("/", ".")
    # Inside the product a contract names both modules; of another package it may name the package alone.
    target = imported if imported.startswith("pytest_spiral") else imported.partition(".")[0]
    assert f"{importer} -> {target}" in planted
    _, found, verdict = planted.partition(contract)
    assert found
    assert "KEPT" not in verdict.partition("BROKEN")[0], f"{contract} is kept"


def test_a_package_that_no_layer_names_is_found(root, tmp_path):
    for package in PACKAGES:
        shutil.copytree(root / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / ".importlinter", tmp_path)
    odd = tmp_path / "pytest_spiral" / "oddments"
    odd.mkdir()
    (odd / "__init__.py").write_text('"""A package that nobody has given a place."""\n')
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "pytest_spiral.oddments" in one_line(done.stdout)
