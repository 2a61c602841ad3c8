"""Questions, and what their answers are checked and judged by."""

from collections.abc import Sequence
from typing import Any, Literal

from rag.api import schemas
from rag.client.calls.call import DEFAULT, Call


def ask(
    question: str,
    *,
    answers: int = 3,
    k: int = 10,
    filters: schemas.Filters | None = None,
    min_confidence: float | None = None,
    collection: str = DEFAULT,
) -> Call[schemas.AskResponse]:
    """Answer a question with at most `answers` spans, read from k passages, or abstain."""
    request = schemas.AskRequest(
        question=question,
        answers=answers,
        k=k,
        filters=filters,
        min_confidence=min_confidence,
        collection=collection,
    )
    return Call(method="POST", path="/v1/ask", returns=schemas.AskResponse, body=request)


def stream(
    question: str,
    *,
    answers: int = 3,
    k: int = 10,
    filters: schemas.Filters | None = None,
    min_confidence: float | None = None,
    collection: str = DEFAULT,
) -> Call[None]:
    """Ask as `ask` does, and give the passages before they are read.

    Yields `Hits`, then each `Answer`, best first, then `Done`.
    """
    parameters: dict[str, Any] = {"question": question, "answers": answers, "k": k}
    if min_confidence is not None:
        parameters["min_confidence"] = min_confidence
    if filters is not None:
        given = {name: getattr(filters, name) for name in filters.__struct_fields__}
        metadata = given.pop("metadata")
        parameters |= {name: value for name, value in given.items() if value is not None}
        if metadata is not None:
            parameters["metadata"] = [f"{key}={value}" for key, value in metadata.items()]
    parameters["collection"] = collection
    return Call(method="GET", path="/v1/ask/stream", returns=type(None), parameters=parameters)


def batch(questions: Sequence[schemas.AskRequest | str]) -> Call[schemas.BatchResponse]:
    """Answer up to a hundred questions, each with a response or a problem, in the order given."""
    asked = [schemas.AskRequest(question=q) if isinstance(q, str) else q for q in questions]
    request = schemas.BatchRequest(questions=asked)
    return Call(method="POST", path="/v1/ask/batch", returns=schemas.BatchResponse, body=request)


def search(
    question: str,
    *,
    k: int = 10,
    filters: schemas.Filters | None = None,
    retriever: Literal["hybrid", "dense", "lexical"] = "hybrid",
    collection: str = DEFAULT,
) -> Call[schemas.SearchResponse]:
    """Rank passages for a question, without reading them."""
    request = schemas.SearchRequest(
        question=question, k=k, filters=filters, retriever=retriever, collection=collection
    )
    return Call(method="POST", path="/v1/search", returns=schemas.SearchResponse, body=request)


def examples(*, collection: str = DEFAULT) -> Call[schemas.Examples]:
    """Return a few questions that the collection answers."""
    return Call(
        method="GET",
        path="/v1/examples",
        returns=schemas.Examples,
        parameters={"collection": collection},
    )


def verify(
    citations: Sequence[schemas.CitationToVerify | schemas.Citation], *, collection: str = DEFAULT
) -> Call[schemas.VerifyResponse]:
    """Check quotes, or citations as they came with answers, against the stored documents."""
    request = schemas.VerifyRequest(
        citations=[_to_verify(each) for each in citations], collection=collection
    )
    return Call(
        method="POST", path="/v1/citations/verify", returns=schemas.VerifyResponse, body=request
    )


def feedback(request: schemas.FeedbackRequest) -> Call[schemas.FeedbackStored]:
    """Say whether an answer is right, or where the right one stands."""
    return Call(method="POST", path="/v1/feedback", returns=schemas.FeedbackStored, body=request)


def _to_verify(given: schemas.CitationToVerify | schemas.Citation) -> schemas.CitationToVerify:
    if isinstance(given, schemas.CitationToVerify):
        return given
    return schemas.CitationToVerify(
        document=given.document.id,
        version=given.document.version,
        start=given.start,
        end=given.end,
        quote=given.quote,
        before=given.before,
        after=given.after,
    )
