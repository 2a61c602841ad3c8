"""The routes of jobs: uploads that are taken in after they were acknowledged."""

from typing import Annotated, Any, Final

from litestar import delete, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from rag.api import openapi, schemas
from rag.api.access import Access
from rag.api.service import Service
from rag.jobs import Job, unknown_job

_UNKNOWN: Final = {404: openapi.problem("No such job; finished ones are forgotten after a time.")}
_STARTED: Final = {409: openapi.problem("Its turn has come, or it is finished.")}


@get(
    "/v1/jobs",
    summary="List the jobs, the newest first",
    scope="write",
    responses=openapi.INVALID | openapi.BUSY,
    query=("limit",),
)
async def list_jobs(
    service: NamedDependency[Service],
    access: NamedDependency[Access],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> schemas.JobList:
    """Return the jobs of all collections that the key reaches, those that are finished too."""
    found = await service.queueing.run(
        lambda: service.jobs.latest(limit=limit, collections=access.collections)
    )
    return schemas.JobList(jobs=[job_out(job) for job in found])


@get(
    "/v1/jobs/{job_id:str}",
    summary="Show a job",
    scope="write",
    responses=_UNKNOWN | openapi.BUSY,
)
async def get_job(
    job_id: FromPath[str], service: NamedDependency[Service], access: NamedDependency[Access]
) -> schemas.Job:
    """Return how far a job is, or what came of it."""
    return job_out(await service.queueing.run(lambda: _job(job_id, service, access)))


@delete(
    "/v1/jobs/{job_id:str}",
    summary="Cancel a job that waits",
    scope="write",
    responses=_UNKNOWN | _STARTED | openapi.BUSY,
)
async def cancel_job(
    job_id: FromPath[str], service: NamedDependency[Service], access: NamedDependency[Access]
) -> None:
    """Take a job out of the queue and drop its upload."""
    await service.queueing.run(lambda: service.jobs.cancel(_job(job_id, service, access).id))


def _job(id_: str, service: Service, access: Access) -> Job:
    """Return a job; raise NotFound for one that is not there or not for this key, all the same."""
    job = service.jobs.get(id_)
    if not access.reaches(job.collection):
        raise unknown_job(id_)
    return job


def job_out(job: Job) -> schemas.Job:
    """Return a job as the wire has it."""
    return schemas.Job(
        id=job.id,
        status=job.status,
        collection=job.collection,
        name=job.name,
        uri=job.uri,
        bytes=job.size,
        chunks_done=job.embedded,
        chunks_total=job.chunks,
        error=job.error,
        generation=job.generation,
        documents=job.documents,
        created=job.created,
        finished=job.finished,
    )


ROUTES: Final[list[Any]] = [list_jobs, get_job, cancel_job]
