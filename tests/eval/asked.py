"""An answerer over a real store without models: it ranks by words and reads by rule."""

import re
from collections import Counter

from rag.answering import Answered, Found
from rag.answers import Abstention, Answer, Citation, sentence_bounds
from rag.chunks import Chunk
from rag.reading.calibration import FEATURES, Calibration
from rag.reading.reader import Span
from rag.retrieval.retriever import Hit
from rag.store import Store

_NUMBER = re.compile(r"\d+")


class NumberReader:
    """Takes every number for an answer, the first in a passage for the best."""

    name = "numbers-1"
    calibration = Calibration(weights=(0.0,) * len(FEATURES), bias=0.0, min_confidence=0.5)

    def read(self, question, chunks):
        """Return the numbers, passage by passage."""
        assert question
        return [
            Span(
                chunk=position,
                start=chunk.start + match.start(),
                end=chunk.start + match.end(),
                text=match[0],
                score=1.0 - rank,
                relevance=0.0,
            )
            for position, chunk in enumerate(chunks)
            for rank, match in enumerate(_NUMBER.finditer(chunk.text))
        ]


class WordAnswerer:
    """Ranks chunks by the words they share with the question; answers with the first numbers.

    The confidence is the share of the question's words that stand in the passage.
    """

    def __init__(self, store: Store, *, min_confidence: float = 0.5) -> None:
        self.store = store
        self.reader = NumberReader()
        self.min_confidence = min_confidence
        self.asked: list[str] = []
        self.modes: list[str] = []
        with store.snapshot() as snapshot:
            ids = [summary.id for summary in snapshot.summaries(limit=1000)]
            self._documents = {id_: snapshot.document(id_) for id_ in ids}
            self._chunks = snapshot.chunks(snapshot.chunk_ids(ids).tolist())

    def search(self, question, *, k, mode="hybrid"):
        """Return the k chunks that share most words, whatever the mode."""
        self.modes.append(mode)
        scored = [(_shared(question, chunk), chunk) for chunk in self._chunks]
        scored.sort(key=lambda pair: (-pair[0], pair[1].id))
        hits = tuple(Hit(chunk=chunk, score=s, similarity=None) for s, chunk in scored[:k] if s)
        return Found(
            question=question,
            generation=1,
            hits=hits,
            documents={hit.chunk.document: self._documents[hit.chunk.document] for hit in hits},
            empty=False,
            timings_ms={"retrieve": 2.0},
        )

    def ask(self, question, *, answers, k, min_confidence, mode="hybrid"):
        """Answer with the first number of each passage."""
        self.asked.append(question)
        assert min_confidence == 0.0
        found = self.search(question, k=k, mode=mode)
        spans = self.reader.read(question, [hit.chunk for hit in found.hits])
        firsts = {span.chunk: span for span in reversed(spans)}
        built = [self._answer(found.hits[place], firsts[place]) for place in sorted(firsts)][
            :answers
        ]
        found.timings_ms.update(read=10.0, answer=1.0)
        return Answered(
            found=found,
            reader=self.reader.name,
            answers=tuple(built),
            abstention=None if built else Abstention(reason="no_span", message="Nothing."),
        )

    def _answer(self, hit: Hit, span: Span) -> Answer:
        document = self._documents[hit.chunk.document]
        start, end = sentence_bounds(document, span.start, span.end)
        citation = Citation(
            document=document,
            start=span.start,
            end=span.end,
            start_byte=span.start,
            end_byte=span.end,
            page=None,
            section=(),
            before=document.text[start : span.start],
            quote=span.text,
            after=document.text[span.end : end],
        )
        sentence = document.text[start:end]
        return Answer(
            text=span.text, confidence=hit.score, sentence=sentence, citations=(citation,)
        )


def _shared(question: str, chunk: Chunk) -> float:
    asked, there = (Counter(re.findall(r"\w+", t.lower())) for t in (question, chunk.text))
    return (asked & there).total() / asked.total()
