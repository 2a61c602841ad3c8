"""The way of a question: retrieve, read, merge, answer or abstain, all on one generation."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

from rag.answers import Abstention, Answer, build_answers, group_spans
from rag.bounds import MAX_ANSWERS, MAX_K, MAX_QUESTION_CHARACTERS
from rag.chunks import Chunk
from rag.documents import Document
from rag.errors import InvalidRequest
from rag.reading.reader import Reader
from rag.retrieval.retriever import Hit, Mode, Retriever
from rag.stages import Outcome, stage, tell
from rag.store import Filters, Store

_WARM_UP: Final = Chunk(
    id=0, document="", start=0, end=6, text="Ready.", section=(), page=None, tokens=2
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The most that may be asked for: characters of a question, passages and answers."""

    question: int
    k: int
    answers: int

    def check(self, question: str, *, k: int, answers: int = 1) -> None:
        """Raise InvalidRequest for what cannot be asked, or is beyond the bounds."""
        if not question.strip():
            raise InvalidRequest("The question is empty. Ask something.", pointer="/question")
        if len(question) > self.question:
            raise InvalidRequest(
                f"The question has {len(question)} characters; at most {self.question} are read. "
                "Shorten it.",
                pointer="/question",
            )
        if "\0" in question or any("\ud800" <= character <= "\udfff" for character in question):
            raise InvalidRequest(
                "The question holds a NUL or a lone surrogate, which no text may. Remove it.",
                pointer="/question",
            )
        for name, value, most in (("k", k, self.k), ("answers", answers, self.answers)):
            if not 1 <= value <= most:
                raise InvalidRequest(
                    f"{name} must be from 1 to {most}, not {value}.", pointer=f"/{name}"
                )


WIDEST: Final = Bounds(question=MAX_QUESTION_CHARACTERS, k=MAX_K, answers=MAX_ANSWERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Passages for a question; `documents` holds the document of each hit by its id.

    `empty` tells that the store has no documents at all.
    `timings_ms` tells how long each stage took, in milliseconds.
    """

    question: str
    generation: int
    hits: tuple[Hit, ...]
    documents: dict[str, Document]
    empty: bool
    timings_ms: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The outcome of a question: answers best first, or none and the abstention that says why."""

    found: Found
    reader: str
    answers: tuple[Answer, ...]
    abstention: Abstention | None


class Answerer:
    """Answers questions over one store; safe to use from several threads.

    `min_confidence` withholds answers below it; None takes the reader's own threshold.
    """

    def __init__(
        self,
        store: Store,
        *,
        retriever: Retriever,
        reader: Reader,
        min_confidence: float | None = None,
        bounds: Bounds = WIDEST,
    ) -> None:
        self._bounds: Final = bounds
        self._retriever = retriever
        self.store: Final = store
        self.reader: Final = reader
        self.min_confidence: Final = (
            reader.calibration.min_confidence if min_confidence is None else min_confidence
        )

    def warm_up(self) -> None:
        """Bring the indexes up to the store and run every model once."""
        with self._retriever.turn(), self.store.snapshot() as snapshot:
            hits = self._retriever.retrieve(snapshot, "Ready?", k=1, filters=Filters())
        self.reader.read("Ready?", [hit.chunk for hit in hits] or [_WARM_UP])

    def search(
        self, question: str, *, k: int = 10, filters: Filters = Filters(), mode: Mode = "hybrid"
    ) -> Found:
        """Return at most k passages, best first; raise InvalidRequest for bad arguments."""
        self._bounds.check(question, k=k)
        started = time.perf_counter()
        with ExitStack() as stack:
            stack.enter_context(stage("retrieve"))
            with self._retriever.turn():
                snapshot = stack.enter_context(self.store.snapshot())
                hits = self._retriever.retrieve(snapshot, question, k=k, filters=filters, mode=mode)
            ids = dict.fromkeys(hit.chunk.document for hit in hits)
            return Found(
                question=question,
                generation=snapshot.generation,
                hits=tuple(hits),
                documents={id_: snapshot.document(id_) for id_ in ids},
                empty=not hits and not snapshot.count()[0],
                timings_ms={"retrieve": _ms(time.perf_counter() - started)},
            )

    def ask(
        self,
        question: str,
        *,
        answers: int = 3,
        k: int = 10,
        filters: Filters = Filters(),
        mode: Mode = "hybrid",
        min_confidence: float | None = None,
        on_found: Callable[[Found], None] | None = None,
    ) -> Answered:
        """Return at most `answers` answers read from k passages.

        Answers below `min_confidence` (0 to 1; None takes the default) are withheld. `on_found` is
        called with the passages before they are read; what it raises ends the question. Raises
        InvalidRequest for bad arguments.
        """
        self._bounds.check(question, k=k, answers=answers)
        threshold = self.min_confidence if min_confidence is None else min_confidence
        if not 0.0 <= threshold <= 1.0:
            raise InvalidRequest("min_confidence must be from 0 to 1.", pointer="/min_confidence")
        found = self.search(question, k=k, filters=filters, mode=mode)
        if on_found is not None:
            on_found(found)
        started = time.perf_counter()
        with stage("read"):
            spans = self.reader.read(question, [hit.chunk for hit in found.hits])
        read = time.perf_counter()
        with stage("answer"):
            built, best = build_answers(
                group_spans(spans, found.hits),
                found.hits,
                calibration=self.reader.calibration,
                document=found.documents.__getitem__,
                limit=answers,
                min_confidence=threshold,
            )
        done = time.perf_counter()
        abstention = None if built else _abstention(found, filters, spans=len(spans), best=best)
        tell(
            Outcome(
                question=question,
                answers=tuple(answer.text for answer in built),
                confidence=best if spans else None,
                abstention=abstention.reason if abstention else None,
            )
        )
        timings = {"read": _ms(read - started), "answer": _ms(done - read)}
        return Answered(
            found=replace(found, timings_ms=found.timings_ms | timings),
            reader=self.reader.name,
            answers=tuple(built),
            abstention=abstention,
        )


def _abstention(found: Found, filters: Filters, *, spans: int, best: float) -> Abstention:
    if found.empty:
        return Abstention(
            reason="empty_index",
            message="There are no documents yet. Add some, then ask again.",
        )
    if not found.hits:
        where = "The documents" if filters.empty else "The documents that meet the filters"
        return Abstention(
            reason="no_passage", message=f"{where} hold no passage to look for an answer in."
        )
    looked = f"{len(found.hits)} passages of {len(found.documents)} documents were read"
    if not spans:
        return Abstention(
            reason="no_span", message=f"The documents do not say: {looked}, none holds an answer."
        )
    return Abstention(
        reason="low_confidence",
        message=f"The documents do not seem to say: {looked}, and the likeliest answer has only a "
        f"{best:.0%} chance of being right.",
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
