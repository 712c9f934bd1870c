"""Being told of forks for a time: what `os.register_at_fork` is given it keeps for as long as the interpreter lives.

A function holds its module, a module that pytest has loaded holds pytest's loader, and that the whole session: the
garbage collector would go through all of it once more at the interpreter's end, a fifth of a second at 20,000 tests.
"""

import os
from collections.abc import Callable
from functools import partial

Hook = Callable[[], object]


def at_fork(**hooks: Hook) -> Callable[[], None]:
    """As `os.register_at_fork` with the same names; gives what lets go of the hooks again, which may be called twice."""
    held = {name: partial(hook) for name, hook in hooks.items()}
    os.register_at_fork(**held)

    def let_go() -> None:
        for one in held.values():
            one.__setstate__((bool, (), {}, {}))  # type: ignore[attr-defined]  # calls what does nothing from now on

    return let_go
