"""What looking at a target found, as lines for a terminal."""

from collections.abc import Iterator, Sequence

from pytest_spiral.model.target_check import ComponentLook, EndpointSeen, TargetLook
from pytest_spiral.render.layout import Line, Piece, cells, padded, row, rule


def render_target_check(look: TargetLook, width: int) -> list[Line]:
    """A line for the target, one for each component, one for each endpoint, and a sentence for whatever is wrong."""
    lines = [rule(f"target {look.name}, registered {look.registered}", width)]
    names = max((cells(one.name) for component in look.components for one in component.endpoints), default=0)
    for component in look.components:
        lines += _component(component, look, width)
        for endpoint in component.endpoints:
            lines += _endpoint(endpoint, names, width)
    word, style = ("sound", "green bold") if look.sound else ("not sound", "red bold")
    return [*lines, *row([Piece(f" {word}", style)], [], width, 4)]


def render_target_list(targets: Sequence[tuple[str, str]], width: int) -> list[Line]:
    """Each target's name and what is known of it."""
    if not targets:
        return row([Piece(" no targets: none is installed, and pyproject.toml configures none")], [], width, 4)
    names = max(cells(name) for name, _ in targets)
    return [
        line
        for name, said in targets
        for line in row([Piece(f" {padded(name, names)}", "bold")], [Piece(said)], width, names + 4)
    ]


def _component(component: ComponentLook, look: TargetLook, width: int) -> Iterator[Line]:
    enough = component.observed.rank >= look.registered.rank
    why = f": {component.shortfall}" if component.shortfall and not enough else ""
    version = [Piece(f"version {component.version}")] if component.version else []
    observed = Piece(f"observed {component.observed}{why}", "green" if enough else "red")
    yield from row([Piece(f" {component.name}", "bold")], [*version, observed], width, 4)


def _endpoint(endpoint: EndpointSeen, names: int, width: int) -> Iterator[Line]:
    lead = [Piece(f"   {padded(endpoint.name, names)}")]
    if endpoint.trouble:
        yield from row(lead, [Piece(endpoint.sentence, "red")], width, names + 6)
        return
    took = "played back" if endpoint.ms is None else f"{endpoint.ms:.1f} ms"
    said = [endpoint.address, took, *([endpoint.tls] if endpoint.tls else [])]
    yield from row(lead, [Piece(one) for one in said], width, names + 6)
