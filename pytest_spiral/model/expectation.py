"""What a reviewer expects of a bundle, written down where the change under test cannot reach."""

from pytest_spiral.model.attestation import Level
from pytest_spiral.model.base import Value


class Expectation(Value, frozen=True, kw_only=True):
    """None: nothing is expected of it.

    `plan` is the bar's digest, `commit` the whole name of a commit that was tested with nothing changed, `criteria`
    and `tests` all that were judged and all that were selected, `level` the least level of assurance, `published`
    the time of the commit that published the bundle, in microseconds since 1970-01-01 UTC.
    """

    run: str | None = None
    plan: str | None = None
    commit: str | None = None
    criteria: tuple[str, ...] | None = None
    tests: tuple[str, ...] | None = None
    level: Level | None = None
    published: int | None = None
