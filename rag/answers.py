"""Answers: spans that say the same are one answer with all its citations, or an abstention."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rag.chunks import Chunk
from rag.documents import Document
from rag.reading.calibration import NO_RIVAL, Calibration, Evidence
from rag.reading.reader import Span
from rag.retrieval.retriever import Hit
from rag.sentences import sentence_around

_MAX_CITATIONS: Final = 10
_SENTENCE_REACH: Final = 1500
# A minus is part of a number, a hyphen between words or in a range is not.
_WORD: Final = re.compile(r"[%$€£]|(?:(?<![\w-])-(?=\d))?\w+(?:[.-]\w+)*")
# Separators inside a number make no difference: 1,000 is 1000.
_SEPARATOR: Final = re.compile("(?<=\\d)[,'’\u00a0\u2009\u202f](?=\\d{3}(?!\\d))")
_ARTICLES: Final = frozenset({"a", "an", "the"})
_NEGATIONS: Final = frozenset({"never", "no", "not", "without"})
# Answers of at least this many words may differ in a few of them and still say the same.
_MIN_WORDS_FOR_SIMILAR: Final = 5
_SIMILAR_F1: Final = 0.8

Reason = Literal["empty_index", "no_passage", "no_span", "low_confidence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A place in a document; `quote == document.text[start:end]`.

    Offsets are half-open: `start`, `end` in code points, `start_byte`, `end_byte` in the text's
    UTF-8 bytes. `before` and `after` are what stands around the quote, up to the ends of its
    sentence. `section` is the heading path, `page` 1-based or None.
    """

    document: Document
    start: int
    end: int
    start_byte: int
    end_byte: int
    page: int | None
    section: tuple[str, ...]
    before: str
    quote: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the documents say, in their words.

    `confidence` is the calibrated probability that the answer is right; `sentence` is the one
    around the first citation. Citations lie strongest first.
    """

    text: str
    confidence: float
    sentence: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Abstention:
    """Why there is no answer."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanGroup:
    """Spans that give the same answer, strongest first, and the evidence they make together."""

    spans: tuple[Span, ...]
    evidence: Evidence


def group_spans(spans: Sequence[Span], hits: Sequence[Hit]) -> list[SpanGroup]:
    """Return the different answers among spans, in order of their strongest span.

    `spans` lie best first, and a span's `chunk` is a position in `hits`. Spans are one answer when
    their texts agree but for case, accents, articles, punctuation and, in longer ones, a few words
    that are neither numbers nor negations.
    A span that overlaps a stronger one of another text is a variant of it and is dropped.
    """
    groups: list[list[Span]] = []
    for span in spans:
        document = hits[span.chunk].chunk.document
        places = [
            (other, hits[other.chunk].chunk.document == document and _overlap(other, span))
            for group in groups
            for other in group
        ]
        if any(overlaps for _, overlaps in places):
            continue
        for group in groups:
            if _same_answer(group[0].text, span.text):
                group.append(span)
                break
        else:
            groups.append([span])
    return [
        SpanGroup(spans=tuple(group), evidence=_evidence(group, groups, hits)) for group in groups
    ]


def build_answers(
    groups: Sequence[SpanGroup],
    hits: Sequence[Hit],
    *,
    calibration: Calibration,
    document: Callable[[str], Document],
    limit: int,
    min_confidence: float,
) -> tuple[list[Answer], float]:
    """Return at most `limit` answers of sufficient confidence, best first, and the best confidence.

    The best confidence is 0.0 without groups; it tells how far an abstention was from an answer.
    """
    ranked = sorted(
        ((calibration.confidence(group.evidence), group) for group in groups),
        key=lambda pair: (-pair[0], -pair[1].spans[0].score, pair[1].spans[0].chunk),
    )
    answers = []
    for confidence, group in ranked[:limit]:
        if confidence < min_confidence:
            break
        citations = tuple(
            _citation(span, hits[span.chunk].chunk, document(hits[span.chunk].chunk.document))
            for span in group.spans[:_MAX_CITATIONS]
        )
        first = citations[0]
        answers.append(
            Answer(
                text=first.quote,
                confidence=confidence,
                sentence=first.before + first.quote + first.after,
                citations=citations,
            )
        )
    return answers, ranked[0][0] if ranked else 0.0


def _evidence(group: list[Span], groups: list[list[Span]], hits: Sequence[Hit]) -> Evidence:
    best = group[0]
    rivals = [other[0].score for other in groups if other is not group]
    return Evidence(
        score=best.score,
        relevance=best.relevance,
        margin=best.score - max(rivals) if rivals else NO_RIVAL,
        passages=len({span.chunk for span in group}),
        rank=best.chunk,
        retrieval_score=hits[best.chunk].similarity or 0.0,
        words=len(best.text.split()),
    )


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _same_answer(one: str, other: str) -> bool:
    words, others = _words(one), _words(other)
    if words == others:
        return True
    if min(len(words), len(others)) < _MIN_WORDS_FOR_SIMILAR or _facts(words) != _facts(others):
        return False
    common = (Counter(words) & Counter(others)).total()
    return 2 * common / (len(words) + len(others)) >= _SIMILAR_F1


def _facts(words: Sequence[str]) -> set[str]:
    # Sentences that differ in one of these say different things, however much else they share.
    return {w for w in words if w in _NEGATIONS or any(c.isdigit() for c in w)}


def _words(text: str) -> list[str]:
    # Separators go first: the normalization makes common spaces of those among them.
    plain = _SEPARATOR.sub("", text).replace("\u2212", "-")
    decomposed = unicodedata.normalize("NFKD", plain.casefold())
    kept = "".join(c for c in decomposed if not unicodedata.combining(c))
    words = [w for w in _WORD.findall(kept) if w not in _ARTICLES]
    return words or [kept]


def _citation(span: Span, chunk: Chunk, document: Document) -> Citation:
    start, end = sentence_bounds(document, span.start, span.end)
    start_byte = len(document.text[: span.start].encode())
    return Citation(
        document=document,
        start=span.start,
        end=span.end,
        start_byte=start_byte,
        end_byte=start_byte + len(span.text.encode()),
        page=page_at(document, span.start),
        section=chunk.section,
        before=document.text[start : span.start],
        quote=document.text[span.start : span.end],
        after=document.text[span.end : end],
    )


def page_at(document: Document, offset: int) -> int | None:
    """Return the number of the page an offset lies on, None in a document without pages."""
    number = None
    for page in document.pages:
        if page.start > offset:
            break
        number = page.number
    return number


def sentence_bounds(document: Document, start: int, end: int) -> tuple[int, int]:
    """Return the offsets of the sentence or sentences that hold `start:end`.

    Sentences end at their section's end; of one longer than about a page only the part around the
    span is taken.
    """
    low, high = max(0, start - _SENTENCE_REACH), min(len(document.text), end + _SENTENCE_REACH)
    for section in document.sections:
        if section.start <= start < section.end:
            low, high = max(low, section.start), max(end, min(high, section.end))
    first, last = sentence_around(document.text[low:high], start - low, end - low)
    return low + first, low + last
