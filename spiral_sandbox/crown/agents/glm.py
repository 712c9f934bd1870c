"""glm reflects: what a text is about, what it recalls, what it leaves open."""

from spiral_sandbox.crown.agents.turn import Answer, Turn, subject_of
from spiral_sandbox.crown.words import sentences, shared, themes


def reflect(turn: Turn) -> Answer:
    """Themes, echoes in mind and memory, open questions; the first open questions are taken to kimicho."""
    text = subject_of(turn.text)
    found = themes(text, turn.figures["themes"])
    echoes = [note for note in (*turn.notes, *turn.recall(found)) if shared(note, text)][: turn.figures["echoes"]]
    questions = [one for one in sentences(text) if one.endswith("?")]
    points = [f"about {', '.join(found)}" if found else "about nothing that stands out"]
    points += [f"recalls: {echo}" for echo in echoes]
    points += [f"open: {question}" for question in questions]
    if questions:
        asked = "; ".join(question.rstrip("?") for question in questions[: turn.figures["questions"]])
        guidance = turn.call("kimicho", f"guide: {asked}")
        points.append(f"kimicho says {guidance.text}" if not guidance.failed else "kimicho does not answer")
    return Answer(text="; ".join(points), points=points, keep=[f"reflected on {one}" for one in found[:2]])
