"""rstar finalises: tries changes by turns, keeps what is worth more, and lets glm close."""

from spiral_sandbox.crown.agents.turn import Answer, Turn, subject_of
from spiral_sandbox.crown.words import sentences, themes, words

_MOVES = {"revise": 3, "drop": 2, "lead": 1}


def finalise(turn: Turn) -> Answer:
    """The best of the texts tried, its worth, what was tried, and glm's reflection on it.

    A text is worth 3 for each theme of the original that it keeps, loses 2 for each of air_star's findings and 1 for
    each five words. Moves are drawn: revise by kimi_k2, drop the sentence with the fewest themes, lead with the one
    that has most.
    """
    best = subject_of(turn.text)
    aims = themes(best, turn.figures["themes"])
    worth = _worth(turn, best, aims)
    points = [f"as it came: {worth}"]
    for _ in range(turn.figures["rounds"]):
        move = turn.pick("moves", _MOVES).name
        text = _moved(turn, move, best, aims)
        if text == best:
            points.append(f"{move}: no change")
            continue
        reached = _worth(turn, text, aims)
        points.append(f"{move}: {reached}{'' if reached > worth else ', not taken'}")
        if reached > worth:
            best, worth = text, reached
    closing = turn.call("glm", f"reflect: {best.replace('?', '.')}")
    points.append(closing.failed or closing.text)
    return Answer(text=best, points=points, keep=[f"finalised at {worth}"])


def _worth(turn: Turn, text: str, aims: list[str]) -> int:
    review = turn.call("air_star", f"check: {text}")
    there = words(text)
    return 3 * sum(aim in there for aim in aims) - 2 * len(review.points) - len(there) // 5


def _moved(turn: Turn, move: str, text: str, aims: list[str]) -> str:
    if move == "revise":
        revised = turn.call("kimi_k2", f"revise: {text}")
        return text if revised.failed else revised.text
    parts = sentences(text)
    carried = [sum(aim in words(part) for aim in aims) for part in parts]
    if len(parts) < 2:
        return text
    if move == "drop":
        place = carried.index(min(carried))
        return " ".join(parts[:place] + parts[place + 1 :])
    place = carried.index(max(carried))
    return " ".join([parts[place], *parts[:place], *parts[place + 1 :]])
