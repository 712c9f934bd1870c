"""What a reviewer brings to a verification: trust root, expectation, limits. Never taken from the bundle."""

from dataclasses import dataclass, field
from pathlib import Path

from pytest_spiral.errors import EvidenceError, UseError
from pytest_spiral.evidence.store import replace
from pytest_spiral.model.expectation import Expectation
from pytest_spiral.model.trust import TrustRoot
from pytest_spiral.rules.expectation import parse_expectation
from pytest_spiral.rules.integrity import Limits
from pytest_spiral.rules.trust import parse_trust
from pytest_spiral.run.registered import Kept, Logged

_MOST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a bundle is held against; None: nothing was given.

    `kept` is a ledger, or a head of one, that did not come with the bundle. `logged` is found by verifying.
    """

    trust: TrustRoot | None = None
    expectation: Expectation | None = None
    limits: Limits = field(default_factory=Limits)
    logged: Logged | None = None
    kept: Kept | None = None


def load_trust(path: Path, bundle: Path | None = None) -> TrustRoot:
    """Read a trust root; raises UseError, also where it lies in the bundle that it is to vouch for."""
    return parse_trust(read_text(path, "trust root", bundle), str(path))


def load_expectation(path: Path, bundle: Path | None = None) -> Expectation:
    """Read an expectation file; raises UseError as `load_trust`."""
    return parse_expectation(read_text(path, "expectation", bundle), str(path))


def extend_trust(path: Path, line: str, *, new: bool = True) -> None:
    """Add a line to a trust root, which is then still one; with `new` the file may be missing. Raises UseError.

    Whoever reads it meanwhile sees the old file or the whole new one. A line that stands there is not added again.
    """
    known = "" if new and not path.exists() else read_text(path, "trust root")
    if line in known.split("\n"):
        return
    text = known + ("" if known.endswith("\n") or not known else "\n") + line + "\n"
    parse_trust(text, str(path))
    try:
        replace(path, text.encode())
    except EvidenceError as problem:
        raise UseError(str(problem)) from problem


def read_text(path: Path, what: str, bundle: Path | None = None) -> str:
    """A small text file that somebody brings; raises UseError, also where it lies in `bundle`."""
    if bundle is not None and path.resolve().is_relative_to(bundle.resolve()):
        raise UseError(f"The {what} {path} lies in the bundle. Remedy: take it from where the bundle cannot reach.")
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
    except OSError as problem:
        raise UseError(f"The {what} {path} cannot be read: {problem.strerror}.") from problem
    if len(data) > _MOST:
        raise UseError(f"The {what} {path} has more than {_MOST} bytes.")
    try:
        return data.decode()
    except UnicodeDecodeError as problem:
        raise UseError(f"The {what} {path} is not UTF-8 (byte {problem.start}).") from problem


__all__ = ["Grounds", "Kept", "Logged", "extend_trust", "load_expectation", "load_trust", "read_text"]
