"""Asks one labelled question and records what came of it."""

from dataclasses import replace
from typing import Final, Protocol

from rag.answering import Answered, Found
from rag.bounds import MAX_K
from rag.chunks import Chunk
from rag.eval.attribution import cause_of
from rag.eval.examples import Example
from rag.eval.judging import judge_answer, judge_hit, overlap, score
from rag.eval.kinds import kind_of
from rag.eval.places import Places
from rag.eval.records import GivenRecord, Record
from rag.metrics.texts import exact_match, f1_score
from rag.reading.reader import Reader
from rag.retrieval.retriever import Hit, Mode
from rag.store import Store

ANSWERS: Final = 3
HITS: Final = 20


class Asked(Protocol):
    """The part of an `Answerer` that an evaluation needs."""

    @property
    def store(self) -> Store:
        """Holds what is asked."""
        ...

    @property
    def reader(self) -> Reader:
        """Reads what was retrieved."""
        ...

    @property
    def min_confidence(self) -> float:
        """The confidence below which answers are withheld."""
        ...

    def ask(
        self, question: str, *, answers: int, k: int, mode: Mode, min_confidence: float | None
    ) -> Answered:
        """Answer from k passages."""
        ...

    def search(self, question: str, *, k: int, mode: Mode) -> Found:
        """Return k passages, those for a smaller k first."""
        ...


class Asker:
    """Asks an answerer over its store as it is now; `mode` is what passages are ranked by."""

    def __init__(self, answerer: Asked, *, k: int, mode: Mode = "hybrid") -> None:
        self._answerer = answerer
        self._k = k
        self._mode: Final = mode
        self._places = Places(answerer.store)

    def ask(self, example: Example) -> Record:
        """Ask a question and judge what comes; raises BrokenFile for golds that are not there."""
        resolved = self._places.resolve(example)
        if example.task == "documents":
            return self._search(resolved)
        answered = self._answerer.ask(
            example.question, answers=ANSWERS, k=self._k, mode=self._mode, min_confidence=0.0
        )
        found = self._answerer.search(example.question, k=max(HITS, self._k), mode=self._mode)
        task, golds = example.task, resolved.golds
        judged = tuple(judge_answer(a, task=task, golds=golds) for a in answered.answers)
        hits = tuple(
            judge_hit(hit, found.documents[hit.chunk.document], rank=rank, task=task, golds=golds)
            for rank, hit in enumerate(found.hits, start=1)
        )
        threshold = self._answerer.min_confidence
        confidence = judged[0].confidence if judged else 0.0
        abstained = not judged or confidence < threshold
        reason = answered.abstention.reason if answered.abstention else "low_confidence"
        given = [answer for answer in answered.answers if answer.confidence >= threshold]
        return replace(
            self._empty(resolved, timings_ms=answered.found.timings_ms),
            answers=judged,
            confidence=confidence,
            abstained=abstained,
            reason=reason if abstained else None,
            hits=hits[:HITS],
            given=self._read_gold(resolved),
            scores=score(judged) if task == "answers" and golds else None,
            overlap=overlap(golds, found.hits, given) if task == "references" and golds else None,
            cause=cause_of(
                answerable=bool(golds), abstained=abstained, answers=judged, hits=hits, k=self._k
            ),
        )

    def _search(self, example: Example) -> Record:
        found = self._answerer.search(example.question, k=MAX_K, mode=self._mode)
        firsts: dict[str, Hit] = {}
        for hit in found.hits:
            firsts.setdefault(hit.chunk.document, hit)
        hits = (
            judge_hit(hit, found.documents[id_], rank=rank, task=example.task, golds=example.golds)
            for rank, (id_, hit) in enumerate(list(firsts.items())[:HITS], start=1)
        )
        return replace(self._empty(example, timings_ms=found.timings_ms), hits=tuple(hits))

    def _empty(self, example: Example, *, timings_ms: dict[str, float]) -> Record:
        return Record(
            id=example.id,
            question=example.question,
            task=example.task,
            kind=kind_of(example.question),
            document_kind=self._places.media_type(example.golds[0]) if example.golds else None,
            cluster=self._cluster(example),
            answerable=bool(example.golds),
            golds=example.golds,
            answers=(),
            confidence=0.0,
            abstained=False,
            reason=None,
            hits=(),
            given=None,
            scores=None,
            overlap=None,
            cause=None,
            timings_ms=timings_ms | {"total": round(sum(timings_ms.values()), 1)},
        )

    def _cluster(self, example: Example) -> str:
        """Return the name of the passage that the question is on, its own where none is known."""
        if example.context is not None:
            return example.context.uri
        chunk = self._places.chunk(example.golds[0]) if example.golds else None
        return f"question:{example.id}" if chunk is None else f"chunk:{chunk.id}"

    def _read_gold(self, example: Example) -> GivenRecord | None:
        """Read the passage that the question came with, else the chunk around the first gold."""
        if example.task != "answers" or not example.golds:
            return None
        if example.context is not None:
            chunk: Chunk | None = _as_chunk(example.context.text)
        else:
            chunk = self._places.chunk(example.golds[0])
        if chunk is None:
            return None
        spans = self._answerer.reader.read(example.question, [chunk])
        text = spans[0].text if spans else ""
        golds = [gold.text for gold in example.golds]
        return GivenRecord(text=text, exact=exact_match(text, golds), f1=f1_score(text, golds))


def _as_chunk(text: str) -> Chunk:
    return Chunk(
        id=0, document="", start=0, end=len(text), text=text, section=(), page=None, tokens=0
    )
