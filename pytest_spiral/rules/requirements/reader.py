"""Reading a requirement: tokens, then recursive descent, one method for each rule of the grammar.

Loosest binding first; names are fact names, a quantity is a number with its unit::

    requirement = all { "or" all }
    all         = one { "and" one }
    one         = "not" one | "(" requirement ")" | "secret" "(" text ")" | name [ comparison literal ]
    comparison  = "==" | "!=" | "<" | "<=" | ">" | ">="
    literal     = quantity | '"' text '"' | "'" text "'"
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from pytest_spiral.model.profile import SECRET, is_fact_name
from pytest_spiral.rules.requirements.terms import RESERVED, Compared, Joined, Named, Not, Requirement, Term
from pytest_spiral.rules.units import Quantity, UnitError, parse_quantity

_LENGTH_LIMIT: Final = 2000
_DEPTH_LIMIT: Final = 32
_TOKEN: Final = re.compile(
    r"""(?P<blank>[ \t\r\n]+)
      | (?P<compare>==|!=|<=|>=|<(?!>)|>(?!<))(?![=<>])
      | (?P<bracket>[()])
      | (?P<text>"[^"\r\n]*"|'[^'\r\n]*')
      | (?P<number>-?[0-9][0-9A-Za-z_.,%']*)
      | (?P<word>%|[A-Za-z_µμ][A-Za-z0-9_.+-]*)""",
    re.VERBOSE,
)
_SLIPS: Final = {
    "=": "write == to compare",
    "&": "write and",
    "|": "write or",
    "!": "write not before a name, or != to compare",
    "<": "write one of == != < <= > >=",
    ">": "write one of == != < <= > >=",
    '"': "close the text with the quote it began with",
    "'": "close the text with the quote it began with",
}


class RequirementError(ValueError):
    """A requirement that cannot be read. `position` counts characters from 1."""

    def __init__(self, text: str, position: int, problem: str) -> None:
        self.text = text
        self.position = position
        super().__init__(f"requirement {text!r}, position {position}: {problem}")


def parse_requirement(text: str) -> Requirement:
    """Read a requirement; RequirementError says where it broke, what was expected and what to write instead."""
    if len(text) > _LENGTH_LIMIT:
        raise RequirementError(text[:40] + "…", _LENGTH_LIMIT + 1, f"longer than {_LENGTH_LIMIT} characters")
    return Requirement(_Reader(text).requirement())


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


class _Reader:
    """A place in the tokens of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._next = 0
        self._depth = 0

    def requirement(self) -> Term:
        """Read the whole text."""
        term = self._joined("or")
        if self._token.kind != "end":
            raise self._error("expected `and`, `or` or the end", remedy=_after_term(self._token))
        return term

    def _joined(self, word: Literal["and", "or"]) -> Term:
        terms: list[Term] = []
        while True:
            term = self._joined("and") if word == "or" else self._one()
            same = isinstance(term, Joined) and term.word == word
            terms.extend(term.terms if same and isinstance(term, Joined) else (term,))
            if not self._take("word", word):
                return terms[0] if len(terms) == 1 else Joined(word, tuple(terms))

    def _one(self) -> Term:
        self._depth += 1
        if self._depth > _DEPTH_LIMIT:
            raise self._error(f"nested deeper than {_DEPTH_LIMIT}", remedy="split it into several requirements")
        if self._take("word", "not"):
            term: Term = Not(self._one())
        elif self._take("bracket", "("):
            term = self._joined("or")
            if not self._take("bracket", ")"):
                raise self._error("expected `and`, `or` or a closing bracket", remedy=_after_term(self._token))
        else:
            term = self._plain()
        self._depth -= 1
        return term

    def _plain(self) -> Term:
        name = self._token
        if name.kind != "word" or not is_fact_name(name.text) or name.text in RESERVED:
            raise self._error("expected a fact name such as audio.playback", remedy=_before_term(name))
        self._next += 1
        if name.text == "secret" or name.text.startswith(SECRET):
            return self._secret(name)
        if self._token.kind != "compare":
            return Named(name.text)
        comparison: Any = self._token.text
        self._next += 1
        return Compared(name.text, comparison, self._literal())

    def _secret(self, word: _Token) -> Term:
        """Read what stands after `secret`: the variable's name, in brackets and quotes."""
        how = 'write secret("API_TOKEN"), with the name of the environment variable that holds it'
        if word.text != "secret" or not self._take("bracket", "("):
            raise RequirementError(self._text, word.position, f"`{word.text}` names no secret: {how}")
        text = self._token
        name = SECRET + text.text[1:-1]
        if text.kind != "text" or not is_fact_name(name):
            raise self._error("expected the quoted name of an environment variable", remedy=how)
        self._next += 1
        if not self._take("bracket", ")"):
            raise self._error("expected a closing bracket", remedy=how)
        if self._token.kind == "compare":
            raise self._error("a secret is there or not", remedy="nothing of it is compared; remove the comparison")
        return Named(name)

    def _literal(self) -> Quantity | str:
        token = self._token
        if token.kind == "text":
            self._next += 1
            return token.text[1:-1]
        if token.kind != "number":
            raise self._error("expected a number or a quoted text", remedy=_no_literal(token))
        self._next += 1
        written, unit = token.text, self._token
        if unit.kind == "word" and unit.text not in RESERVED:
            self._next += 1
            written = f"{token.text} {unit.text}"
        try:
            return parse_quantity(written)
        except UnitError as problem:
            hint = '; a version is a text: quote it, "3.11.2"' if token.text.count(".") > 1 else ""
            raise RequirementError(self._text, token.position, f"{problem}{hint}") from problem

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, kind: str, text: str) -> bool:
        found = self._token.kind == kind and self._token.text == text
        self._next += found
        return found

    def _error(self, expected: str, *, remedy: str) -> RequirementError:
        token = self._token
        found = "the end" if token.kind == "end" else f"`{token.text}`"
        tail = f"; {remedy}" if remedy else ""
        return RequirementError(self._text, token.position, f"{expected}, found {found}{tail}")


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            slip = _SLIPS.get(text[position], "names, numbers, quoted texts, brackets and comparisons are known")
            raise RequirementError(text, position + 1, f"`{text[position]}` is not understood: {slip}")
        if match.lastgroup and match.lastgroup != "blank":
            yield _Token(match.lastgroup, match.group(), position + 1)
        position = match.end()
    yield _Token("end", "", len(text) + 1)


def _before_term(token: _Token) -> str:
    if token.kind in ("number", "text"):
        return "put the fact's name first, as in memory >= 64 GiB"
    if token.kind == "word" and is_fact_name(token.text.lower()) and token.text.lower() not in RESERVED:
        return f"names are in lower case: {token.text.lower()}"
    return "write a name, `not` or an opening bracket here"


def _after_term(token: _Token) -> str:
    if token.kind == "compare":
        return "compare one name with one value, and join comparisons with `and`"
    if token.kind == "word" and token.text.lower() in RESERVED:
        return f"write {token.text.lower()} in lower case"
    return "remove the rest, or join it with `and` or `or`"


def _no_literal(token: _Token) -> str:
    if token.kind != "word":
        return "complete the comparison, as in memory >= 64 GiB"
    if token.text.lower() in ("true", "false"):
        return "write the name alone, or `not` before it"
    return f'quote a text: "{token.text}"'
