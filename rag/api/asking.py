"""The routes that put questions to the models: one, many at once, or only for its passages."""

import asyncio
from typing import Any, Final

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from rag.answering import WIDEST
from rag.api import bodies, openapi, problems, schemas, wire
from rag.api.access import Access
from rag.api.deadline import DEADLINE
from rag.api.service import Service
from rag.errors import Busy, InvalidRequest, TooLarge

# A batch is answered so long before its time is over, seconds.
_MARGIN: Final = 1.0
_RESPONSES: Final = (
    openapi.INVALID | openapi.UNKNOWN | openapi.TOO_LARGE | openapi.NOT_JSON | openapi.BUSY
)


@post(
    "/v1/ask",
    status_code=200,
    summary="Answer a question with spans of the documents",
    scope="ask",
    responses=_RESPONSES,
)
async def ask(
    data: JSONBody[schemas.AskRequest],
    service: NamedDependency[Service],
    access: NamedDependency[Access],
) -> schemas.AskResponse:
    """Retrieve, read and answer, or abstain; every part of the response is of one generation."""
    return await answer(data, service=service, access=access)


@post(
    "/v1/ask/batch",
    status_code=200,
    summary="Answer many questions",
    scope="ask",
    responses=_RESPONSES,
)
async def ask_batch(
    request: Request[Any, Any, Any],
    data: JSONBody[schemas.BatchRequest],
    service: NamedDependency[Service],
    access: NamedDependency[Access],
) -> schemas.BatchResponse:
    """Answer each question as `POST /v1/ask` would, in the order given, or say why it was not.

    A batch with a malformed question is refused as a whole. Other requests have their turn between
    two questions, so each is of a generation of its own, which it names. What there was no time for
    has a problem of the type `busy`: send it again.
    """
    if len(data.questions) > service.max_batch:
        raise TooLarge(
            f"There are {len(data.questions)} questions; at most {service.max_batch} are answered "
            "at once. Send them in several batches."
        )
    for index, question in enumerate(data.questions):
        _check(question, pointer=bodies.pointer_to("questions", index))
    deadline = DEADLINE.get()
    until = None if deadline is None else deadline.at - min(_MARGIN, 0.5 * service.request_seconds)
    results = []
    for index, question in enumerate(data.questions):
        try:
            async with asyncio.timeout_at(until):
                response = await answer(question, service=service, access=access)
            results.append(schemas.BatchResult(response=response))
        except Exception as error:  # noqa: BLE001  (of one question; the others go on)
            if isinstance(error, TimeoutError):
                error = Busy("The time of the batch was over before this question was answered.")
            problem = problems.of(
                error, path=request.url.path, pointer=bodies.pointer_to("questions", index)
            )
            results.append(schemas.BatchResult(problem=problem))
    return schemas.BatchResponse(results=results)


@post(
    "/v1/search",
    status_code=200,
    summary="Rank passages for a question",
    scope="ask",
    responses=_RESPONSES,
)
async def search(
    data: JSONBody[schemas.SearchRequest],
    service: NamedDependency[Service],
    access: NamedDependency[Access],
) -> schemas.SearchResponse:
    """Return passages by meaning, by words or by both, without reading them for answers."""
    access.require(data.collection)
    filters = wire.filters_in(data.filters)
    return await service.models.run(
        lambda: wire.found_out(
            service.home.engine(data.collection).answerer.search(
                data.question, k=data.k, filters=filters, mode=data.retriever
            )
        )
    )


async def answer(
    data: schemas.AskRequest, *, service: Service, access: Access
) -> schemas.AskResponse:
    """Return the response to a question, from the thread of the models."""
    access.require(data.collection)
    filters = wire.filters_in(data.filters)
    return await service.models.run(
        lambda: wire.asked_out(
            service.home.engine(data.collection).answerer.ask(
                data.question,
                answers=data.answers,
                k=data.k,
                filters=filters,
                min_confidence=data.min_confidence,
            )
        )
    )


def _check(question: schemas.AskRequest, *, pointer: str) -> None:
    """Raise InvalidRequest for a question that none could answer: the batch is malformed then."""
    try:
        WIDEST.check(question.question, k=question.k, answers=question.answers)
        wire.filters_in(question.filters)
    except InvalidRequest as error:
        raise InvalidRequest(str(error), pointer=pointer + error.pointer) from error


ROUTES: Final[list[Any]] = [ask, ask_batch, search]
