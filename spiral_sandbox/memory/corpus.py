"""The seeded corpus: as many distinct texts as asked for, the same ones for the same seed.

Texts gather around topics, so that each has near neighbours that share words with it. A longer corpus of
the same seed begins with the shorter one.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence

_SYLLABLES = [first + vowel for first in "bdfgklmnprstvz" for vowel in ("a", "e", "i", "o", "u", "ai", "or", "en")]
_WORDS = 4000
_TOPICS = 400
_WORDS_PER_TOPIC = 40


def texts(seed: int) -> Iterator[str]:
    """Distinct texts without end: 6 to 10 words of one topic, then 2 to 4 words of any."""
    # Only Random.random() is promised to give the same numbers in every version of Python.
    draw = random.Random(f"memory corpus {seed}").random  # noqa: S311  reproducible on purpose
    words = _vocabulary(draw)
    topics = [_some(draw, words, _WORDS_PER_TOPIC) for _ in range(_TOPICS)]
    seen: set[str] = set()
    while True:
        topic = topics[_below(draw, _TOPICS)]
        text = " ".join(_some(draw, topic, 6 + _below(draw, 5)) + _some(draw, words, 2 + _below(draw, 3)))
        if text not in seen:
            seen.add(text)
            yield text


def corpus(seed: int, count: int) -> list[str]:
    """The first `count` texts of a seed."""
    return list(itertools.islice(texts(seed), count))


def _vocabulary(draw: Callable[[], float]) -> list[str]:
    words: dict[str, None] = {}
    while len(words) < _WORDS:
        words["".join(_some(draw, _SYLLABLES, 2 + _below(draw, 3)))] = None
    return list(words)


def _some(draw: Callable[[], float], items: Sequence[str], count: int) -> list[str]:
    return [items[_below(draw, len(items))] for _ in range(count)]


def _below(draw: Callable[[], float], bound: int) -> int:
    return int(draw() * bound)
