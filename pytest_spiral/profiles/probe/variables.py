"""Environment variables that a configuration names, such as a live target's credentials. Values are never recorded."""

import os
from collections.abc import Iterable


def variables(names: Iterable[str]) -> dict[str, str]:
    """The values of those that are set and not empty."""
    return {name: os.environ[name] for name in names if os.environ.get(name)}
