"""The route that keeps what people say of answers."""

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from rag.api import openapi, schemas, wire
from rag.api.access import Access
from rag.api.service import Service
from rag.errors import InvalidRequest
from rag.labels import Label, Place, make_label
from rag.store import Snapshot
from rag.verification import verify


@post(
    "/v1/feedback",
    status_code=201,
    summary="Say whether an answer is right, or where the right one stands",
    scope="ask",
    responses={
        200: ResponseSpec(
            schemas.FeedbackStored,
            description="The same was said before; nothing changed.",
            generate_examples=False,
        ),
        400: openapi.problem("The request is invalid, or a quote is not in the stored document."),
        404: openapi.problem("No such collection."),
        413: openapi.problem("The body exceeds the limit, or the service's file is full."),
        415: openapi.problem("The body is of another media type than JSON."),
        503: openapi.problem("Too many requests wait already, or the file cannot be written."),
    },
)
async def give_feedback(
    data: JSONBody[schemas.FeedbackRequest],
    service: NamedDependency[Service],
    access: NamedDependency[Access],
) -> Response[schemas.FeedbackStored]:
    """Check the quotes against the stored documents and keep the verdict.

    The file `feedback.jsonl` in the service's home is what evaluation and training read.
    """
    access.require(data.collection)
    _check_verdict(data)

    def keep() -> tuple[Label, bool]:
        with service.home.store(data.collection).snapshot() as snapshot:
            label = _label(data, snapshot)
        return label, service.feedback.append(label)

    label, new = await service.reads.run(keep)
    stored = schemas.FeedbackStored(status="stored" if new else "known", id=label.id)
    return Response(stored, status_code=201 if new else 200)


def _check_verdict(data: schemas.FeedbackRequest) -> None:
    if not data.question.strip():
        raise InvalidRequest("The question is empty. Name the one asked.", pointer="/question")
    if data.verdict == "span" and data.span is None:
        raise InvalidRequest(
            "The verdict `span` needs the right answer in `span`.", pointer="/span"
        )
    if data.verdict != "span" and data.span is not None:
        raise InvalidRequest("Only the verdict `span` takes a `span`.", pointer="/span")
    if data.verdict == "should_abstain" and data.answer is None:
        raise InvalidRequest(
            "The verdict `should_abstain` needs the `answer` that should not have been given; "
            "an abstention was `right`.",
            pointer="/answer",
        )


def _label(data: schemas.FeedbackRequest, snapshot: Snapshot) -> Label:
    if data.generation > snapshot.generation:
        raise InvalidRequest(
            f"The index is of generation {snapshot.generation}; there is no {data.generation} yet.",
            pointer="/generation",
        )
    return make_label(
        data.question,
        verdict=data.verdict,
        source="feedback",
        given=_place(data.answer, snapshot, pointer="/answer"),
        span=_place(data.span, snapshot, pointer="/span"),
        snapshot=snapshot,
        collection=data.collection,
        generation=data.generation,
    )


def _place(span: schemas.FeedbackSpan | None, snapshot: Snapshot, *, pointer: str) -> Place | None:
    if span is None:
        return None
    checked = verify(snapshot, wire.quote_in(span))
    if checked.status != "valid":
        raise InvalidRequest(checked.message, pointer=pointer)
    return Place(document=snapshot.document(span.document), start=span.start, end=span.end)
