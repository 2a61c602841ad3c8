"""Questions that a collection offers as examples: made of its headings, kept if it answers them."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Final, TypeVar

from rag.answering import Answered
from rag.documents import Document
from rag.store import Snapshot

SHOWN: Final = 4
MAX_TRIED: Final = 12
MAX_DOCUMENTS: Final = 12
MAX_CHARACTERS: Final = 300_000  # of a document; larger ones are not looked through
# A calibrated chance of being right, from which on the page says "likely". At the usual threshold
# every other answer may be wrong: fair to somebody who has to know, but a poor example.
MIN_CONFIDENCE: Final = 0.7

_LONGEST: Final = 80  # characters of a heading; longer ones are sentences
_QUESTION: Final = re.compile(r"(?:^|: )([^:\n]+[?？؟])\s*$")
_TOPIC: Final = re.compile(r"The (\S+ (?:of|in|with|between|for|from) .*[^.!])")
_YEAR: Final = re.compile(r"\b(?:1[5-9]|20)\d\d$")
_PLURAL: Final = re.compile(r"([^\W\d_]+[^\W\d_s]s) ((?:of|in|with|between|for|from) .*[^.!])")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A question and where its heading stands; `section` is empty for a document's title."""

    question: str
    document: str
    section: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    candidate: Candidate
    confidence: float


class Selection:
    """Chooses among candidates by asking them in order: `next`, `take` its answer, and so on."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._waiting: Final = deque(candidates)
        self._kept: Final[list[_Kept]] = []
        self._tried = 0

    def next(self) -> Candidate | None:
        """Return the candidate to ask now; None when there are enough, or enough were tried."""
        given = {(each.candidate.document, each.candidate.section) for each in self._kept}
        if self._tried == MAX_TRIED or len({document for document, _ in given}) == SHOWN:
            return None
        while self._waiting:
            candidate = self._waiting.popleft()
            if (candidate.document, candidate.section) not in given:
                self._tried += 1
                return candidate
        return None

    def take(self, candidate: Candidate, answered: Answered) -> None:
        """Keep the candidate if it is answered with confidence, and from its heading's own place.

        An answer from elsewhere is as a rule about something else, however likely it seems.
        """
        for best in answered.answers[:1]:
            own = any(
                cited.document.id == candidate.document
                and cited.section[: len(candidate.section)] == candidate.section
                for cited in best.citations
            )
            if own and best.confidence >= MIN_CONFIDENCE:
                self._kept.append(_Kept(candidate=candidate, confidence=best.confidence))

    def questions(self) -> list[str]:
        """Return those to show: the likeliest of each document, then the second ones, and so on."""
        by_document: dict[str, list[str]] = {}
        for kept in sorted(self._kept, key=lambda each: each.confidence, reverse=True):
            by_document.setdefault(kept.candidate.document, []).append(kept.candidate.question)
        return list(_in_turns(by_document.values()))[:SHOWN]


def candidates_in(snapshot: Snapshot) -> list[Candidate]:
    """Return the candidates of a collection's first documents by uri."""
    small = [
        summary.id
        for summary in snapshot.summaries(limit=MAX_DOCUMENTS)
        if summary.characters <= MAX_CHARACTERS
    ]
    return candidates(snapshot.document(id_) for id_ in small)


def candidates(documents: Iterable[Document]) -> list[Candidate]:
    """Return the questions that titles and headings make, in turns from each document."""
    different: dict[str, Candidate] = {}
    for candidate in _in_turns([list(_candidates_of(document)) for document in documents]):
        different.setdefault(candidate.question, candidate)
    return list(different.values())


def questions_of(heading: str, *, text: str) -> list[str]:
    """Return the question that a heading is, or those that it safely makes in English, if any.

    `text` is the document's: it shows which words are names.
    """
    if question := _QUESTION.search(heading):
        return [question[1]] if len(question[1]) <= _LONGEST else []
    if len(heading) > _LONGEST or re.search(r"[:;\n]", heading):
        return []
    who, _, what = heading.partition(" on ")
    if " " in what and " on " not in what and _is_name(who, text):
        return [f"What did {who} say about {what}?"]
    if topic := _TOPIC.fullmatch(heading):
        asked = [f"What do the documents say about the {topic[1]}?"]
        return [*asked, f"What was the {topic[1]}?"] if _YEAR.search(heading) else asked
    if plural := _PLURAL.fullmatch(heading):
        first = plural[1].lower()
        if re.search(rf"\b{first}\b", text):  # no name, which would have its capital there too
            return [f"What is said about {first} {plural[2]}?"]
    return []


def _is_name(words: str, text: str) -> bool:
    """Tell whether up to three words have their capitals inside a sentence too."""
    parts = words.split(" ")
    if len(parts) > 3 or not all(part[:1].isupper() for part in parts):
        return False
    return re.search(rf"[^\W\d_A-Z],? {re.escape(words)}\b", text) is not None


def _candidates_of(document: Document) -> Iterator[Candidate]:
    paths = dict.fromkeys(section.path for section in document.sections if section.path)
    headings = chain([((), document.title)], ((path, path[-1]) for path in paths))
    for path, heading in headings:
        for question in questions_of(heading, text=document.text):
            yield Candidate(question=question, document=document.id, section=path)


def _in_turns(lists: Iterable[Sequence[T]]) -> Iterator[T]:
    for round_ in zip_longest(*([(item,) for item in each] for each in lists), fillvalue=()):
        yield from chain.from_iterable(round_)
