"""Exact match and token F1, as the official SQuAD 2.0 script has them."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Final

RIGHT_F1: Final = 0.6
"""An answer whose words overlap a right one's by this F1 or more counts as right."""

_ARTICLES: Final = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """Return what answers are compared by: no case, punctuation, articles, extra white space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(text: str, golds: Sequence[str]) -> float:
    """Return 1.0 if the text equals one of the right answers once normalised, else 0.0.

    Without right answers, or where all are nothing once normalised, only saying nothing is right.
    """
    return max(float(normalised(text) == normalised(gold)) for gold in _comparable(golds))


def f1_score(text: str, golds: Sequence[str]) -> float:
    """Return the best word overlap with a right answer, as F1 of bags of words.

    Without right answers, or where all are nothing once normalised, only saying nothing is right.
    """
    given = normalised(text).split()
    return max(_f1(given, normalised(gold).split()) for gold in _comparable(golds))


def contains(text: str, gold: str) -> bool:
    """Tell whether the gold's words stand in the text in a row, both normalised."""
    wanted = normalised(gold)
    return bool(wanted) and f" {wanted} " in f" {normalised(text)} "


def _comparable(golds: Sequence[str]) -> list[str]:
    return [gold for gold in golds if normalised(gold)] or [""]


def _f1(given: Sequence[str], wanted: Sequence[str]) -> float:
    if not given or not wanted:
        return float(given == wanted)
    common = (Counter(given) & Counter(wanted)).total()
    return 2 * common / (len(given) + len(wanted))
