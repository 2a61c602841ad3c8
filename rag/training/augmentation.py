"""Augmentation: the same question asked in other styles, and questions made unanswerable."""

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from rag.training.data import Example

_ASKING = frozenset(
    (
        *("who", "whom", "whose", "what", "which", "when", "where", "why", "how", "is", "are"),
        *("was", "were", "do", "does", "did", "has", "have", "had", "can", "could", "will"),
        *("would", "should", "may", "might", "must", "be", "been", "being"),
    )
)
_FUNCTION = _ASKING | frozenset(
    (
        *("the", "a", "an", "of", "to", "in", "on", "at", "by", "for", "from", "with", "and"),
        *("or", "it", "its", "his", "her", "their", "there", "that", "this", "these", "those"),
        *("as", "into", "about", "than", "then", "some", "any"),
    )
)
_KEYWORD_HINTS = {
    "when": ("date", "year", "when"),
    "where": ("location", "place", "where"),
    "who": ("who", "name", "who"),
    "how many": ("number of", "how many"),
    "how much": ("amount", "how much"),
    "why": ("reason", "why", "cause"),
}
_OPPOSITES = {
    "first": "last", "largest": "smallest", "oldest": "youngest", "highest": "lowest",
    "most": "least", "before": "after", "north": "south", "east": "west", "northern": "southern",
    "eastern": "western", "earliest": "latest", "longest": "shortest", "mother": "father",
    "brother": "sister", "son": "daughter", "born": "buried", "won": "lost", "opened": "closed",
    "maximum": "minimum", "more": "fewer", "best": "worst", "increase": "decrease",
    "second": "fourth", "third": "sixth", "wife": "mother", "husband": "father",
}  # fmt: skip
_OPPOSITE = {**_OPPOSITES, **{value: key for key, value in _OPPOSITES.items()}}
_YEAR = re.compile(r"\b(1[0-9]{3}|20[0-2][0-9])\b")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w’'-]+(?: [A-Z][\w’'-]+)*")


def restyle(question: str, rng: random.Random) -> str:
    """Ask a question as people type it: lower case, no question mark, key words, typing errors."""
    draw = rng.random()
    if draw < 0.08:
        question = keywords(question, rng)
    elif draw < 0.16:
        question = _moved_question_word(question)
    if rng.random() < 0.45:
        question = question.rstrip(" ?")
    elif rng.random() < 0.4 and not question.endswith("?"):
        question += "?"
    # The encoder is uncased: case matters only to what is cut by it above.
    if rng.random() < 0.07:
        question = mistype(question, rng)
    if rng.random() < 0.05:
        question = question.replace("'s ", "s ").replace("’s ", "s ")
    return question


def keywords(question: str, rng: random.Random) -> str:
    """Keep the words that carry content, as in a web search."""
    words = question.rstrip(" ?").split()
    lowered = " ".join(words).lower()
    hint = next((hints for asked, hints in _KEYWORD_HINTS.items() if lowered.startswith(asked)), ())
    kept = [word for word in words if word.lower().strip(",") not in _FUNCTION]
    if len(kept) < 2:
        return question
    if hint:
        chosen = rng.choice(hint)
        kept = [chosen, *kept] if rng.random() < 0.4 else [*kept, chosen]
    return " ".join(kept)


def _moved_question_word(question: str) -> str:
    """Turn "Where was X born?" into "X born where"."""
    words = question.rstrip(" ?").split()
    if len(words) < 4 or words[0].lower() not in ("who", "when", "where", "how", "why", "what"):
        return question
    asked = words[:2] if words[1].lower() in ("many", "much", "long", "old", "far") else words[:1]
    rest = words[len(asked) :]
    if rest[0].lower() in _ASKING:
        rest = rest[1:]
    return " ".join([*rest, *asked])


def mistype(question: str, rng: random.Random) -> str:
    """Make one typing error inside a word of four letters or more."""
    places = [match.start() for match in re.finditer(r"(?<=\w)\w(?=\w\w)", question)]
    if not places:
        return question
    at = rng.choice(places)
    error = rng.randrange(3)
    if error == 0:
        return question[:at] + question[at + 1] + question[at] + question[at + 2 :]
    if error == 1:
        return question[:at] + question[at + 1 :]
    return question[:at] + question[at] + question[at:]


def made_unanswerable(example: Example, names: Sequence[str], rng: random.Random) -> Example | None:
    """Change one word of the question so that the passage no longer answers it.

    A year becomes one that the passage does not name, a word its opposite, or a name one out of
    `names` (names from other passages). None where the question offers no such word.
    """
    question = example.question
    year = _YEAR.search(question)
    if year:
        other = str(int(year.group()) + rng.choice((-23, -11, -4, 3, 7, 16)))
        if other not in example.context:
            return _silent(example, question[: year.start()] + other + question[year.end() :])
    for match in re.finditer(r"\w+", question):
        opposite = _OPPOSITE.get(match.group().lower())
        if opposite and opposite not in example.context.lower():
            return _silent(example, question[: match.start()] + opposite + question[match.end() :])
    found = [match for match in _NAME.finditer(question) if match.group() in example.context]
    if found and names:
        swapped = rng.choice(found)
        other = rng.choice(names)
        if other.lower() not in example.context.lower():
            changed = question[: swapped.start()] + other + question[swapped.end() :]
            return _silent(example, changed)
    return None


def names_in(questions: Sequence[str]) -> list[str]:
    """Return the names that questions mention, for swapping."""
    return sorted({match.group() for text in questions for match in _NAME.finditer(text)})


def _silent(example: Example, question: str) -> Example:
    return replace(example, question=question, answers=())
