"""Documents and the jobs that take them in."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from rag.api import schemas
from rag.client.calls.call import DEFAULT, Call, part_of_path


def add_file(
    path: Path | str, *, collection: str = DEFAULT, wait: bool | None = None
) -> Call[schemas.DocumentsAdded | schemas.Job]:
    """Send a file, which replaces another one of its name; it is read from disk as it is sent.

    With `wait` the documents are searchable when this returns, without it there is a job; None
    leaves it to the service, which makes jobs of large files.
    """
    return Call(
        method="POST",
        path="/v1/documents",
        returns=schemas.DocumentsAdded | schemas.Job,  # type: ignore[arg-type]
        parameters=_wait(wait),
        body=_Form(collection=collection),
        file=Path(path),
        statuses=(200, 201, 202),
    )


def add_text(
    text: str,
    *,
    title: str | None = None,
    uri: str | None = None,
    published: str | None = None,
    metadata: Mapping[str, str] | None = None,
    collection: str = DEFAULT,
    wait: bool | None = None,
) -> Call[schemas.DocumentsAdded | schemas.Job]:
    """Send a text, which replaces another one of its uri; `wait` as for `add_file`."""
    request = schemas.DocumentRequest(
        text=text,
        title=title,
        uri=uri,
        published=published,
        metadata=dict(metadata or {}),
        collection=collection,
    )
    return Call(
        method="POST",
        path="/v1/documents",
        returns=schemas.DocumentsAdded | schemas.Job,  # type: ignore[arg-type]
        parameters=_wait(wait),
        body=request,
        statuses=(200, 201, 202),
    )


def documents(
    *, limit: int = 100, offset: int = 0, search: str = "", collection: str = DEFAULT
) -> Call[schemas.DocumentList]:
    """Return a page of the documents, by uri, and how many there are in all.

    With `search`, only of those that have it in their title or uri.
    """
    parameters = {"limit": limit, "offset": offset, "collection": collection}
    if search:
        parameters["search"] = search
    return Call(
        method="GET", path="/v1/documents", returns=schemas.DocumentList, parameters=parameters
    )


def document(id_: str, *, collection: str = DEFAULT) -> Call[schemas.DocumentDetail]:
    """Return a document with its sections and pages."""
    return Call(
        method="GET",
        path=f"/v1/documents/{part_of_path(id_)}",
        returns=schemas.DocumentDetail,
        parameters={"collection": collection},
    )


def text(id_: str, *, collection: str = DEFAULT) -> Call[str]:
    """Return a document's text, which all offsets count in."""
    return Call(
        method="GET",
        path=f"/v1/documents/{part_of_path(id_)}/text",
        returns=str,
        parameters={"collection": collection},
    )


def delete(id_: str, *, collection: str = DEFAULT) -> Call[None]:
    """Delete a document."""
    return Call(
        method="DELETE",
        path=f"/v1/documents/{part_of_path(id_)}",
        returns=type(None),
        parameters={"collection": collection},
        statuses=(204,),
    )


def jobs(*, limit: int = 100) -> Call[schemas.JobList]:
    """Return the jobs, the newest first."""
    return Call(method="GET", path="/v1/jobs", returns=schemas.JobList, parameters={"limit": limit})


def job(id_: str) -> Call[schemas.Job]:
    """Return how far a job is."""
    return Call(method="GET", path=f"/v1/jobs/{part_of_path(id_)}", returns=schemas.Job)


def cancel_job(id_: str) -> Call[None]:
    """Take a job out of the queue before its turn."""
    return Call(
        method="DELETE", path=f"/v1/jobs/{part_of_path(id_)}", returns=type(None), statuses=(204,)
    )


class _Form(msgspec.Struct, kw_only=True):
    """The fields of a form beside its file."""

    collection: str


def _wait(wait: bool | None) -> dict[str, str]:  # noqa: FBT001
    return {} if wait is None else {"wait": "true" if wait else "false"}
