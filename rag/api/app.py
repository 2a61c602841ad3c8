"""The Litestar application: routes, errors, headers, the page and the OpenAPI document."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Final

from litestar import Litestar, MediaType, Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException, NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.params import FromPath

from rag.api import problems
from rag.api.access import EVERYTHING
from rag.api.bodies import JsonRequest
from rag.api.headers import with_headers
from rag.api.layers import Application
from rag.api.openapi import WireSchemas
from rag.api.routes import ROUTES, refuse_unknown_parameters
from rag.api.schemas import Health
from rag.api.service import Service
from rag.errors import Busy, RagError

# A ready service answers a call that does nothing within this time, seconds.
_CANARY: Final = 5.0

_PAGE_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


@get("/health/live", summary="Whether the process answers at all", sync_to_thread=False)
def live() -> Health:
    """Return ok as long as the event loop runs."""
    return Health(status="ok", detail="The process answers.")


@get("/health/ready", summary="Whether questions are answered")
async def ready(service: NamedDependency[Service]) -> Response[Health]:
    """Return ok when the thread that runs the models takes up a call in time."""
    try:
        await asyncio.wait_for(service.models.run(lambda: None), _CANARY)
    except TimeoutError:
        detail = f"The models have been busy for more than {_CANARY:.0f} seconds."
        return Response(Health(status="failed", detail=detail), status_code=503)
    except Busy as error:
        return Response(Health(status="failed", detail=str(error)), status_code=503)
    return Response(Health(status="ok", detail="Questions are answered."))


@get("/", media_type=MediaType.HTML, include_in_schema=False, sync_to_thread=False)
def index() -> Response[bytes]:
    """Return the page."""
    return page_file("index.html")


@get("/page/{name:str}", include_in_schema=False, sync_to_thread=False)
def page_part(name: FromPath[str]) -> Response[bytes]:
    """Return a file of the page."""
    return page_file(name)


def page_file(name: str) -> Response[bytes]:
    """Return one of the page's files, found by its name among them: no path reaches others."""
    files = {file.name: file for file in (resources.files("rag") / "page").iterdir()}
    media_type = _PAGE_TYPES.get(PurePosixPath(name).suffix)
    if name not in files or media_type is None:
        raise NotFoundException
    return Response(
        files[name].read_bytes(),
        media_type=media_type,
        headers={"Cache-Control": "no-cache"},
    )


def create_app(service: Service) -> Litestar:
    """Return the application over a service, which it closes when it shuts down."""

    @asynccontextmanager
    async def closing(_: Litestar) -> AsyncIterator[None]:
        try:
            service.parser.start()
            service.runner.start()
            yield
        finally:
            await asyncio.to_thread(service.close)

    return Application(
        layers=[with_headers],
        route_handlers=[
            Router(path="/", route_handlers=ROUTES, before_request=refuse_unknown_parameters),
            live,
            ready,
            index,
            page_part,
        ],
        dependencies={
            "service": Provide(lambda: service, sync_to_thread=False),
            "access": Provide(lambda: EVERYTHING, sync_to_thread=False),
        },
        exception_handlers={
            HTTPException: problems.from_http_exception,
            RagError: problems.from_rag_error,
            Exception: problems.from_unexpected,
        },
        request_class=JsonRequest,
        logging_config=None,  # a library's way: whoever runs the application says what is logged
        request_max_body_size=service.upload_bytes,
        lifespan=[closing],
        openapi_config=OpenAPIConfig(
            title="chapterverse",
            version=version("chapterverse"),
            description="Questions answered in the documents' own words, with exact citations.",
            use_handler_docstrings=True,
            path="/openapi.json",
            render_plugins=[WireSchemas(path="/")],
        ),
    )
