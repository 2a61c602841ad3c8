"""`/metrics`: what a Prometheus server asks for every few seconds."""

import asyncio

from litestar import MediaType, Response, get
from litestar.di import NamedDependency

from rag.api.prometheus import MEDIA_TYPE, State
from rag.api.service import Service


@get("/metrics", include_in_schema=False, media_type=MediaType.TEXT, scope="admin")
async def show_metrics(
    service: NamedDependency[Service],
) -> Response[bytes]:
    """Return the figures of the service; whether it is ready takes a question to tell."""
    ready = service.lifecycle.state == "ready" and not await service.readiness.reason()
    state = State(
        service.home,
        workers={
            "models": service.models,
            "writes": service.writes,
            "reads": service.reads,
            "jobs": service.queueing,
        },
        ready=ready,
    )
    # Not on a worker: to have much to do must not keep it from being seen.
    figures = await asyncio.to_thread(service.metrics.render, state)
    return Response(figures, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})
