"""Makes records and reports of evaluations that never ran."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rag.eval.records import (
    RECORDS,
    AnswerRecord,
    CitationRecord,
    Gold,
    HitRecord,
    Record,
    Report,
    Scores,
    encode_record,
    write_report,
)
from rag.eval.summary import summarise
from rag.eval.table import table_of

BEFORE = "It was finished in "


def gold(text: str, *, start: int = 19, document: str = "d") -> Gold:
    """Return a right answer at its place."""
    return Gold(text=text, document=document, start=start, end=start + len(text), grade=1)


def answer(text: str, *, confidence: float, f1: float | None) -> AnswerRecord:
    """Return an answer that stands in a sentence from the beginning of document d on."""
    citation = CitationRecord(
        document="d",
        uri="d.txt",
        start=len(BEFORE),
        end=len(BEFORE) + len(text),
        quote=text,
        verified=True,
        holds_gold=bool(f1),
    )
    return AnswerRecord(
        text=text,
        sentence=f"{BEFORE}{text}, they say.",
        sentence_start=0,
        confidence=confidence,
        citations=(citation,),
        exact=None if f1 is None else float(f1 == 1),
        f1=f1,
        right=(f1 or 0.0) >= 0.6,
    )


def hit(*, holds_gold: bool, excerpt: str = "", start: int = 0, length: int = 300) -> HitRecord:
    """Return a passage of document d."""
    return HitRecord(
        document="d",
        uri="d.txt",
        start=start,
        end=start + length,
        score=0.5,
        holds_gold=holds_gold,
        excerpt=excerpt,
    )


def record(
    number: int,
    *,
    f1: float = 1.0,
    confidence: float = 0.5,
    rank: int | None = 1,
    answerable: bool = True,
    threshold: float = 0.3,
    text: str = "1911",
    cluster: str | None = None,
    **changed: Any,
) -> Record:
    """Return the record of question `number`; its answer stands in the passage of rank `rank`."""
    abstained = confidence < threshold
    right = answerable and f1 >= 0.6
    if not answerable:
        cause = "rightly_abstained" if abstained else "wrongly_answered"
    elif right:
        cause = "wrongly_abstained" if abstained else "right"
    else:
        cause = "wrong_span" if rank else "not_retrieved"
    fields: dict[str, Any] = {
        "id": f"q{number}",
        "question": f"When was number {number} built?",
        "task": "answers",
        "kind": "when",
        "document_kind": "text/plain",
        "cluster": cluster or f"passage {number}",
        "answerable": answerable,
        "golds": (gold("1911"),) if answerable else (),
        "answers": (answer(text, confidence=confidence, f1=f1 if answerable else None),),
        "confidence": confidence,
        "abstained": abstained,
        "reason": "low_confidence" if abstained else None,
        "hits": tuple(
            hit(holds_gold=place == rank, excerpt=f"{BEFORE}1911." if place == rank else "")
            for place in range(1, 6)
        ),
        "given": None,
        "scores": Scores(exact=float(f1 == 1), f1=f1, best_exact=float(f1 == 1), best_f1=f1)
        if answerable
        else None,
        "overlap": None,
        "cause": cause,
        "timings_ms": {"retrieve": 5.0, "read": 40.0, "answer": 1.0, "total": 46.0},
    }
    return Record(**fields | changed)


def write_run(
    directory: Path, records: Iterable[Record], *, settings: dict[str, Any] | None = None
) -> Path:
    """Write a run's records and report, and return its directory."""
    kept: Sequence[Record] = list(records)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / RECORDS).write_bytes(b"".join(map(encode_record, kept)))
    write_report(report_of(kept, settings=settings), directory)
    return directory


def report_of(records: Sequence[Record], *, settings: dict[str, Any] | None = None) -> Report:
    """Return the report on records."""
    return summarise(
        table_of(records), settings={"min_confidence": 0.3, "reader": "fake", **(settings or {})}
    )
