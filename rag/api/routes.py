"""The routes of `/v1`, each a translation around one call of the core."""

from typing import Annotated, Any, Final

from litestar import MediaType, Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from rag.api import asking, collections, jobs, openapi, schemas, wire
from rag.api.access import Access
from rag.api.adding import add_document
from rag.api.collections import CollectionQuery
from rag.api.examples import get_examples
from rag.api.feedback import give_feedback
from rag.api.service import Service
from rag.api.streaming import ask_stream
from rag.errors import InvalidRequest
from rag.settings import DEFAULT_COLLECTION
from rag.verification import verify

DocumentId = FromPath[str]
_SEARCH: Final = "Only documents that have this in their title or uri, whatever its case."


@get(
    "/v1/documents",
    summary="List the documents by uri",
    scope="ask",
    responses=openapi.INVALID | openapi.UNKNOWN | openapi.BUSY,
    query=("collection", "limit", "offset", "search"),
)
async def list_documents(
    *,
    service: NamedDependency[Service],
    access: NamedDependency[Access],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    offset: Annotated[int, QueryParameter(ge=0, le=2**53)] = 0,
    search: Annotated[str, QueryParameter(max_length=200, description=_SEARCH)] = "",
    collection: CollectionQuery = DEFAULT_COLLECTION,
) -> schemas.DocumentList:
    """Return a page of the collection's documents and how many there are in all."""
    access.require(collection)

    def read() -> schemas.DocumentList:
        with service.home.store(collection).snapshot() as snapshot:
            return wire.listed_out(snapshot, limit=limit, offset=offset, search=search)

    return await service.reads.run(read)


@get(
    "/v1/documents/{document_id:str}",
    summary="Show a document",
    scope="ask",
    responses=openapi.UNKNOWN | openapi.BUSY,
    query=("collection",),
)
async def get_document(
    document_id: DocumentId,
    service: NamedDependency[Service],
    access: NamedDependency[Access],
    collection: CollectionQuery = DEFAULT_COLLECTION,
) -> schemas.DocumentDetail:
    """Return what is known of a document, with its sections and pages."""
    access.require(collection)

    def read() -> schemas.DocumentDetail:
        with service.home.store(collection).snapshot() as snapshot:
            document = snapshot.document(document_id)
            return schemas.DocumentDetail(
                generation=snapshot.generation,
                document=wire.summary_out(snapshot.summary(document_id)),
                sections=[
                    schemas.SectionOut(start=s.start, end=s.end, path=list(s.path))
                    for s in document.sections
                ],
                pages=[
                    schemas.PageOut(start=p.start, end=p.end, number=p.number)
                    for p in document.pages
                ],
            )

    return await service.reads.run(read)


@get(
    "/v1/documents/{document_id:str}/text",
    media_type=MediaType.TEXT,
    summary="Get a document's text",
    scope="ask",
    responses=openapi.UNKNOWN | openapi.BUSY,
    query=("collection",),
)
async def get_text(
    document_id: DocumentId,
    service: NamedDependency[Service],
    access: NamedDependency[Access],
    collection: CollectionQuery = DEFAULT_COLLECTION,
) -> Response[str]:
    """Return the canonical text that every offset counts in, as UTF-8."""
    access.require(collection)

    def read() -> str:
        with service.home.store(collection).snapshot() as snapshot:
            return snapshot.document(document_id).text

    text = await service.reads.run(read)
    # The text is shown by a page that treats it as text; opened directly it is a download.
    return Response(text, headers={"Content-Disposition": "attachment"})


@delete(
    "/v1/documents/{document_id:str}",
    summary="Delete a document",
    scope="write",
    responses=openapi.UNKNOWN | openapi.BUSY,
    query=("collection",),
)
async def delete_document(
    document_id: DocumentId,
    service: NamedDependency[Service],
    access: NamedDependency[Access],
    collection: CollectionQuery = DEFAULT_COLLECTION,
) -> None:
    """Delete a document: no request that starts later finds anything of it."""
    access.require(collection)
    await service.writes.run(lambda: service.home.store(collection).delete(document_id))


@post(
    "/v1/citations/verify",
    status_code=200,
    summary="Check quotes against the stored documents",
    scope="ask",
    responses=openapi.INVALID
    | openapi.UNKNOWN
    | openapi.TOO_LARGE
    | openapi.NOT_JSON
    | openapi.BUSY,
)
async def verify_citations(
    data: JSONBody[schemas.VerifyRequest],
    service: NamedDependency[Service],
    access: NamedDependency[Access],
) -> schemas.VerifyResponse:
    """Compare each quote with the text at its offsets, all in one generation."""
    access.require(data.collection)

    def read() -> schemas.VerifyResponse:
        with service.home.store(data.collection).snapshot() as snapshot:
            return schemas.VerifyResponse(
                generation=snapshot.generation,
                results=[
                    wire.verified_out(
                        verify(snapshot, wire.quote_in(each, before=each.before, after=each.after))
                    )
                    for each in data.citations
                ],
            )

    return await service.reads.run(read)


def refuse_unknown_parameters(request: Request[Any, Any, Any]) -> None:
    """Raise InvalidRequest for a query parameter that the route would silently ignore."""
    known = request.route_handler.opt.get("query", ())
    if unknown := sorted(set(request.query_params) - set(known)):
        raise InvalidRequest(f"There is no query parameter `{unknown[0]}` here.")


ROUTES: Final = [
    *asking.ROUTES,
    ask_stream,
    get_examples,
    add_document,
    list_documents,
    get_document,
    get_text,
    delete_document,
    verify_citations,
    give_feedback,
    *collections.ROUTES,
    *jobs.ROUTES,
]
