"""The routes of `/v1`, each a translation around one call of the core."""

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Annotated, Any, Final

from litestar import MediaType, Request, Response, delete, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter

from rag.api import bodies, openapi, schemas, wire
from rag.api.service import Service, check_collection
from rag.bootstrap import COLLECTION
from rag.documents import Document
from rag.errors import InvalidRequest
from rag.sources import read_bytes, read_text

_BODY_BYTES: Final = 1_000_000


_INVALID: Final = {400: openapi.problem("The request is invalid; `pointer` names the field.")}
_UNKNOWN: Final = {404: openapi.problem("No such document or collection.")}
_BUSY: Final = {
    503: openapi.problem("Too many requests wait already; `Retry-After` says when to retry.")
}
_TOO_LARGE: Final = {413: openapi.problem("The body exceeds the limit.")}
_NOT_JSON: Final = {415: openapi.problem("The body is of another media type than JSON.")}
_UNREADABLE: Final = {
    415: openapi.problem("This kind of file cannot be read."),
    422: openapi.problem("The file is damaged, encrypted, empty or a scan without text."),
}

_UNCHANGED: Final = {
    200: ResponseSpec(
        schemas.DocumentsAdded,
        description="All of it was stored already; nothing changed.",
        generate_examples=False,
    )
}

DocumentId = FromPath[str]


@post(
    "/v1/ask",
    status_code=200,
    summary="Answer a question with spans of the documents",
    request_max_body_size=_BODY_BYTES,
    responses=_INVALID | _UNKNOWN | _TOO_LARGE | _NOT_JSON | _BUSY,
)
async def ask(
    data: JSONBody[schemas.AskRequest], service: NamedDependency[Service]
) -> schemas.AskResponse:
    """Retrieve, read and answer, or abstain; every part of the response is of one generation."""
    check_collection(data.collection)
    filters = wire.filters_in(data.filters)
    return await service.models.run(
        lambda: wire.asked_out(
            service.answerer.ask(
                data.question,
                answers=data.answers,
                k=data.k,
                filters=filters,
                min_confidence=data.min_confidence,
            )
        )
    )


@post(
    "/v1/search",
    status_code=200,
    summary="Rank passages for a question",
    request_max_body_size=_BODY_BYTES,
    responses=_INVALID | _UNKNOWN | _TOO_LARGE | _NOT_JSON | _BUSY,
)
async def search(
    data: JSONBody[schemas.SearchRequest], service: NamedDependency[Service]
) -> schemas.SearchResponse:
    """Return passages by meaning, by words or by both, without reading them for answers."""
    check_collection(data.collection)
    filters = wire.filters_in(data.filters)
    return await service.models.run(
        lambda: wire.found_out(
            service.answerer.search(data.question, k=data.k, filters=filters, mode=data.retriever)
        )
    )


@post(
    "/v1/documents",
    summary="Add or replace a document",
    operation_class=openapi.AddOperation,
    responses=_UNCHANGED | _INVALID | _UNKNOWN | _TOO_LARGE | _UNREADABLE | _BUSY,
)
async def add_document(
    request: Request[Any, Any, Any], service: NamedDependency[Service]
) -> Response[schemas.DocumentsAdded]:
    """Take a file (multipart field `file`) or a text (JSON); when this returns, it is searchable.

    A file is known as `upload:` and its name: another one of that name replaces it. The status is
    200 instead of 201 where all of it was there already.
    """
    parse = await _documents_of(request)

    def add() -> schemas.DocumentsAdded:
        indexed = list(service.indexer.add(parse()))
        with service.store.snapshot() as snapshot:
            return schemas.DocumentsAdded(
                generation=snapshot.generation,
                documents=[
                    schemas.DocumentAdded(
                        status=item.status,
                        document=wire.summary_out(snapshot.summary(item.document.id)),
                    )
                    for item in indexed
                ],
            )

    added = await service.writes.run(add)
    changed = any(document.status != "unchanged" for document in added.documents)
    return Response(added, status_code=201 if changed else 200)


async def _documents_of(request: Request[Any, Any, Any]) -> Callable[[], list[Document]]:
    """Return what parses the documents of a request's body, to be called off the event loop."""
    kind = request.content_type[0]
    if kind == "multipart/form-data":
        return await _uploaded(request)
    if kind != "application/json":
        raise HTTPException(
            f"Send multipart/form-data or application/json, not {kind or 'a body of no type'}.",
            status_code=415,
        )
    data = bodies.decode(await request.body(), schemas.DocumentRequest)
    check_collection(data.collection)
    return lambda: [
        read_text(
            data.text,
            uri=data.uri,
            title=data.title,
            published=data.published,
            metadata=data.metadata,
        )
    ]


async def _uploaded(request: Request[Any, Any, Any]) -> Callable[[], list[Document]]:
    fields = list((await request.form()).multi_items())
    names = [name for name, _ in fields]
    if unknown := sorted(set(names) - {"file", "collection"}):
        raise InvalidRequest(f"The form has an unknown field `{unknown[0]}`.")
    if again := sorted(name for name in set(names) if names.count(name) > 1):
        raise InvalidRequest(f"The form has several fields `{again[0]}`; send one at a time.")
    form = dict(fields)
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise InvalidRequest("The form has no file in its field `file`.", pointer="/file")
    check_collection(str(form.get("collection", COLLECTION)))
    name = PurePosixPath(file.filename.replace("\\", "/")).name
    content = await file.read()
    return lambda: read_bytes(content, name=name, uri=f"upload:{name}")


@get(
    "/v1/documents",
    summary="List the documents by uri",
    responses=_INVALID | _BUSY,
    query=("limit", "offset"),
)
async def list_documents(
    service: NamedDependency[Service],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    offset: Annotated[int, QueryParameter(ge=0, le=2**53)] = 0,
) -> schemas.DocumentList:
    """Return a page of the collection's documents and how many there are in all."""

    def read() -> schemas.DocumentList:
        with service.store.snapshot() as snapshot:
            return wire.listed_out(snapshot, limit=limit, offset=offset)

    return await service.reads.run(read)


@get("/v1/documents/{document_id:str}", summary="Show a document", responses=_UNKNOWN | _BUSY)
async def get_document(
    document_id: DocumentId, service: NamedDependency[Service]
) -> schemas.DocumentDetail:
    """Return what is known of a document, with its sections and pages."""

    def read() -> schemas.DocumentDetail:
        with service.store.snapshot() as snapshot:
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
    responses=_UNKNOWN | _BUSY,
)
async def get_text(document_id: DocumentId, service: NamedDependency[Service]) -> Response[str]:
    """Return the canonical text that every offset counts in, as UTF-8."""

    def read() -> str:
        with service.store.snapshot() as snapshot:
            return snapshot.document(document_id).text

    text = await service.reads.run(read)
    # The text is shown by a page that treats it as text; opened directly it is a download.
    return Response(text, headers={"Content-Disposition": "attachment"})


@delete("/v1/documents/{document_id:str}", summary="Delete a document", responses=_UNKNOWN | _BUSY)
async def delete_document(document_id: DocumentId, service: NamedDependency[Service]) -> None:
    """Delete a document: no request that starts later finds anything of it."""
    await service.writes.run(lambda: service.store.delete(document_id))


@post(
    "/v1/citations/verify",
    status_code=200,
    summary="Check quotes against the stored documents",
    request_max_body_size=_BODY_BYTES,
    responses=_INVALID | _UNKNOWN | _TOO_LARGE | _NOT_JSON | _BUSY,
)
async def verify_citations(
    data: JSONBody[schemas.VerifyRequest], service: NamedDependency[Service]
) -> schemas.VerifyResponse:
    """Compare each quote with the text at its offsets, all in one generation."""
    check_collection(data.collection)

    def read() -> schemas.VerifyResponse:
        with service.store.snapshot() as snapshot:
            return schemas.VerifyResponse(
                generation=snapshot.generation,
                results=[wire.verify(snapshot, citation) for citation in data.citations],
            )

    return await service.reads.run(read)


def refuse_unknown_parameters(request: Request[Any, Any, Any]) -> None:
    """Raise InvalidRequest for a query parameter that the route would silently ignore."""
    known = request.route_handler.opt.get("query", ())
    if unknown := sorted(set(request.query_params) - set(known)):
        raise InvalidRequest(f"There is no query parameter `{unknown[0]}` here.")


ROUTES: Final = [
    ask,
    search,
    add_document,
    list_documents,
    get_document,
    get_text,
    delete_document,
    verify_citations,
]
