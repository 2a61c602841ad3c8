"""Translates between the core's values and the wire's."""

from datetime import date

from rag import answers, store, verification
from rag.answering import Answered, Found
from rag.api import schemas
from rag.documents import Document
from rag.errors import InvalidRequest
from rag.retrieval.retriever import Hit


def filters_in(filters: schemas.Filters | None) -> store.Filters:
    """Return the core's filters; raise InvalidRequest for a date that is none."""
    if filters is None:
        return store.Filters()
    return store.Filters(
        documents=None if filters.documents is None else tuple(filters.documents),
        media_types=None if filters.media_types is None else tuple(filters.media_types),
        published_from=_day("published_from", filters.published_from),
        published_to=_day("published_to", filters.published_to),
        metadata=tuple(sorted((filters.metadata or {}).items())),
    )


def asked_out(answered: Answered) -> schemas.AskResponse:
    """Return the response to a question."""
    found, abstention = answered.found, answered.abstention
    return schemas.AskResponse(
        question=found.question,
        generation=found.generation,
        reader=answered.reader,
        answers=[_answer(answer) for answer in answered.answers],
        abstention=None
        if abstention is None
        else schemas.Abstention(reason=abstention.reason, message=abstention.message),
        passages=[_passage(hit, found.documents) for hit in found.hits],
        timings_ms=found.timings_ms,
    )


def hits_out(found: Found) -> schemas.Hits:
    """Return the passages that are going to be read."""
    return schemas.Hits(
        question=found.question,
        generation=found.generation,
        passages=[_passage(hit, found.documents) for hit in found.hits],
        timings_ms=found.timings_ms,
    )


def done_out(response: schemas.AskResponse) -> schemas.Done:
    """Return what a response has beside its passages and answers."""
    return schemas.Done(
        question=response.question,
        generation=response.generation,
        reader=response.reader,
        abstention=response.abstention,
        timings_ms=response.timings_ms,
    )


def found_out(found: Found) -> schemas.SearchResponse:
    """Return the response to a search."""
    return schemas.SearchResponse(
        question=found.question,
        generation=found.generation,
        hits=[_passage(hit, found.documents) for hit in found.hits],
        timings_ms=found.timings_ms,
    )


def listed_out(
    snapshot: store.Snapshot, *, limit: int, offset: int, search: str = ""
) -> schemas.DocumentList:
    """Return a page of the documents that are searched for, and how many there are in all."""
    listed = snapshot.summaries(limit=limit, offset=offset, search=search)
    return schemas.DocumentList(
        generation=snapshot.generation,
        total=snapshot.count_containing(search),
        documents=[summary_out(each) for each in listed],
    )


def summary_out(summary: store.DocumentSummary) -> schemas.DocumentSummary:
    """Return a document as lists show it."""
    return schemas.DocumentSummary(
        id=summary.id,
        title=summary.title,
        uri=summary.uri,
        version=_version(summary.sha256),
        media_type=summary.media_type,
        published=summary.published,
        characters=summary.characters,
        chunks=summary.chunks,
        metadata=summary.metadata,
    )


def quote_in(
    citation: schemas.QuotedSpan, *, before: str = "", after: str = ""
) -> verification.Quote:
    """Return the core's quote."""
    version = citation.version
    return verification.Quote(
        document=citation.document,
        sha256=None if version is None else version.removeprefix(_version("")),
        start=citation.start,
        end=citation.end,
        text=citation.quote,
        before=before,
        after=after,
    )


def verified_out(verified: verification.Verified) -> schemas.Verification:
    """Return what became of a quote."""
    place = verified.place
    return schemas.Verification(
        status=verified.status,
        message=verified.message,
        version=None if verified.sha256 is None else _version(verified.sha256),
        start=None if place is None else place[0],
        end=None if place is None else place[1],
    )


def _day(name: str, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        day = date.fromisoformat(value).isoformat()
    except ValueError:
        day = None
    if day != value:  # there are other ISO 8601 forms, such as 20231120
        raise InvalidRequest(
            f"{name} must be a date such as 2023-11-20, not {value!r}.", pointer=f"/filters/{name}"
        )
    return day


def _version(sha256: str) -> str:
    return f"sha256:{sha256}"


def _reference(document: Document) -> schemas.DocumentRef:
    return schemas.DocumentRef(
        id=document.id,
        title=document.title,
        uri=document.uri,
        version=_version(document.sha256),
    )


def _answer(answer: answers.Answer) -> schemas.Answer:
    return schemas.Answer(
        text=answer.text,
        confidence=round(answer.confidence, 4),
        sentence=answer.sentence,
        citations=[_citation(citation) for citation in answer.citations],
    )


def _citation(citation: answers.Citation) -> schemas.Citation:
    return schemas.Citation(
        document=_reference(citation.document),
        start=citation.start,
        end=citation.end,
        start_byte=citation.start_byte,
        end_byte=citation.end_byte,
        page=citation.page,
        section=list(citation.section),
        published=citation.document.published,
        before=citation.before,
        quote=citation.quote,
        after=citation.after,
    )


def _passage(hit: Hit, documents: dict[str, Document]) -> schemas.Passage:
    document = documents[hit.chunk.document]
    return schemas.Passage(
        document=_reference(document),
        start=hit.chunk.start,
        end=hit.chunk.end,
        page=hit.chunk.page,
        section=list(hit.chunk.section),
        published=document.published,
        text=hit.chunk.text,
        score=round(hit.score, 6),
    )
