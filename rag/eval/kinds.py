"""Kinds of questions, told by their question word."""

import re
from typing import Final

from rag.eval.records import Kind

_WORDS: Final = re.compile(r"[\w']+")
_NUMERALS: Final = frozenset({"many", "much", "few", "little"})
_OPENER: Final = re.compile(
    r"\W*(?:am|are|can|could|did|do|does|had|has|have|is|may|might|must|shall|should|was|were|will"
    r"|would|describe|explain|give|list|name|tell)\b"
)
_KINDS: Final[dict[str, Kind]] = {
    "what": "what",
    "what's": "what",
    "which": "which",
    "who": "who",
    "who's": "who",
    "whom": "who",
    "whose": "who",
    "when": "when",
    "where": "where",
    "why": "why",
    "how": "how",
}
_MAX_KEYWORDS: Final = 6


def kind_of(question: str) -> Kind:
    """Return the kind of a question by its first question word.

    A question that opens with a verb ("Is there", "Name the") is "other". A text of at most six
    words with neither a question word nor a question mark is "keywords".
    """
    lowered = question.lower().replace("’", "'")
    if _OPENER.match(lowered):
        return "other"
    words = _WORDS.findall(lowered)
    for place, word in enumerate(words):
        if kind := _KINDS.get(word):
            counts = kind == "how" and not _NUMERALS.isdisjoint(words[place + 1 : place + 2])
            return "how-many" if counts else kind
    return "keywords" if "?" not in question and len(words) <= _MAX_KEYWORDS else "other"
