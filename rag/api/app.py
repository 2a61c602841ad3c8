"""The Litestar application: routes, errors, headers, the page and the OpenAPI document."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from litestar import Litestar, Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.types import HTTPScope

from rag.api import access, places, problems
from rag.api.admission import with_admission
from rag.api.bodies import JsonRequest
from rag.api.contract.page import show_contract, show_style
from rag.api.examples import ExampleQuestions
from rag.api.headers import with_headers
from rag.api.heads import with_heads
from rag.api.layers import Application
from rag.api.monitoring import show_metrics
from rag.api.observing import with_observation
from rag.api.openapi import WholeDocument
from rag.api.origins import with_origins
from rag.api.pages import show_page, show_part
from rag.api.protection import OPEN, Protection
from rag.api.rates import Rate, address_of, with_rate
from rag.api.routes import ROUTES, refuse_unknown_parameters
from rag.api.schemas import Health
from rag.api.service import Service
from rag.api.tracing import Tracing
from rag.errors import RagError

# Where documents come in, which may be larger than other bodies.
_UPLOADS: Final = "/v1/documents"


@get(
    "/health/live",
    summary="Whether the process answers at all",
    scope="open",
    sync_to_thread=False,
)
def live() -> Health:
    """Return ok as long as the event loop runs."""
    return Health(status="ok", detail="The process answers.")


@get("/health/ready", summary="Whether questions are answered", scope="open")
async def ready(service: NamedDependency[Service]) -> Response[Health]:
    """Return ok where a question that is put to the models now is answered in time."""
    state = service.lifecycle.state
    if state != "ready":
        detail = f"The service is {state}."
        return Response(Health(status=state, detail=detail), status_code=503)
    if reason := await service.readiness.reason():
        return Response(Health(status="failed", detail=reason), status_code=503)
    return Response(Health(status="ok", detail="Questions are answered."))


def create_app(
    service: Service, *, protection: Protection = OPEN, tracing: Tracing | None = None
) -> Litestar:
    """Return the application over a service, which it closes when it shuts down."""
    rate = Rate("requests", limit=protection.rate)
    failures = Rate("requests without a key", limit=protection.failures)
    examples = ExampleQuestions(service.home, models=service.models, reads=service.reads)

    def counted_for(scope: HTTPScope) -> str | None:
        return None if access.is_open(scope["path"]) else access.of(scope).key or address_of(scope)

    @asynccontextmanager
    async def closing(_: Litestar) -> AsyncIterator[None]:
        try:
            if service.lifecycle.state == "ready":
                service.start()
            yield
        finally:
            await asyncio.to_thread(service.close)
            if tracing is not None:
                await asyncio.to_thread(tracing.close)

    return Application(
        layers=[
            with_observation(service.metrics, tracing),
            with_headers,
            with_origins(hosts=protection.hosts, origins=protection.origins),
            with_admission(
                service.lifecycle,
                bounds=places.bounds(
                    service.models.capacity, retry_after=lambda: service.models.retry_after
                ),
                seconds=service.request_seconds,
            ),
            access.with_access(protection.keys, failures),
            with_rate(rate, whose=counted_for),
            with_heads,
        ],
        guards=[access.guard],
        route_handlers=[
            Router(
                path="/",
                route_handlers=[route for route in ROUTES if _UPLOADS not in route.paths],
                request_max_body_size=service.body_bytes,
                before_request=refuse_unknown_parameters,
            ),
            Router(
                path="/",
                route_handlers=[route for route in ROUTES if _UPLOADS in route.paths],
                request_max_body_size=service.upload_bytes,
                before_request=refuse_unknown_parameters,
            ),
            live,
            ready,
            show_page,
            show_part,
            show_contract,
            show_style,
            show_metrics,
        ],
        dependencies={
            "service": Provide(lambda: service, sync_to_thread=False),
            "access": Provide(access.provide, sync_to_thread=False),
            "examples": Provide(lambda: examples, sync_to_thread=False),
            "keys": Provide(lambda: protection.keys is not None, sync_to_thread=False),
        },
        exception_handlers={
            HTTPException: problems.from_http_exception,
            RagError: problems.from_rag_error,
            Exception: problems.from_unexpected,
        },
        request_class=JsonRequest,
        logging_config=None,  # a library's way: whoever runs the application says what is logged
        request_max_body_size=service.body_bytes,
        lifespan=[closing],
        openapi_config=OpenAPIConfig(
            title="chapterverse",
            version=version("chapterverse"),
            use_handler_docstrings=True,
            operation_id_creator=lambda handler, *_: handler.handler_name,
            path="/openapi.json",
            openapi_router=Router(
                path="/openapi.json",
                route_handlers=[],
                include_in_schema=False,
                dto=None,
                return_dto=None,
                opt={"scope": "ask"},
            ),
            render_plugins=[WholeDocument(path="/", keys=protection.keys is not None)],
        ),
    )
