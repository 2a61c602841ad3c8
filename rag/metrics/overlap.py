"""How much of some reference passages was found, in words counted by their places."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

Place = tuple[str, int]

_WORD: Final = re.compile(r"\w+")


def word_places(document: str, start: int, text: str) -> set[Place]:
    """Return the places of the words of a text that stands at `start` in a document."""
    return {(document, start + match.start()) for match in _WORD.finditer(text)}


def shared_words(texts: Iterable[str], references: Iterable[str]) -> tuple[int, int, int]:
    """Return how many words texts and references have in common, and each of them has.

    Words are counted as in bags, without regard to case.
    """
    given, wanted = _bag(texts), _bag(references)
    return (given & wanted).total(), given.total(), wanted.total()


def recall(*, shared: float, reference: float) -> float:
    """Return the share of the reference that was found; not a number for an empty reference."""
    return shared / reference if reference else float("nan")


def precision(*, shared: float, found: float) -> float:
    """Return the share of what was found that belongs to the reference, 0.0 for nothing found."""
    return shared / found if found else 0.0


def iou(*, shared: float, found: float, reference: float) -> float:
    """Return intersection over union; not a number where both are empty."""
    union = found + reference - shared
    return shared / union if union else float("nan")


def _bag(texts: Iterable[str]) -> Counter[str]:
    return Counter(word for text in texts for word in _WORD.findall(text.lower()))
