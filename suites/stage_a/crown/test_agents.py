"""The crown regression suite: what each agent does. `A2.regression` counts these tests."""

import pytest


@pytest.mark.parametrize(
    ("claim", "found"),
    [
        ("2 + 2 = 4", []),
        ("2 + 2 = 5", ["2 + 2 = 5 is wrong, it is 2 + 2 = 4"]),
        ("2 + 3 * 4 = 20", ["2 + 3 * 4 = 20 is wrong, it is 2 + 3 * 4 = 14"]),
        ("10 - 3 * 2 = 4", []),
        ("3 - 5 = -2", []),
        ("1.5 + 2 = 9", []),
        ("the the end", ["doubled: the"]),
        ("an (open end", ["brackets that do not match"]),
        ("The sea is calm. The sea is not calm.", ["contradicts itself: sea is and is not calm"]),
        ("The sea is calm. The sea is wide.", []),
    ],
)
def test_air_star_finds_what_does_not_hold(talk, claim, found):
    """Sums, doubled words, brackets, contradictions; and nothing where there is nothing."""
    answer = talk().ask(f"Check: {claim}")
    assert answer.points == found
    assert answer.accepted == (not found)


def test_air_star_asks_memory(talk):
    """What is said and what is remembered must agree."""
    session = talk(memory=["The lamp is lit.", "The tower is not tall."])
    assert session.ask("Check: The lamp is not lit.").points == ["memory says that lamp is lit"]
    assert session.ask("Check: The tower is tall.").points == ["memory says that tower is not tall"]
    assert session.ask("Check: The lamp is lit.").points == []


def test_air_star_has_glm_read_what_is_contested(talk):
    """A contradiction is taken to glm, and the call is in the log."""
    session = talk()
    session.ask("Check: The sea is calm. The sea is not calm.")
    assert [(one["by"], one["to"]) for one in session.told("call")] == [("air_star", "glm")]


@pytest.mark.parametrize(
    ("tasks", "plan", "stuck"),
    [
        ("wash after paint; paint", ["paint", "wash"], []),
        ("wash before paint before dry", ["wash", "paint", "dry"], []),
        ("a one after b two after c three", ["c three", "b two", "a one"], []),
        ("egg after hen; hen after egg", [], ["stuck: egg waits for hen", "stuck: hen waits for egg"]),
        ("egg after hen; hen after egg; sing after egg", [], 3),
        ("one then two", 2, []),
    ],
)
def test_kimicho_puts_tasks_in_an_order_that_can_be_walked(talk, tasks, plan, stuck):
    """What must come before comes before; a circle is stuck, and said to be."""
    answer = talk().ask(f"Plan: {tasks}")
    ordered = [one.partition(". ")[2] for one in answer.points if not one.startswith("stuck")]
    waiting = [one for one in answer.points if one.startswith("stuck")]
    assert ordered == plan if isinstance(plan, list) else len(ordered) == plan
    assert waiting == stuck if isinstance(stuck, list) else len(waiting) == stuck
    assert answer.accepted == (not waiting)


def test_kimicho_has_air_star_add_up_the_minutes(talk):
    """Minutes are added up, and air_star is asked whether the sum holds."""
    session = talk()
    assert "in 30 min" in session.ask("Plan: wash 10 min; dry 20 min after wash").points
    assert [one["text"] for one in session.told("call")] == ["check: 10 + 20 = 30"]


def test_a_roaming_kimicho_draws_what_comes_next(talk):
    """Where several tasks can come next, seeds walk different ways, and each draw is in the log."""
    plans = set()
    for seed in range(12):
        session = talk(seed=seed)
        plans.add(session.ask("Plan: north; south; east; west").text)
        drawn = [one for one in session.told("draw") if one["for"] == "what comes next"]
        roams = session.told("decision")[0]["model"] == "kimicho-roaming"
        assert len(drawn) == (3 if roams else 0)
    assert len(plans) > 2


@pytest.mark.parametrize(
    ("draft", "revised"),
    [
        ("It is very very cold.", "It is cold."),
        ("The the cat sat.", "The cat sat."),
        ("We have 2 + 2 = 5 cats.", "We have 2 + 2 = 4 cats."),
        ("A short line.", "A short line."),
    ],
)
def test_kimi_k2_revises_a_draft(talk, draft, revised):
    """Empty and doubled words go, sums are put right, what is good stays."""
    assert talk().ask(f"Revise: {draft}").text == revised


def test_kimi_k2_splits_a_long_sentence_at_its_seam(talk):
    """A sentence that is too long becomes several, and none of its words is lost."""
    long = "the boats came in from the storm late at night and the pilots who had waited for them went home to sleep"
    text = talk().ask(f"Revise: {long}.").text
    assert text.count(".") == 2
    assert text.replace(".", "").casefold().split() == [word for word in long.split() if word != "and"]


def test_kimi_k2_goes_on_until_air_star_accepts(talk):
    """Every pass is a call to air_star; the last one found nothing."""
    session = talk()
    answer = session.ask("Revise: We have 2 + 2 = 5 cats and 3 * 3 = 8 dogs.")
    assert answer.accepted
    reviews = [one["answer"]["accepted"] for one in session.told("answer") if one["agent"] == "air_star"]
    assert reviews == [False, True]


def test_kimi_k2_says_what_it_could_not_mend(talk):
    """What air_star has against the last draft is left, and said."""
    answer = talk(memory=["The gate is open."]).ask("Revise: The gate is not open.")
    assert answer.points[-1] == "left: memory says that gate is open"
    assert not answer.accepted


def test_glm_reflects_on_themes_memory_and_questions(talk):
    """Themes by frequency, notes that share them, questions that stay open."""
    session = talk(memory=["The harbour was dredged in May.", "Bread is baked on Fridays."])
    answer = session.ask("The harbour sleeps. The harbour dreams. Does it wake?")
    assert answer.points[0].startswith("about harbour")
    assert "recalls: The harbour was dredged in May." in answer.points
    assert not any("Bread" in one for one in answer.points)
    assert "open: Does it wake?" in answer.points


def test_glm_takes_open_questions_to_kimicho(talk):
    """A question is a call, and the guidance is in the answer."""
    session = talk()
    answer = session.ask("Shall the harbour wake?")
    assert [(one["by"], one["to"]) for one in session.told("call")] == [("glm", "kimicho")]
    assert answer.points[-1].startswith("kimicho says 1. ")


def test_glm_keeps_its_themes_in_mind(talk):
    """What was reflected on comes back in the same session."""
    session = talk()
    session.ask("The harbour sleeps.")
    assert session.notes[0] == "reflected on harbour"
    assert "recalls: reflected on harbour" in session.ask("The harbour again.").points


def test_rstar_never_ends_below_where_it_began(talk):
    """What is not better is not taken, for any seed."""
    for seed in range(12):
        answer = talk(seed=seed).ask("Conclude: Audio is ready. Lunch was fine. We ran 1 + 1 = 3 checks of audio.")
        began = int(answer.points[0].rpartition(" ")[2])
        assert int(answer.keep[0].rpartition(" ")[2]) >= began


def test_rstar_works_with_all_the_others(talk):
    """Over a few seeds rstar calls air_star, kimi_k2 and glm; glm closes."""
    called = set()
    for seed in range(6):
        session = talk(seed=seed)
        session.ask("Conclude: Audio is ready. Lunch was fine. We ran 1 + 1 = 3 checks of audio.")
        asked = [one["to"] for one in session.told("call") if one["by"] == "rstar"]
        assert asked[-1] == "glm"
        called.update(asked)
    assert called == {"air_star", "kimi_k2", "glm"}
