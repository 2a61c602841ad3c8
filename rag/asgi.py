"""The application for an ASGI server: `uvicorn --factory rag.asgi:app`."""

from litestar import Litestar

from rag.api.app import create_app
from rag.api.service import Service
from rag.api.worker import Worker
from rag.bootstrap import build_engine, build_store
from rag.settings import Settings, read_settings


def app() -> Litestar:
    """Return the application over the settings in the environment."""
    return open_app(read_settings())


def open_app(settings: Settings) -> Litestar:
    """Return the application over an index that is open and models that are warm.

    Raises RagError, so that a service which cannot answer does not start.
    """
    engine = build_engine(settings, store=build_store(settings))
    engine.answerer.warm_up()
    return create_app(
        Service(
            store=engine.store,
            answerer=engine.answerer,
            indexer=engine.indexer,
            models=Worker("the models", capacity=settings.queue),
            writes=Worker("the index", capacity=settings.queue),
            reads=Worker("the store", capacity=settings.queue),
            upload_bytes=settings.upload_bytes,
        )
    )
