"""The application for an ASGI server: `uvicorn --factory rag.asgi:app`."""

from litestar import Litestar

from rag.api.app import create_app
from rag.api.lifecycle import Lifecycle
from rag.api.logs import configure_logging
from rag.api.prometheus import Metrics
from rag.api.protection import OPEN, Protection, protect
from rag.api.readiness import Readiness, WarmUp
from rag.api.service import Service
from rag.api.tracing import Tracing, open_tracing
from rag.api.worker import Worker
from rag.bootstrap import build_home
from rag.components import build_parser
from rag.jobs import JobQueue, JobRunner, ingest
from rag.labels import LabelFile
from rag.memory import return_large_blocks
from rag.settings import Settings, read_settings
from rag.stages import observed_by


def app() -> Litestar:
    """Return the application over the settings in the environment."""
    settings = read_settings()
    configure_logging(form=settings.log, level=settings.log_level, text=settings.log_text)
    # It does not learn which address is listened on.
    protection = protect(settings, address=None)
    return open_app(settings, protection=protection, tracing=open_tracing())


def open_app(
    settings: Settings, *, protection: Protection = OPEN, tracing: Tracing | None = None
) -> Litestar:
    """Return the application over a home whose default collection is open and models are warm.

    Raises RagError, so that a service which cannot answer does not start. Where the default
    collection alone is stale or damaged it does, for the sake of the others.
    """
    service = open_service(settings)
    try:
        with observed_by([service.metrics]):
            service.readiness.warm_up()
    except BaseException:
        service.close()
        raise
    service.lifecycle.ready()
    return create_app(service, protection=protection, tracing=tracing)


def open_service(settings: Settings) -> Service:
    """Return a service that has loaded nothing yet: `Service.load` does, which takes seconds.

    With collections in a database each service has a home yet, and in it what is its own: uploads,
    which it acknowledges before the database has them; feedback and keys, which do not need the
    database to be there; thresholds, measured with its reader; models, converted for its machine.
    """
    return_large_blocks()  # of uploads
    home = build_home(settings)
    try:
        jobs = JobQueue(
            settings.home, capacity=settings.queue, min_free_bytes=settings.min_free_bytes
        )
    except BaseException:
        home.close()
        raise
    models = Worker("the models", capacity=settings.queue, threads=settings.concurrency)
    job_parser = build_parser(settings)
    return Service(
        home=home,
        jobs=jobs,
        runner=JobRunner(settings.home, jobs, work=ingest(home, parser=job_parser)),
        parser=build_parser(settings),
        job_parser=job_parser,
        models=models,
        writes=Worker("the index", capacity=settings.queue),
        reads=Worker("the store", capacity=settings.queue),
        queueing=Worker("the list of jobs", capacity=settings.queue),
        feedback=LabelFile(settings.home / "feedback.jsonl", limit=settings.feedback_bytes),
        job_bytes=settings.job_bytes,
        upload_bytes=settings.upload_bytes,
        body_bytes=settings.body_bytes,
        max_batch=settings.max_batch,
        request_seconds=settings.request_seconds,
        lifecycle=Lifecycle("loading"),
        readiness=Readiness(models, WarmUp(home)),
        metrics=Metrics(),
    )
