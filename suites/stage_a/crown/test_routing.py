"""The crown regression suite: who is asked, by which rule, in which mood."""

import pytest


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("Plan the evening", "kimicho"),
        ("Revise this draft", "kimi_k2"),
        ("Validate this", "air_star"),
        ("Conclude the work", "rstar"),
        ("The sea is wide", "glm"),
        ("Is the sea wide?", "glm"),
        ("Revise this plan", "kimi_k2"),
    ],
)
def test_a_request_goes_where_the_rules_send_it(talk, text, agent):
    """Most votes answer; where no rule speaks, glm does."""
    session = talk()
    session.ask(text)
    assert session.route == agent


def test_a_decision_says_why(talk):
    """Rules, votes and the draw of the model stand in the log, in words."""
    session = talk()
    session.ask("Revise this plan")
    decision = session.told("decision")[0]
    assert decision["rules"] == ["plans need guidance", "drafts are revised"]
    assert decision["reasons"][0] == "votes: kimi_k2 6, kimicho 5"
    assert decision["model"] in decision["reasons"][1]


def test_a_tie_is_drawn(talk):
    """As many votes for two agents: seeds decide, and the draw is told."""
    chosen = set()
    for seed in range(12):
        session = talk(seed=seed)
        session.ask("I wonder")  # which makes it curious: one vote each
        chosen.add(session.route)
        assert session.told("draw")[0]["for"] == "agents with as many votes"
    assert chosen == {"glm", "kimicho"}


def test_a_pause_changes_the_route(talk):
    """The same request after ten minutes is met with reflection, by the logged clock."""
    session = talk()
    session.ask("The sea is wide")
    session.ask("Sing of it", after_ms=599_999)
    assert session.told("decision")[-1]["rules"] == []
    session.ask("Sing of it", after_ms=600_000)
    assert session.told("decision")[-1]["rules"] == ["who comes back after a pause is met with reflection"]


def test_a_resolute_session_tends_to_its_end(talk):
    """State decides too: the third request of a resolute session goes to rstar."""
    session = talk()
    routes = []
    for _ in range(3):
        session.ask("We must go on")
        routes.append(session.route)
    assert (routes, session.mood) == (["glm", "glm", "rstar"], "resolute")


@pytest.mark.parametrize(
    ("texts", "mood"),
    [
        (["The sea is wide"], "calm"),
        (["I wonder"], "curious"),
        (["Thanks, that was great"], "joyful"),
        (["We must decide"], "resolute"),
        (["I wonder", "The sea is wide"], "curious"),
        (["I wonder", "Thanks"], "joyful"),
    ],
)
def test_words_bring_a_mood_that_lasts(talk, texts, mood):
    """A mood comes with its words and stays until others come."""
    session = talk()
    for text in texts:
        session.ask(text)
    assert session.mood == mood
