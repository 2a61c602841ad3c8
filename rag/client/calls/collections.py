"""Collections, and whether the service is there."""

from rag.api import schemas
from rag.client.calls.call import DEFAULT, Call, part_of_path


def index(*, collection: str = DEFAULT) -> Call[schemas.Index]:
    """Return generation, counts and state of a collection's index."""
    return Call(
        method="GET",
        path="/v1/index",
        returns=schemas.Index,
        parameters={"collection": collection},
    )


def collections() -> Call[schemas.CollectionList]:
    """Return the collections, by name."""
    return Call(method="GET", path="/v1/collections", returns=schemas.CollectionList)


def create_collection(
    name: str, *, chunk_tokens: int | None = None
) -> Call[schemas.CollectionSummary]:
    """Make an empty collection."""
    request = schemas.CollectionRequest(name=name, chunk_tokens=chunk_tokens)
    return Call(
        method="POST", path="/v1/collections", returns=schemas.CollectionSummary, body=request
    )


def delete_collection(name: str) -> Call[schemas.CollectionDeleted]:
    """Take a collection out of use."""
    return Call(
        method="DELETE",
        path=f"/v1/collections/{part_of_path(name)}",
        returns=schemas.CollectionDeleted,
    )


def health() -> Call[schemas.Health]:
    """Return whether questions are answered now; this alone is never tried again."""
    return Call(method="GET", path="/health/ready", returns=schemas.Health, statuses=(200, 503))
