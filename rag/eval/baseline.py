"""A run reduced to what a comparison needs, small enough to be kept with the code."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from rag.eval.records import RECORDS, AnswerRecord, Record, encode_record


def write_baseline(records: Iterable[Record], directory: Path) -> None:
    """Write the reduced records of a run into a directory, in place of those that are there."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / RECORDS).open("wb") as file:
        for record in records:
            file.write(encode_record(reduced(record)))


def reduced(record: Record) -> Record:
    """Return a record without what no measure is computed from.

    That is texts of passages and sentences, second answers, times, and of a question with answers
    the passages behind the first that is right and the first of a right document.
    """
    return replace(
        record,
        answers=tuple(_answer(answer) for answer in record.answers[:1]),
        hits=tuple(
            replace(hit, uri="", excerpt="", score=0.0) for hit in record.hits[: _looked_at(record)]
        ),
        timings_ms={},
    )


def _looked_at(record: Record) -> int:
    """Return how many of the passages the measures look at."""
    if record.task != "answers":
        return len(record.hits)
    right = {gold.document for gold in record.golds}
    holding = (rank for rank, hit in enumerate(record.hits, start=1) if hit.holds_gold)
    near = (rank for rank, hit in enumerate(record.hits, start=1) if hit.document in right)
    return max(next(holding, 0), next(near, 0))


def _answer(answer: AnswerRecord) -> AnswerRecord:
    citations = tuple(replace(citation, uri="", quote="") for citation in answer.citations)
    return replace(answer, sentence="", sentence_start=0, citations=citations)
