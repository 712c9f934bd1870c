"""Reading texts: words, sentences, themes. The same on every machine, in every locale: nothing here asks for one."""

import re
from collections import Counter

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_LEAST_LETTERS = 4
_EMPTY = frozenset(
    [
        "about",
        "after",
        "again",
        "also",
        "because",
        "been",
        "before",
        "being",
        "both",
        "could",
        "does",
        "doing",
        "down",
        "each",
        "even",
        "every",
        "first",
        "from",
        "have",
        "here",
        "into",
        "itself",
        "just",
        "like",
        "more",
        "most",
        "much",
        "must",
        "only",
        "other",
        "over",
        "same",
        "should",
        "some",
        "such",
        "than",
        "that",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "under",
        "until",
        "very",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "will",
        "with",
        "would",
        "your",
    ]
)


def words(text: str) -> list[str]:
    """The words of a text in their order, in lower case."""
    return _WORD.findall(text.casefold())


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with the mark that ends it."""
    return [part.strip() for part in _SENTENCE_END.split(text.strip()) if part.strip()]


def themes(text: str, most: int) -> list[str]:
    """Words that carry the text: the most frequent first, those of one frequency in the order of the text."""
    counts = Counter(word for word in words(text) if len(word) >= _LEAST_LETTERS and word not in _EMPTY)
    return [word for word, _ in counts.most_common(most)]


def shared(one: str, other: str) -> list[str]:
    """Theme words that two texts have in common, in the order of the first."""
    beside = set(words(other))
    return [word for word in themes(one, len(one)) if word in beside]
