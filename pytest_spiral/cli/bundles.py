"""Finding the bundle that a command is about."""

import argparse
from pathlib import Path

from pytest_spiral.errors import UseError


def add_bundle(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Add the argument that names a bundle."""
    parser.add_argument(
        "bundle",
        type=Path,
        nargs="?" if optional else None,
        help="the bundle's folder" + (" (default: the newest under reports/)" if optional else ""),
    )


def add_fresh(parser: argparse.ArgumentParser) -> None:
    """Add the options that compare declared inputs with what is there now."""
    parser.add_argument("--fresh", action="store_true", help="compare declared inputs with what the run recorded")
    parser.add_argument(
        "--root", type=Path, default=Path(), help="the folder that inputs are below (default: the current one)"
    )


def bundle_of(path: Path | None, reports: Path = Path("reports")) -> Path:
    """The folder named, or the newest bundle by its recorded opening time; UseError where there is none."""
    if path is not None:
        if not path.is_dir():
            raise UseError(f"{path} is no folder.")
        return path
    found = newest_bundle(reports)
    if found is None:
        raise UseError(f"there is no bundle under {reports}/. Remedy: pytest -m stage_b --spiral-evidence.")
    return found


def sealed_bundle_of(path: Path | None) -> Path:
    """As `bundle_of`; UseError for a run that was not sealed: what it says may yet change, or was cut short."""
    from pytest_spiral.evidence.state import classify

    folder = bundle_of(path)
    state = classify(folder)
    if state != "sealed":
        raise UseError(f"{folder} is not sealed ({state}), so it decides nothing. See: spiral verify {folder}.")
    return folder


def newest_bundle(reports: Path) -> Path | None:
    """The bundle that says it was opened last; names and file times prove nothing and are not looked at."""
    import msgspec

    from pytest_spiral.model.evidence import BundleStart

    opened: list[tuple[int, Path]] = []
    for start in reports.glob("*/*/bundle.json"):
        try:
            opened.append((msgspec.json.decode(start.read_bytes(), type=BundleStart).opened, start.parent))
        except (OSError, msgspec.MsgspecError):
            continue
    return max(opened)[1] if opened else None
