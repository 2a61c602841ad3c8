"""The routes of collections as a whole."""

from typing import Annotated, Any, Final

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from rag import home
from rag.api import openapi, schemas
from rag.api.access import Access
from rag.api.service import Service
from rag.errors import Conflict
from rag.settings import DEFAULT_COLLECTION

CollectionQuery = Annotated[str, QueryParameter(description="Name of the collection.")]

_BODY_BYTES: Final = 10_000
_CONFLICT: Final = openapi.problem("There is one of this name, or as many as are allowed.")
_IN_USE: Final = openapi.problem("Uploads are waiting to be taken into it.")


@get(
    "/v1/index",
    summary="Show the state of a collection's index",
    scope="ask",
    responses=openapi.UNKNOWN | openapi.BUSY,
    query=("collection",),
)
async def get_index(
    service: NamedDependency[Service],
    access: NamedDependency[Access],
    collection: CollectionQuery = DEFAULT_COLLECTION,
) -> schemas.Index:
    """Return generation, counts and what the index is made with; also of one that is stale."""
    access.require(collection)

    def read() -> schemas.Index:
        condition, making = service.home.condition(collection), service.home.making(collection)
        contents = condition.contents
        return schemas.Index(
            collection=collection,
            state=condition.state,
            reason=condition.reason,
            generation=None if contents is None else contents.generation,
            documents=None if contents is None else contents.documents,
            chunks=None if contents is None else contents.chunks,
            characters=None if contents is None else contents.characters,
            embedder=schemas.Embedder(
                name=making.embedder, version=f"sha256:{making.embedder_sha256}"
            ),
            reader=making.reader,
            chunking=schemas.Chunking(
                max_tokens=making.chunk_tokens, overlap_tokens=making.overlap_tokens
            ),
            fingerprint=making.fingerprint,
            stored_fingerprint=None if contents is None else contents.fingerprint,
            created=condition.created,
            updated=condition.updated,
        )

    return await service.reads.run(read)


@get(
    "/v1/collections",
    summary="List the collections by name",
    scope="ask",
    responses=openapi.BUSY,
)
async def list_collections(
    service: NamedDependency[Service], access: NamedDependency[Access]
) -> schemas.CollectionList:
    """Return every collection that the key reaches; `GET /v1/index` tells more of one."""

    def read() -> schemas.CollectionList:
        names = [name for name in service.home.names() if access.reaches(name)]
        found = [(name, service.home.condition(name)) for name in names]
        return schemas.CollectionList(collections=[_summary(*each) for each in found])

    return await service.reads.run(read)


@post(
    "/v1/collections",
    summary="Create a collection",
    scope="admin",
    request_max_body_size=_BODY_BYTES,
    responses=openapi.INVALID
    | {409: _CONFLICT}
    | openapi.TOO_LARGE
    | openapi.NOT_JSON
    | openapi.BUSY,
)
async def create_collection(
    data: JSONBody[schemas.CollectionRequest],
    service: NamedDependency[Service],
    access: NamedDependency[Access],
) -> Response[schemas.CollectionSummary]:
    """Make an empty collection whose settings stay what they are, whatever the service's become.

    Its embedder is the service's; one of another embedder is made by `rag collections create`.
    """
    access.require(data.name)

    def create() -> schemas.CollectionSummary:
        service.home.create(data.name, chunk_tokens=data.chunk_tokens)
        return _summary(data.name, service.home.condition(data.name))

    created = await service.writes.run(create)
    return Response(created, headers={"Location": f"/v1/index?collection={created.name}"})


@delete(
    "/v1/collections/{name:str}",
    status_code=200,
    summary="Delete a collection",
    scope="admin",
    responses=openapi.UNKNOWN | {409: _IN_USE} | openapi.BUSY,
)
async def delete_collection(
    name: FromPath[str], service: NamedDependency[Service], access: NamedDependency[Access]
) -> schemas.CollectionDeleted:
    """Take a collection out of use. Nothing is lost: all of it is kept aside.

    The default collection begins anew, empty, when it is asked next.
    """
    access.require(name)

    def remove() -> schemas.CollectionDeleted:
        if waiting := service.jobs.open_jobs(name):
            raise Conflict(
                f"{len(waiting)} uploads are waiting to be taken into {name!r}. Cancel them or "
                "wait: GET /v1/jobs."
            )
        kept = service.home.delete(name)
        return schemas.CollectionDeleted(name=name, kept=kept.name)

    return await service.writes.run(remove)


def _summary(name: str, condition: home.Condition) -> schemas.CollectionSummary:
    contents = condition.contents
    return schemas.CollectionSummary(
        name=name,
        state=condition.state,
        reason=condition.reason,
        documents=None if contents is None else contents.documents,
        chunks=None if contents is None else contents.chunks,
    )


ROUTES: Final[list[Any]] = [get_index, list_collections, create_collection, delete_collection]
