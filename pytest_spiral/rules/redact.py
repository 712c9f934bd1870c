"""Taking declared secrets out of text, however they were spelled on the way."""

import base64
import json
import re
from collections.abc import Iterable
from functools import cache
from mmap import mmap

SHORTEST_SECRET = 4
"""Characters that a secret has at least: anything shorter would strike out ordinary text."""

REPLACEMENT = "***"
"""What stands in place of a secret. It is shorter than every secret, so that `Redactor.redact` comes to an end."""

_SEXTETS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_URL_TWINS = {"+": "-", "/": "_"}
_PADDING = rb"(?:=|%3[Dd]){0,2}"


class Redactor:
    """Finds and replaces declared secrets in their usual spellings.

    Known spellings: plain; URL-escaped and JSON-escaped, whole or in part; hexadecimal in either case; base64 in the
    standard and the URL alphabet, also where the secret is only a part of what was encoded (as in HTTP's basic
    authentication). Not known: compressed, encrypted or split secrets, and escapes inside escapes.

    Raises ValueError, which does not quote the secret, for one of fewer than 4 characters.
    """

    __slots__ = ("_count", "_pattern")

    def __init__(self, secrets: Iterable[str]) -> None:
        given = list(secrets)
        for place, secret in enumerate(given, 1):
            if len(secret) < SHORTEST_SECRET:
                raise ValueError(f"secret {place} of {len(given)} is shorter than {SHORTEST_SECRET} characters")
        # The longest first: where one secret begins another, the whole of the longer one must go.
        ordered = sorted(set(given), key=lambda secret: (-len(secret), secret))
        self._count = len(ordered)
        self._pattern = re.compile(b"|".join(map(_spellings, ordered))) if ordered else None

    def __bool__(self) -> bool:
        return self._count > 0

    def __repr__(self) -> str:
        return f"<Redactor, secrets: {self._count}>"

    def redact(self, text: str) -> str:
        """The text with every secret replaced by `***`; `find` finds nothing in what is returned."""
        if self._pattern is None:
            return text
        return self.strike(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def strike(self, data: bytes) -> bytes:
        """As `redact`, for bytes of any kind; those that are no text stay as they are."""
        if self._pattern is None:
            return data
        replaced = 1
        # A replacement can complete another secret (`***` beside an asterisk), so look again until none is left.
        while replaced:
            data, replaced = self._pattern.subn(REPLACEMENT.encode(), data)
        return data

    def find(self, data: bytes | mmap) -> tuple[int, ...]:
        """Offsets in bytes at which a spelling of a secret begins, ascending; for scans of what was written."""
        if self._pattern is None:
            return ()
        return tuple(found.start() for found in self._pattern.finditer(data))


def _spellings(secret: str) -> bytes:
    encoded = secret.encode("utf-8", "surrogatepass")
    return b"|".join((_escaped(secret), _hexadecimal(encoded), *(_base64(encoded, shift) for shift in range(3))))


def _escaped(secret: str) -> bytes:
    """The plain text, each character of which may be written as a URL or a JSON text would write it."""
    parts = re.findall(r"\\+|[^\\]", secret, re.DOTALL)
    return b"".join(_backslashes(len(part)) if part[0] == "\\" else _character(part) for part in parts)


def _backslashes(count: int) -> bytes:
    # A run is one repetition: an alternative for each would backtrack without end on a long run.
    return rb"(?:\\{%d,%d}|(?:%%5[Cc]){%d}|(?:\\u005[Cc]){%d})" % (count, 2 * count, count, count)


@cache
def _character(character: str) -> bytes:
    encoded = character.encode("utf-8", "surrogatepass")
    ways = [re.escape(encoded), b"".join(b"%" + _any_case(b"%02x" % byte) for byte in encoded)]
    units = character.encode("utf-16-be", "surrogatepass")
    ways.append(b"".join(rb"\\u" + _any_case(units[at : at + 2].hex().encode()) for at in range(0, len(units), 2)))
    short = json.dumps(character)[1:-1]
    if len(short) == 2:  # one of the two-character escapes
        ways.append(re.escape(short.encode()))
    ways += {" ": [rb"\+"], "/": [rb"\\/"]}.get(character, [])
    return b"(?:" + b"|".join(ways) + b")"


def _any_case(hexadecimal: bytes) -> bytes:
    return re.sub(rb"[a-f]", lambda found: b"[" + found[0] + found[0].upper() + b"]", hexadecimal)


def _hexadecimal(encoded: bytes) -> bytes:
    return _any_case(encoded.hex().encode())


def _base64(encoded: bytes, shift: int) -> bytes:
    """The secret in base64 where `shift` bytes of something else (modulo 3) stand before it.

    The first and the last sextet may hold bits of what stands beside the secret: there, each sextet that agrees with
    the secret's own bits is taken. Source: RFC 4648, sections 4 and 5.
    """
    low, high = (_sextets(bytes([filler]) * shift + encoded, filler) for filler in (0x00, 0xFF))
    first = shift * 8 // 6
    pairs = zip(low[first:], high[first:], strict=True)
    return b"".join(_between(*pair) for pair in pairs) + _PADDING


def _sextets(data: bytes, filler: int) -> list[int]:
    """The sextets that begin inside the data, the last one filled up with the filler's bits."""
    text = base64.b64encode(data + bytes([filler]) * 2)
    return [_SEXTETS.index(chr(letter)) for letter in text[: -(-len(data) * 8 // 6)]]


def _between(low: int, high: int) -> bytes:
    """Every sextet that has the bits which both agree on."""
    free = low ^ high
    letters = [_SEXTETS[sextet] for sextet in range(64) if sextet & ~free == low & ~free]
    return b"(?:" + b"|".join(way for letter in letters for way in _letter(letter)) + b")"


def _letter(letter: str) -> list[bytes]:
    if letter not in _URL_TWINS:
        return [letter.encode()]
    return [
        re.escape(letter.encode()),
        _URL_TWINS[letter].encode(),
        *([rb"\\/"] if letter == "/" else []),
        b"%" + _any_case(b"%02x" % ord(letter)),
    ]
