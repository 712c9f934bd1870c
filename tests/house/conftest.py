"""The tree that the house's rules hold for: its modules and its documents."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("pytest_spiral", "spiral_contract", "spiral_sandbox")
# What tools leave behind, and what runs write; none of it is tracked.
LEFT_BEHIND = (".*", "__pycache__", "*.egg-info", "build", "dist", "htmlcov", "allure-report", "node_modules")


def files(folder: Path, pattern: str) -> list[Path]:
    """Files below a folder, but for what tools leave behind and what runs write."""
    return sorted(path for path in folder.rglob(pattern) if path.is_file() and not _is_left(path))


def _is_left(path: Path) -> bool:
    folders = path.relative_to(ROOT).parts[:-1]
    in_run = folders[:1] == ("reports",) and len(folders) > 1
    return in_run or any(Path(name).match(one) for name in folders for one in LEFT_BEHIND if name != ".ci")


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def modules() -> dict[str, str]:
    """Every module of the three packages that a person wrote: path from the root → source."""
    found = (path for package in PACKAGES for path in files(ROOT / package, "*.py") if "_pb2" not in path.name)
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in found}


@pytest.fixture(scope="session")
def checking_modules() -> dict[str, str]:
    """Every module under tests/ and suites/: path from the root → source."""
    found = (path for folder in ("tests", "suites") for path in files(ROOT / folder, "*.py"))
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in found}


@pytest.fixture(scope="session")
def documents() -> dict[str, str]:
    """Every Markdown file: path from the root → text."""
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in files(ROOT, "*.md")}


@pytest.fixture(scope="session")
def texts() -> dict[str, str]:
    """Every text file that is kept: path from the root → text."""
    found = {}
    for path in files(ROOT, "*"):
        try:
            found[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found
