"""Secrets in the environment: there or not. Nothing of a value is kept, its length neither."""

import os
from collections.abc import Iterable

from pytest_spiral.model.profile import SECRET, Fact
from pytest_spiral.profiles.probe.findings import absent, present


def secret(name: str) -> Fact:
    """Find out whether an environment variable is set and holds something."""
    fact, command = f"{SECRET}{name}", f"is {name} set"
    value = os.environ.get(name)
    if value is None:
        return absent(fact, f"the environment variable {name} is not set", command=command)
    if not value.strip():
        return absent(fact, f"the environment variable {name} is set and empty", command=command)
    return present(fact, True, evidence=f"{name} is set; its value is not kept", command=command)


def values_of(names: Iterable[str]) -> tuple[str, ...]:
    """The values of those that are set, for striking them out of what is kept, and for nothing else."""
    found = (os.environ.get(name, "") for name in names)
    return tuple(value for value in found if value.strip())
