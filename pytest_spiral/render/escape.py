"""Escaping: one sink per kind of output, for everything that comes from tests or from the system under test.

Two steps, always in this order: `visible` turns what a reader cannot see (control characters, direction
overrides, lone surrogates) into backslash escapes; the sink's own step then takes the power from what the
output format would act upon. Escaped text is for reading, not for reading back.
"""

import html as _html
import re
import unicodedata
from typing import Final

# Cc control, Cf format (direction overrides, zero-width), Cs lone surrogates, Co private, Zl and Zp line ends.
# Unassigned characters stay: which they are changes with the Unicode version, and output must not.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

# Commands of CI runners are read from ordinary output: `::error::` and `##[error]` (GitHub), `##vso[`
# (Azure Pipelines), `##teamcity[`. The first counts after leading blanks only, the others anywhere in a line.
_COMMAND_START: Final = re.compile(r"(?<!\S)::")
_COMMAND_ANYWHERE: Final = re.compile(r"#(?=#[a-z]*\[)", re.IGNORECASE)

# An underscore inside a word marks nothing up (CommonMark 0.31, 6.2), and escaped it would be hard to read.
_MARKDOWN: Final = re.compile(r"([\\`*{}\[\]#|!~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_AUTOLINK: Final = re.compile(r"(?<=:)//|(?<=www)\.", re.IGNORECASE)
_PROPERTY_SPECIAL: Final = frozenset("\\=:#!")


def visible(text: str) -> str:
    r"""Write every character that a reader cannot see as a backslash escape: `\n`, `\x1b`, `\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def terminal(text: str) -> str:
    """Make a text safe for one line of a terminal, and of a CI log that acts upon what it prints."""
    seen = _COMMAND_ANYWHERE.sub(r"#\\", visible(text))
    return _COMMAND_START.sub(r"\\::", seen)


def markdown(text: str) -> str:
    """Make a text safe inside a line or a table cell of Markdown: no markup, no HTML, no link of its own."""
    entities = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    marked = _MARKDOWN.sub(r"\\\1", entities)
    return _AUTOLINK.sub(lambda found: f"\\{found.group()}", marked)


def markdown_code(text: str) -> str:
    """Make a code span of Markdown that the text cannot end: its fence is longer than any run of backticks inside.

    Format: CommonMark 0.31, 6.1. A text with a bar becomes plain text instead, since a table (GFM 0.29, 4.10)
    splits its cells before it looks for code spans.
    """
    seen = visible(text)
    if "|" in seen or not seen.strip():
        return markdown(seen)
    longest = max((len(run) for run in re.findall(r"`+", seen)), default=0)
    fence = "`" * (longest + 1)
    gap = " " if seen.startswith("`") or seen.endswith("`") else ""
    return f"{fence}{gap}{seen}{gap}{fence}"


def html(text: str) -> str:
    """Make a text safe as content or as a quoted attribute of HTML."""
    return _html.escape(visible(text), quote=True)


def xml(text: str) -> str:
    """Make a text safe as content or as a quoted attribute of XML 1.0: of a picture. JUnit files are pytest's own.

    What XML cannot carry at all (NUL, lone surrogates) is written out, and no text can end a section: `>` is an entity.
    """
    return _html.escape(visible(text), quote=True)


def allure(text: str) -> str:
    """Make a text safe as a value of an Allure result: JSON carries it, and the page shows it as text."""
    return visible(text)


def ci_message(text: str) -> str:
    """Make a text safe as the message of a workflow command (`::error file=…::MESSAGE`); line ends are kept.

    Percent-encoding of GitHub's workflow commands: `%`, carriage return and line feed, nothing else.
    """
    lines = "\n".join(visible(line) for line in text.splitlines())
    return lines.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def ci_property(text: str) -> str:
    """Make a text safe as a property of a workflow command (`file=…`, `title=…`)."""
    return ci_message(visible(text)).replace(":", "%3A").replace(",", "%2C")


def properties_value(text: str) -> str:
    r"""Make a text safe as a value of a `.properties` file: ASCII, `\uXXXX` in UTF-16 units for the rest.

    Format: java.util.Properties.load (Java SE 17).
    """
    written = "".join(_property(character) for character in visible(text))
    return f"\\{written}" if written.startswith(" ") else written


def properties_key(text: str) -> str:
    """Make a text safe as a key of a `.properties` file: as a value, and no blank ends it."""
    return "".join("\\ " if character == " " else _property(character) for character in visible(text))


def _escaped(character: str) -> str:
    code = ord(character)
    noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF  # XML 1.0 forbids two of them
    if unicodedata.category(character) not in _UNSEEN and not noncharacter:
        return character
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _property(character: str) -> str:
    if character in _PROPERTY_SPECIAL:
        return f"\\{character}"
    if character.isascii():
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
