"""Judges answers, citations and passages by what is known of a question.

An answer is right if

- its words overlap a right answer's by an F1 of `RIGHT_F1` or more, or
- of a question with references, at least half the words of the first place that it cites lie in a
  reference.
"""

from collections.abc import Sequence
from typing import Final

from rag.answers import Answer, Citation
from rag.chunks import Chunk
from rag.documents import Document
from rag.eval.records import (
    AnswerRecord,
    CitationRecord,
    Gold,
    HitRecord,
    Overlap,
    Scores,
    Task,
)
from rag.metrics.overlap import shared_words, word_places
from rag.metrics.texts import RIGHT_F1, contains, exact_match, f1_score
from rag.retrieval.retriever import Hit

OVERLAP_DEPTH: Final = 5
_EXCERPTS: Final = 5
_EXCERPT: Final = 400
_HALF: Final = 0.5


def judge_answer(answer: Answer, *, task: Task, golds: Sequence[Gold]) -> AnswerRecord:
    """Return an answer with how right it is; of an unanswerable question none is right."""
    exact = f1 = right = None
    if task == "answers" and golds:
        texts = [gold.text for gold in golds]
        exact, f1 = exact_match(answer.text, texts), f1_score(answer.text, texts)
        right = f1 >= RIGHT_F1
    elif task != "documents":
        right = bool(golds) and _lies_in(answer.citations[0], golds)
    return AnswerRecord(
        text=answer.text,
        sentence=answer.sentence,
        sentence_start=answer.citations[0].start - len(answer.citations[0].before),
        confidence=answer.confidence,
        citations=tuple(_judge_citation(c, task=task, golds=golds) for c in answer.citations),
        exact=exact,
        f1=f1,
        right=right,
    )


def _judge_citation(citation: Citation, *, task: Task, golds: Sequence[Gold]) -> CitationRecord:
    start, end = citation.start, citation.end
    document = citation.document
    return CitationRecord(
        document=document.id,
        uri=document.uri,
        start=start,
        end=end,
        quote=citation.quote,
        verified=document.text[start:end] == citation.quote,
        holds_gold=any(contains(citation.quote, gold.text) for gold in golds)
        if task == "answers"
        else _lies_in(citation, golds),
    )


def judge_hit(
    hit: Hit, document: Document, *, rank: int, task: Task, golds: Sequence[Gold]
) -> HitRecord:
    """Return a passage, of this rank from 1, with whether it holds a gold."""
    return HitRecord(
        document=document.id,
        uri=document.uri,
        start=hit.chunk.start,
        end=hit.chunk.end,
        score=hit.score,
        holds_gold=any(_holds(hit.chunk, gold, task) for gold in golds),
        excerpt=hit.chunk.text[:_EXCERPT] if rank <= _EXCERPTS else "",
    )


def covers_reference(document: str, start: int, end: int, reference: Gold) -> bool:
    """Tell whether a passage covers at least half the characters of a reference."""
    if reference.document != document or reference.start is None or reference.end is None:
        return False
    shared = min(end, reference.end) - max(start, reference.start)
    return shared >= _HALF * (reference.end - reference.start)


def score(answers: Sequence[AnswerRecord]) -> Scores:
    """Return the scores of judged answers, best first; nothing answered scores nothing."""
    exact = [answer.exact or 0.0 for answer in answers] or [0.0]
    f1 = [answer.f1 or 0.0 for answer in answers] or [0.0]
    return Scores(exact=exact[0], f1=f1[0], best_exact=max(exact), best_f1=max(f1))


def overlap(golds: Sequence[Gold], hits: Sequence[Hit], given: Sequence[Answer]) -> Overlap:
    """Count the words that references share with the first passages and with cited sentences."""
    gold = set().union(*(_gold_places(reference) for reference in golds))
    retrieved = set().union(
        *(
            word_places(hit.chunk.document, hit.chunk.start, hit.chunk.text)
            for hit in hits[:OVERLAP_DEPTH]
        )
    )
    firsts = [answer.citations[0] for answer in given]
    cited = set().union(
        *(
            word_places(c.document.id, c.start - len(c.before), c.before + c.quote + c.after)
            for c in firsts
        )
    )
    texts = list(dict.fromkeys(c.before + c.quote + c.after for c in firsts))
    shared, _, _ = shared_words(texts, [reference.text for reference in golds])
    return Overlap(
        gold=len(gold),
        retrieved=len(retrieved),
        retrieved_gold=len(retrieved & gold),
        cited=len(cited),
        cited_gold=len(cited & gold),
        shared=shared,
    )


def _holds(chunk: Chunk, gold: Gold, task: Task) -> bool:
    if gold.document is not None and gold.document != chunk.document:
        return False
    if task == "documents":
        return True
    if task == "references":
        return covers_reference(chunk.document, chunk.start, chunk.end, gold)
    if gold.start is None or gold.end is None:
        return contains(chunk.text, gold.text)
    return chunk.start <= gold.start and gold.end <= chunk.end


def _lies_in(citation: Citation, golds: Sequence[Gold]) -> bool:
    quoted = word_places(citation.document.id, citation.start, citation.quote)
    inside = quoted & set().union(*(_gold_places(gold) for gold in golds))
    return bool(quoted) and len(inside) >= _HALF * len(quoted)


def _gold_places(gold: Gold) -> set[tuple[str, int]]:
    return word_places(gold.document or "", gold.start or 0, gold.text)
