"""The questions that went worst, as the report shows them."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rag.eval.records import AnswerRecord, Gold, HitRecord, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of text; `marked` where it is part of a right answer, or is the quote."""

    text: str
    marked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A question and the pieces of its answers' sentences and of its passages, in their order.

    `further` tells, per passage, whether a right answer stands behind what is shown of it.
    """

    record: Record
    answers: tuple[tuple[AnswerRecord, tuple[Piece, ...]], ...]
    hits: tuple[tuple[HitRecord, tuple[Piece, ...], bool], ...]


def worst(records: Iterable[Record], *, count: int) -> list[Shown]:
    """Return the questions that went worst, the worst first, keeping no others in memory."""
    # Between equals the earlier question is the worse; the number also keeps records uncompared.
    numbered = ((badness(record), -number, record) for number, record in enumerate(records))
    found = heapq.nlargest(count, (item for item in numbered if item[0] > 0))
    return [show(record) for _, _, record in found]


def badness(record: Record) -> float:
    """Return how badly a question went, from 0 to 2; 0.0 says that there is nothing to mend.

    Worst are wrong answers that were given, the surer the worse (above 1); then silence where the
    documents say something, the less sure the worse; then documents asked for that were not found.
    """
    if record.task == "documents":
        return 0.0 if any(hit.holds_gold for hit in record.hits[:10]) else 0.5
    if record.cause in {"right", "rightly_abstained"}:
        return 0.0
    return 1.0 - record.confidence if record.abstained else 1.0 + record.confidence


def show(record: Record) -> Shown:
    """Return a question with what is marked in its answers and passages."""
    return Shown(
        record=record,
        answers=tuple((answer, _sentence(answer)) for answer in record.answers),
        hits=tuple(
            (hit, _passage(hit, record.golds), _further(hit, record.golds))
            for hit in record.hits
            if hit.excerpt
        ),
    )


def pieces(text: str, spans: Iterable[tuple[int, int]]) -> tuple[Piece, ...]:
    """Cut a text at spans, which may overlap and reach over its ends, and mark what they cover."""
    found: list[Piece] = []
    done = 0
    for start, end in sorted(spans):
        first, last = max(start, done), min(end, len(text))
        if first >= last:
            continue
        found += [Piece(text=text[done:first], marked=False)] if first > done else []
        found.append(Piece(text=text[first:last], marked=True))
        done = last
    return (*found, Piece(text=text[done:], marked=False)) if done < len(text) else tuple(found)


def _sentence(answer: AnswerRecord) -> tuple[Piece, ...]:
    if not answer.citations:
        return ()
    first = answer.citations[0]
    start = first.start - answer.sentence_start
    return pieces(answer.sentence, [(start, start + len(first.quote))])


def _passage(hit: HitRecord, golds: Sequence[Gold]) -> tuple[Piece, ...]:
    return pieces(
        hit.excerpt,
        [
            (gold.start - hit.start, gold.end - hit.start)
            for gold in golds
            if gold.document == hit.document and gold.start is not None and gold.end is not None
        ],
    )


def _further(hit: HitRecord, golds: Sequence[Gold]) -> bool:
    shown = hit.start + len(hit.excerpt)
    return any(
        gold.document == hit.document and gold.end is not None and shown < gold.end <= hit.end
        for gold in golds
    )
