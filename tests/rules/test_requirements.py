from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.model.profile import KNOWN_FACTS, Fact
from pytest_spiral.rules.requirements import (
    Requirement,
    RequirementError,
    check_names,
    evaluate,
    parse_requirement,
    secret_names,
)
from pytest_spiral.rules.requirements.terms import COMPARE, Compared, Joined, Named, Not, Term
from pytest_spiral.rules.units import Quantity

GIB = 2**30


def fact(name: str, value: Any = None, unit: str | None = None, state: str | None = None, **other: Any) -> Fact:
    known: Any = {
        "kind": KNOWN_FACTS.get(name, "environment"),
        "evidence": f"raw output for {name}",
        "command": f"ask {name}",
        "state": state or ("absent" if value is None else "present"),
    }
    return Fact(name=name, value=value, unit=unit, **{**known, **other})


def facts(*given: Fact) -> dict[str, Fact]:
    return {each.name: each for each in given}


MACHINE = facts(
    fact("memory", 32 * GIB, "B"),
    fact("cpu.cores", 8),
    fact("cpu.quota", 0.1),
    fact("cpu.model", "AMD EPYC"),
    fact("python.version", "3.11.2"),
    fact("virtual.container", "docker"),
    fact("virtual.vm"),
    fact("audio.playback"),
    fact("audio.capture", state="unknown", evidence="no answer within 2 s"),
    fact("clock.trusted", value=False),
    fact("tool.docker", "28.2.2"),
    fact("tool.sox"),
    fact("tool.jackd", state="unknown"),
    fact("tool.ssh-keygen", value=True),
    fact("accelerator", 0),
    fact("odd", 3, "GPUs"),
    fact("secret.API_TOKEN", value=True),
    fact("secret.OTHER"),
)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ('secret("API_TOKEN")', "met"),
        ("secret('API_TOKEN') and not secret(\"OTHER\")", "met"),
        ('secret( "OTHER" )', "unmet"),
        ('secret("api_token")', "unknown"),
        ("tool.docker", "met"),
        ("tool.sox", "unmet"),
        ("tool.jackd", "unknown"),
        ("tool.never-probed", "unknown"),
        ("tool.ssh-keygen", "met"),
        ("clock.trusted", "unmet"),
        ("not clock.trusted", "met"),
        ("accelerator", "unmet"),
        ("not virtual.container", "unmet"),
        ("not virtual.vm", "met"),
        ("not tool.jackd", "unknown"),
        ("not tool.never-probed", "unknown"),
        ("memory >= 32 GiB", "met"),
        ("memory > 32 GiB", "unmet"),
        ("memory <= 32 GiB", "met"),
        ("memory < 32 GiB", "unmet"),
        ("memory == 32 GiB", "met"),
        ("memory != 32 GiB", "unmet"),
        ("memory >= 34.359738369 GB", "unmet"),
        ("memory >= 34.359738368 GB", "met"),
        ("memory >= 64 GiB", "unmet"),
        ("memory >= 64", "unknown"),
        ("memory >= 64 ms", "unknown"),
        ('memory >= "64 GiB"', "unknown"),
        ("memory >= 64 GiB or tool.docker", "met"),
        ("memory >= 64 ms or tool.docker", "met"),
        ("memory >= 64 ms and tool.sox", "unmet"),
        ("memory >= 64 ms and tool.docker", "unknown"),
        ("cpu.cores >= 12 or tool.docker", "met"),
        ("cpu.cores >= 12 or tool.sox", "unmet"),
        ("cpu.cores >= 12 or tool.jackd", "unknown"),
        ("cpu.cores >= 8 and tool.docker", "met"),
        ("cpu.cores >= 8 cores", "unknown"),
        ("cpu.cores >= 800 %", "met"),
        ("cpu.quota == 0.1", "met"),
        ("odd >= 1", "unknown"),
        ("tool.sox == 1", "unmet"),
        ("tool.sox != 1", "unmet"),
        ("tool.jackd != 1", "unknown"),
        ("clock.trusted == 0", "unknown"),
        ("clock.trusted != 1", "unknown"),
        ("tool.ssh-keygen == 1", "unknown"),
        ('cpu.model == "AMD EPYC"', "met"),
        ("cpu.model == 'AMD EPYC'", "met"),
        ('cpu.model != "AMD"', "met"),
        ('cpu.model >= "AMD"', "unknown"),
        ("cpu.model == 5", "unknown"),
        ('python.version >= "3.9"', "met"),
        ('python.version >= "3.12"', "unmet"),
        ('python.version < "3.11.10"', "met"),
        ('python.version == "3.11.2.0"', "met"),
        ('python.version >= "3.12.0rc1"', "unknown"),
        ("python.version >= 3.12", "unknown"),
        ("audio.playback and audio.capture", "unmet"),
        ("audio.playback or audio.capture", "unknown"),
        ("not (audio.playback or audio.capture)", "unknown"),
        ("not (tool.docker and not tool.sox)", "unmet"),
        ("tool.sox and tool.docker or tool.docker", "met"),
        ("tool.sox and (tool.docker or tool.docker)", "unmet"),
        ("not tool.sox and tool.sox", "unmet"),
    ],
)
def test_a_requirement_is_judged_on_the_facts(text: str, state: str) -> None:
    outcome = evaluate(parse_requirement(text), MACHINE)
    assert outcome.state == state
    assert outcome.met == (state == "met")
    assert (outcome.cause is None) == (state == "met")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("audio.playback", "hardware"),
        ("audio.playback and tool.sox", "hardware"),
        ("tool.sox", "environment"),
        ("not virtual.container", "environment"),
        ("tool.sox and memory >= 16 GiB", "environment"),
        ("audio.capture", "environment"),
    ],
)
def test_the_cause_is_hardware_only_where_a_hardware_fact_makes_it_unmet(text: str, cause: str) -> None:
    assert evaluate(parse_requirement(text), MACHINE).cause == cause


def test_the_reason_names_what_was_asked_and_what_came_back() -> None:
    name = "module.neoabzu_memory"
    seen = facts(fact(name, evidence="find_spec found no module neoabzu_memory"))
    outcome = evaluate(parse_requirement(name), seen)
    assert outcome.reason == "module.neoabzu_memory: absent (find_spec found no module neoabzu_memory)"
    assert outcome.facts == (seen[name],)


def test_the_reason_shows_both_sides_exactly_in_one_unit() -> None:
    seen = facts(fact("memory", 64 * GIB - 1, "B"))
    outcome = evaluate(parse_requirement("memory >= 64 GiB"), seen)
    assert outcome.reason == "memory >= 64 GiB: memory is 68719476735 B, 64 GiB is 68719476736 B"


def test_every_obstacle_is_named_at_once_and_what_did_not_decide_is_not() -> None:
    text = "tool.sox and cpu.cores >= 12 and audio.capture and tool.docker and audio.playback"
    outcome = evaluate(parse_requirement(text), MACHINE)
    assert [each.name for each in outcome.facts] == ["audio.playback", "cpu.cores", "tool.sox"]
    assert outcome.reason.count(";") == 2


def test_a_name_without_a_fact_is_told_as_missing() -> None:
    outcome = evaluate(parse_requirement("tool.gone or tool.jackd"), MACHINE)
    assert outcome.missing == ("tool.gone",)
    assert [each.name for each in outcome.facts] == ["tool.jackd"]
    assert "tool.gone: unknown (it was not probed)" in outcome.reason


def test_a_fact_filed_under_another_name_counts_for_nothing() -> None:
    outcome = evaluate(parse_requirement("audio.playback"), {"audio.playback": fact("tool.docker", value=True)})
    assert outcome.state == "unknown"


def test_raw_output_cannot_smuggle_control_characters_into_a_reason() -> None:
    seen = facts(fact("tool.sox", evidence="\n\x1b[31mred\x07" + "x" * 4000))
    reason = evaluate(parse_requirement("tool.sox"), seen).reason
    assert reason.isprintable()
    assert len(reason) < 250


@pytest.mark.parametrize(
    ("text", "position", "told"),
    [
        ("", 1, "expected a fact name"),
        ("   ", 4, "found the end"),
        ("memory >=", 10, "complete the comparison"),
        ("memory >= GiB", 11, "expected a number"),
        ("memory = 64 GiB", 8, "write =="),
        ("memory => 64 GiB", 8, "write =="),
        ("memory === 64 GiB", 8, "write =="),
        ("memory <> 64 GiB", 8, "write one of"),
        ("64 GiB <= memory", 1, "put the fact's name first"),
        ("memory >= 64 GiB and", 21, "expected a fact name"),
        ("and memory", 1, "expected a fact name"),
        ("memory AND audio.playback", 8, "write and in lower case"),
        ("Audio.playback", 1, "lower case: audio.playback"),
        ("tool.git && tool.node", 10, "write and"),
        ("tool.git || tool.node", 10, "write or"),
        ("!tool.git", 1, "write not"),
        ("(tool.git", 10, "closing bracket"),
        ("tool.git)", 9, "expected `and`, `or` or the end"),
        ("()", 2, "expected a fact name"),
        ("tool.git tool.node", 10, "join it with `and` or `or`"),
        ("1 GiB < memory < 2 GiB", 1, "name first"),
        ("memory > 1 GiB < 2 GiB", 16, "join comparisons with `and`"),
        ("memory >= 64 gib", 11, "write GiB"),
        ("memory >= 1e9 B", 11, "plain decimal digits"),
        ("memory >= 0x10 B", 11, "0x10"),
        ("memory >= 1,000 B", 11, "no separators"),
        ("memory >= 64 GiB B", 18, "join it"),
        ("python.version >= 3.11.2", 19, 'quote it, "3.11.2"'),
        ("clock.trusted == true", 18, "write the name alone"),
        ("virtual.container == docker", 22, 'quote a text: "docker"'),
        ('cpu.model == "AMD', 14, "close the text"),
        ("cpu.model == 'A\nB'", 14, "close the text"),
        ("tool. and memory", 1, "expected a fact name"),
        ("tool.git; tool.node", 9, "is not understood"),
        ("tool/git", 5, "is not understood"),
        ("not " * 40 + "memory", 129, "nested deeper"),
        ("(" * 40 + "memory" + ")" * 40, 33, "nested deeper"),
        ("memory and " * 400 + "memory", 2001, "longer than"),
    ],
)
def test_a_text_that_cannot_be_read_says_where_and_what_to_write(text: str, position: int, told: str) -> None:
    with pytest.raises(RequirementError) as caught:
        parse_requirement(text)
    assert told in str(caught.value)
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("memory>=64GiB", "memory >= 64 GiB"),
        ("( memory ) and((audio.playback))", "memory and audio.playback"),
        ("(a and b) and (c)", "a and b and c"),
        ("(a and b) or (not (c))", "a and b or not c"),
        ("a and (b or c)", "a and (b or c)"),
        ("not (a or b)", "not (a or b)"),
        ("not (memory > 1 B)", "not memory > 1 B"),
        ("memory >= 064.50 GiB", "memory >= 64.5 GiB"),
        ("cpu.model == 'a \"b\"'", "cpu.model == 'a \"b\"'"),
        ("cpu.model=='a'", 'cpu.model == "a"'),
        ("tool.g++ or module.PIL", "tool.g++ or module.PIL"),
        ("level >= -14.5 LUFS\n  and a", "level >= -14.5 LUFS and a"),
    ],
)
def test_the_canonical_text_is_the_shortest_that_means_the_same(text: str, canonical: str) -> None:
    assert str(parse_requirement(text)) == canonical
    assert str(parse_requirement(canonical)) == canonical


def test_the_names_are_sorted_and_each_is_there_once() -> None:
    assert parse_requirement("b or not (a and b) or c > 1").names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("audio.playbak", ["audio.playbak: did you mean audio.playback?"]),
        ("affinity > 1", ["affinity: did you mean cpu.affinity?"]),
        ("tools.docker", ["tools.docker: did you mean tool.docker?"]),
        ("modul.yaml", ["modul.yaml: did you mean module.yaml?"]),
        ("tool.anything and module.anything.else and clock.trusted", []),
        (" and ".join(KNOWN_FACTS), []),
    ],
)
def test_a_name_that_nothing_answers_for_is_told_with_its_near_match(text: str, told: list[str]) -> None:
    assert check_names(parse_requirement(text)) == told


def test_the_secrets_that_are_asked_for_are_named_once():
    texts = [
        'secret("B_TOKEN") and memory >= 1 GiB',
        'secret("A_KEY") or secret("B_TOKEN")',
        "cpu.cores >= 2",
        "tool.secret",
    ]
    assert secret_names(texts) == ("A_KEY", "B_TOKEN")


def test_a_name_like_no_other_is_told_with_all_that_are_known() -> None:
    (sentence,) = check_names(parse_requirement("zzz"), ["memory", "cpu.cores"])
    assert sentence == 'zzz: no such fact; known are cpu.cores, memory, tool.NAME, module.NAME and secret("NAME")'


@pytest.mark.parametrize(
    "make",
    [
        lambda: Named("and"),
        lambda: Named("Memory"),
        lambda: Compared("memory", "=", Quantity(Fraction(1), "B")),  # type: ignore[arg-type]
        lambda: Compared("memory", ">", Quantity(Fraction(1, 3), "B")),
        lambda: Compared("cpu.model", "==", "both \" and '"),
        lambda: Compared("cpu.model", "==", "two\nlines"),
        lambda: Joined("and", (Named("a"),)),
        lambda: Joined("and", (Named("a"), Joined("and", (Named("b"), Named("c"))))),
        lambda: Joined("xor", (Named("a"), Named("b"))),  # type: ignore[arg-type]
    ],
)
def test_a_term_without_a_canonical_text_cannot_be_made(make: Any) -> None:
    with pytest.raises(ValueError, match=r"joins|quoted|no comparison|no fact name|no finite decimal"):
        make()


# Properties. Four names, each of which is a fact of any state, or no fact at all.

NAMES = ("a", "b.c", "tool.d", "module.E")
quantities = st.builds(
    Quantity, st.decimals(-1000, 1000, places=3).map(Fraction), st.sampled_from(["1", "%", "B", "GiB", "items"])
)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\n'"), max_size=8)
leaves = st.one_of(
    st.builds(Named, st.sampled_from(NAMES)),
    st.builds(Compared, st.sampled_from(NAMES), st.sampled_from(sorted(COMPARE)), st.one_of(quantities, texts)),
)


def joined(word: Literal["and", "or"], terms: list[Term]) -> Term:
    flat: list[Term] = []
    for term in terms:
        same = isinstance(term, Joined) and term.word == word
        flat.extend(term.terms if same and isinstance(term, Joined) else [term])
    return Joined(word, tuple(flat))


def extended(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
    lists = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(st.builds(Not, inner), st.builds(joined, st.sampled_from(["and", "or"]), lists))


terms: st.SearchStrategy[Term] = st.recursive(leaves, extended, max_leaves=8)
values = st.one_of(
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["docker", "3.11.2", "3.9"]),
)


def fact_of(name: str, value: Any, unit: str | None, state: str, kind: str) -> Fact:
    has_unit = state == "present" and isinstance(value, (int, float)) and not isinstance(value, bool)
    shown = value if state == "present" else None
    return fact(name, shown, unit if has_unit else None, state=state, kind=kind)


@st.composite
def machines(draw: st.DrawFn) -> Mapping[str, Fact]:
    made = {}
    for name in draw(st.sets(st.sampled_from(NAMES))):
        state = draw(st.sampled_from(["present", "absent", "unknown"]))
        unit = draw(st.sampled_from([None, "B", "items", "GPUs"]))
        kind = draw(st.sampled_from(["hardware", "environment"]))
        made[name] = fact_of(name, draw(values), unit, state, kind)
    return made


def state_of(term: Term, machine: Mapping[str, Fact]) -> str:
    return evaluate(Requirement(term), machine).state


@given(terms)
def test_what_is_printed_reads_back_as_the_same_requirement(term: Term) -> None:
    requirement = Requirement(term)
    assert parse_requirement(str(requirement)) == requirement


@given(st.text(st.sampled_from("ab.m >=<!()'\"16GiB%-andort\n"), max_size=40))
def test_any_text_is_a_requirement_or_a_requirement_error(text: str) -> None:
    try:
        requirement = parse_requirement(text)
    except RequirementError as problem:
        assert 1 <= problem.position <= len(text) + 1  # noqa: PT017 - both ways out are right
        return
    assert parse_requirement(str(requirement)) == requirement


@given(terms, terms, machines())
def test_the_laws_of_de_morgan_hold(left: Term, right: Term, machine: Mapping[str, Fact]) -> None:
    both = Not(joined("and", [left, right]))
    assert state_of(both, machine) == state_of(joined("or", [Not(left), Not(right)]), machine)
    either = Not(joined("or", [left, right]))
    assert state_of(either, machine) == state_of(joined("and", [Not(left), Not(right)]), machine)


@given(terms, terms, machines())
def test_order_and_repetition_change_nothing(left: Term, right: Term, machine: Mapping[str, Fact]) -> None:
    words: tuple[Literal["and", "or"], ...] = ("and", "or")
    for word in words:
        state = state_of(joined(word, [left, right]), machine)
        assert state == state_of(joined(word, [right, left]), machine)
        assert state == state_of(joined(word, [left, right, left]), machine)


@given(terms, machines())
def test_twice_not_is_nothing(term: Term, machine: Mapping[str, Fact]) -> None:
    assert state_of(Not(Not(term)), machine) == state_of(term, machine)


@given(terms, terms, machines())
def test_the_tables_are_those_of_kleene(left: Term, right: Term, machine: Mapping[str, Fact]) -> None:
    rank = {"unmet": 0, "unknown": 1, "met": 2}
    ranks = [rank[state_of(term, machine)] for term in (left, right)]
    assert rank[state_of(joined("and", [left, right]), machine)] == min(ranks)
    assert rank[state_of(joined("or", [left, right]), machine)] == max(ranks)


@given(terms, machines(), st.sets(st.sampled_from(NAMES)), st.booleans())
def test_knowing_less_never_decides_anew(
    term: Term, machine: Mapping[str, Fact], lost: set[str], dropped: bool
) -> None:
    less = {name: each for name, each in machine.items() if name not in lost}
    if not dropped:
        less |= {name: fact(name, state="unknown") for name in lost}
    assert state_of(term, less) in (state_of(term, machine), "unknown")


@given(terms)
def test_nothing_known_meets_nothing(term: Term) -> None:
    assert state_of(term, {}) == "unknown"


@given(terms, machines())
def test_the_deciding_facts_alone_give_the_same_state(term: Term, machine: Mapping[str, Fact]) -> None:
    outcome = evaluate(Requirement(term), machine)
    alone = evaluate(Requirement(term), facts(*outcome.facts))
    assert alone.state == outcome.state
    assert outcome.reason


def test_the_property_of_knowing_less_would_notice_a_hole() -> None:
    """The control: a rule that reads unknown as absent makes `not tool.d` met from nothing."""
    gone = {"tool.d": fact("tool.d")}
    hidden = {"tool.d": fact("tool.d", state="unknown")}
    assert state_of(Not(Named("tool.d")), gone) == "met"
    assert state_of(Not(Named("tool.d")), hidden) == "unknown"


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("secret", 1, '`secret` names no secret: write secret("API_TOKEN")'),
        ("secret.API_TOKEN", 1, 'names no secret: write secret("API_TOKEN")'),
        ("secret(API_TOKEN)", 8, "expected the quoted name of an environment variable, found `API_TOKEN`"),
        ('secret("API TOKEN")', 8, "expected the quoted name of an environment variable"),
        ('secret("")', 8, "expected the quoted name"),
        ('secret("API_TOKEN"', 19, "expected a closing bracket, found the end"),
        ('secret("API_TOKEN") == "abc"', 21, "a secret is there or not, found `==`; nothing of it is compared"),
        ("secret >= 5", 1, "names no secret"),
    ],
)
def test_a_secret_is_asked_for_in_one_spelling_and_never_compared(text: str, position: int, words: str) -> None:
    with pytest.raises(RequirementError) as caught:
        parse_requirement(text)
    assert caught.value.position == position
    assert words in str(caught.value)


def test_the_canonical_text_of_a_secret_reads_back() -> None:
    read = parse_requirement("not(secret( 'API_TOKEN'))and memory >= 1 GiB")
    assert str(read) == 'not secret("API_TOKEN") and memory >= 1 GiB'
    assert parse_requirement(str(read)) == read
    assert read.names == ("memory", "secret.API_TOKEN")
    assert check_names(read) == []


def test_nothing_of_a_secret_can_be_compared_by_value_either() -> None:
    with pytest.raises(ValueError, match="there or not"):
        Compared("secret.API_TOKEN", "==", "abc")
