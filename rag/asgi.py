"""The application for an ASGI server: `uvicorn --factory rag.asgi:app`."""

import logging
from typing import Final

from litestar import Litestar

from rag.api.app import create_app
from rag.api.service import Service
from rag.api.worker import Worker
from rag.bootstrap import build_home, build_parser
from rag.errors import StoreError
from rag.home import Home
from rag.jobs import JobQueue, JobRunner, ingest
from rag.labels import LabelFile
from rag.settings import DEFAULT_COLLECTION, Settings, read_settings

_LOG: Final = logging.getLogger(__name__)


def app() -> Litestar:
    """Return the application over the settings in the environment."""
    return open_app(read_settings())


def open_app(settings: Settings) -> Litestar:
    """Return the application over a home whose default collection is open and models are warm.

    Raises RagError, so that a service which cannot answer does not start. Where the default
    collection alone is stale or damaged it does, for the sake of the others.
    """
    home = build_home(settings)
    try:
        _warm_up(home)
        jobs = JobQueue(
            settings.home, capacity=settings.queue, min_free_bytes=settings.min_free_bytes
        )
    except BaseException:
        home.close()
        raise
    job_parser = build_parser(settings)
    return create_app(
        Service(
            home=home,
            jobs=jobs,
            runner=JobRunner(settings.home, jobs, work=ingest(home, parser=job_parser)),
            parser=build_parser(settings),
            job_parser=job_parser,
            models=Worker("the models", capacity=settings.queue),
            writes=Worker("the index", capacity=settings.queue),
            reads=Worker("the store", capacity=settings.queue),
            queueing=Worker("the list of jobs", capacity=settings.queue),
            feedback=LabelFile(settings.home / "feedback.jsonl", limit=settings.feedback_bytes),
            job_bytes=settings.job_bytes,
            upload_bytes=settings.upload_bytes,
        )
    )


def _warm_up(home: Home) -> None:
    """Run the models once, over the default collection or, if it is unusable, the first usable."""
    try:
        home.engine(DEFAULT_COLLECTION).answerer.warm_up()
    except StoreError as error:
        others = (name for name in home.names() if name != DEFAULT_COLLECTION)
        usable = next((name for name in others if home.condition(name).state == "ready"), None)
        if usable is None:
            raise
        _LOG.warning("%s", error)
        home.engine(usable).answerer.warm_up()
