"""A recovered run as lines: what was kept, what was cut, what was running, and where it is sealed."""

from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.render.escape import terminal
from pytest_spiral.render.figures import counted
from pytest_spiral.render.words import overall_words


def render_recovery(evidence: Evidence, judgement: Judgement, path: str, *, again: bool) -> list[str]:
    """Render what a recovery kept; `again` where an earlier one had done it. `path` is the sibling's folder."""
    samples = sum(len(one.samples) for one in evidence.measurements)
    lines = [
        f"recovered {terminal(path)}" + (" (by an earlier recovery)" if again else ""),
        f"  kept     {counted(len(evidence.tests), 'test', 'tests')}, {counted(samples, 'sample', 'samples')}",
        f"  killed   {terminal(judgement.recovered)}",
    ]
    recovered = evidence.recovered
    if recovered is not None:
        lines += [f"  cut      {terminal(name)}: {size} bytes of a last line" for name, size in recovered.torn.items()]
    if recovered is not None and recovered.left_count:
        said = ", ".join(map(terminal, recovered.left))
        more = recovered.left_count - len(recovered.left)
        lines.append(f"  left     {said}" + (f" and {more} more" if more else "") + ": no record vouches for them")
    lines.append(f"  decision {overall_words(judgement)}   check it: spiral verify {terminal(path)}")
    return lines
