"""The route that takes documents in, at once or by a job."""

from pathlib import PurePosixPath
from typing import Annotated, Any, Final

from litestar import Request, Response, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter

from rag.api import bodies, openapi, schemas, wire
from rag.api.access import Access
from rag.api.jobs import job_out
from rag.api.service import Service
from rag.durable import NO_ROOM
from rag.errors import Busy, InvalidRequest, RagError, StoreFull
from rag.jobs import Job, Text, Upload, documents_of, text_upload
from rag.settings import DEFAULT_COLLECTION

_OUTCOMES: Final = {
    200: ResponseSpec(
        schemas.DocumentsAdded,
        description="All of it was stored already; nothing changed.",
        generate_examples=False,
    ),
    201: ResponseSpec(
        schemas.DocumentsAdded,
        description="It is stored and searchable.",
        generate_examples=False,
    ),
    202: ResponseSpec(
        schemas.Job,
        description="It is on disk and will be taken in, whatever happens; `Location` is its job.",
        generate_examples=False,
    ),
}
_UNREADABLE: Final = {
    415: openapi.problem("This kind of file cannot be read."),
    422: openapi.problem(
        "The file is damaged, encrypted, empty, a scan without text, or takes too much to read."
    ),
}
_WAIT: Final = (
    "Whether to answer when the documents are searchable, or at once with a job; without it a "
    "large upload becomes a job. What follows a waiting job of its uri becomes one in any case."
)


@post(
    "/v1/documents",
    summary="Add or replace a document",
    scope="write",
    place="uploads",
    operation_class=openapi.AddOperation,
    responses=_OUTCOMES
    | openapi.INVALID
    | openapi.UNKNOWN
    | {409: openapi.problem("The collection has as many documents as are allowed.")}
    | openapi.TOO_LARGE
    | _UNREADABLE
    | openapi.BUSY
    | openapi.FULL,
    query=("wait",),
)
async def add_document(
    request: Request[Any, Any, Any],
    service: NamedDependency[Service],
    access: NamedDependency[Access],
    wait: Annotated[bool | None, QueryParameter(description=_WAIT)] = None,
) -> Response[Any]:
    """Take a file (multipart field `file`) or a text (JSON), all of it in one step.

    A file is known as `upload:` and its name: another one of that name replaces it. The status is
    201 when it is searchable, 200 where all of it was there already, 202 with a job where it will
    be taken in later: of a file that cannot be read the job tells.
    """
    upload = await _upload_of(request, service, access)
    wanted = len(upload.data) > service.job_bytes if wait is None else not wait

    def queue() -> Job | None:
        service.home.require(upload.collection)
        # A later version must not be overtaken by an earlier one that waits.
        before = {job.uri for job in service.jobs.open_jobs(upload.collection)}
        return service.jobs.add(upload) if wanted or upload.uri in before else None

    job = await service.queueing.run(queue)
    if job is not None:
        service.runner.wake()
        headers = {"Location": f"/v1/jobs/{job.id}"}
        return Response(job_out(job), status_code=202, headers=headers)
    added = await service.writes.run(lambda: _add(upload, service))
    changed = any(document.status != "unchanged" for document in added.documents)
    return Response(added, status_code=201 if changed else 200)


def _add(upload: Upload, service: Service) -> schemas.DocumentsAdded:
    engine = service.home.engine(upload.collection)
    documents = documents_of(upload, upload.data, parser=service.parser)
    indexed = engine.indexer.add_together(
        documents, progress=lambda *_: service.writes.checkpoint()
    )
    with engine.store.snapshot() as snapshot:
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


async def _upload_of(request: Request[Any, Any, Any], service: Service, access: Access) -> Upload:
    kind = request.content_type[0]
    if kind == "multipart/form-data":
        return await _file(request, access)
    if kind != "application/json":
        raise HTTPException(
            f"Send multipart/form-data or application/json, not {kind or 'a body of no type'}.",
            status_code=415,
        )
    data = bodies.decode(await request.body(), schemas.DocumentRequest)
    access.require(data.collection)
    text = Text(
        text=data.text,
        uri=data.uri,
        title=data.title,
        published=data.published,
        metadata=data.metadata,
    )
    return await service.queueing.run(lambda: text_upload(text, collection=data.collection))


async def _file(request: Request[Any, Any, Any], access: Access) -> Upload:
    try:
        fields = list((await request.form()).multi_items())
    except OSError as error:
        raise _not_kept(error) from error
    names = [name for name, _ in fields]
    if unknown := sorted(set(names) - {"file", "collection"}):
        raise InvalidRequest(f"The form has an unknown field `{unknown[0]}`.")
    if again := sorted(name for name in set(names) if names.count(name) > 1):
        raise InvalidRequest(f"The form has several fields `{again[0]}`; send one at a time.")
    form = dict(fields)
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise InvalidRequest("The form has no file in its field `file`.", pointer="/file")
    collection = str(form.get("collection", DEFAULT_COLLECTION))
    access.require(collection)
    name = PurePosixPath(file.filename.replace("\\", "/")).name
    return Upload(
        collection=collection,
        kind="file",
        name=name,
        uri=f"upload:{name}",
        data=await file.read(),
    )


def _not_kept(error: OSError) -> RagError:
    """Return the error for an upload that cannot be kept on the disk while it comes."""
    message = f"The upload cannot be kept among the temporary files while it comes: {error}."
    if error.errno in NO_ROOM:
        return StoreFull(f"{message} Make room there.")
    return Busy(f"{message} Raise the limit of open files, or send it again soon.")
