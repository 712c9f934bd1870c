"""What was kept out of a bundle because it looked like a secret, a line each."""

from collections.abc import Iterable
from typing import Final

from pytest_spiral.model.record import Attached
from pytest_spiral.render.escape import terminal
from pytest_spiral.rules.paths import QUARANTINE

_REMEDY: Final = "if it is a secret, revoke it"


def render_quarantined(attached: Iterable[Attached]) -> list[str]:
    """Render a line for each file of which only a stub was kept, and one for Allure's results where some were changed."""
    lines = []
    for one in attached:
        if one.quarantined:
            said = f" quarantined  {one.name} looked like a {' and a '.join(one.quarantined)}; {_REMEDY}: {one.path}"
            lines.append(terminal(said))
        elif one.path == QUARANTINE:
            lines.append(f" quarantined  parts of Allure's results looked like secrets; {_REMEDY}: {QUARANTINE}")
    return lines
