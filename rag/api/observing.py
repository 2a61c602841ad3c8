"""The outermost layer: each request has an id, is counted, and leaves one line in the log."""

import logging
import re
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, cast

from litestar.types import HTTPScope, Message, Receive, Send
from structlog.contextvars import bound_contextvars

from rag.api import access
from rag.api.layers import Application, HttpApp, Layer, header
from rag.api.logs import QUESTIONS
from rag.api.prometheus import Metrics
from rag.api.tracing import Tracing
from rag.stages import Observer, Outcome, Stage, observed_by

_LOG: Final = logging.getLogger(__name__)
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_CLIENT_GONE: Final = 499
# Asked every few seconds, for years.
_QUIET: Final = frozenset({"/health/live", "/health/ready", "/metrics"})
# What tells of a service that is busy or has no room, not of a fault.
_FORESEEN: Final = frozenset({503, 507})


def with_observation(metrics: Metrics, tracing: Tracing | None) -> Layer:
    """Return a layer that counts and logs requests, and traces them where there is tracing.

    A request's id is the one it brings as `X-Request-ID`, if it looks like one, else a new one; its
    response carries it, and so does every line of the log that is written on its behalf.
    """
    observers: Sequence[Observer] = (metrics, _OutcomeLog(), *([tracing] if tracing else []))

    def layer(app: HttpApp) -> HttpApp:
        async def handle(scope: HTTPScope, receive: Receive, send: Send) -> None:
            request = _Request(scope, send)
            failed: Exception | None = None
            with (
                bound_contextvars(request_id=request.id),
                observed_by(observers),
                metrics.request() as counted,
                tracing.request(scope, route=request.route) if tracing else nullcontext() as span,
            ):
                try:
                    await app(scope, receive, request.send)
                except Exception as error:
                    failed = error
                    raise
                finally:
                    status = request.status or (500 if failed else _CLIENT_GONE)
                    if span is not None:
                        span.end_request(status)
                    seconds = counted(request.route, request.method, status)
                    request.log(status, seconds=seconds, failed=failed)

        return handle

    return layer


class _Request:
    """A request as it is counted and logged, and what has been sent in answer to it."""

    def __init__(self, scope: HTTPScope, send: Send) -> None:
        given = header(scope, b"x-request-id") or ""
        self.id: Final = given if _ID.fullmatch(given) else secrets.token_hex(16)
        self.method: Final = scope["method"]
        application = cast("Application", scope["litestar_app"])
        self.route: Final = application.template_of(scope["path"]) or "unknown"
        self.status: int | None = None
        self._scope: Final = scope
        self._send: Final = send
        self._bytes = 0
        self._complete = False

    async def send(self, message: Message) -> None:
        """Send a part of the response."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", self.id.encode())]
        elif message["type"] == "http.response.body":
            self._bytes += len(message["body"])
            self._complete = not message["more_body"]
        await self._send(message)

    def log(self, status: int, *, seconds: float, failed: Exception | None) -> None:
        """Write the request's line."""
        fields = {
            "method": self.method,
            "route": self.route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "bytes": self._bytes,
            "key": access.of(self._scope).key,
        }
        if self.status is not None and not self._complete:
            fields["cut"] = True  # the client went, or it failed, before all was sent
        _LOG.log(
            _level(status, self.route, failed=failed),
            "request",
            extra={"fields": fields},
            exc_info=failed,
        )


def _level(status: int, route: str, *, failed: Exception | None) -> int:
    if failed is not None or (status >= 500 and status not in _FORESEEN):
        return logging.ERROR
    if status >= 500:
        return logging.WARNING
    return logging.DEBUG if route in _QUIET else logging.INFO


class _OutcomeLog:
    """Writes what was asked and answered to the log, for those who want such words in it."""

    def stage(self, _: Stage) -> AbstractContextManager[object]:
        """Write nothing of stages: they have figures."""
        return nullcontext()

    def outcome(self, outcome: Outcome) -> None:
        """Write a line."""
        QUESTIONS.info(
            "question",
            extra={
                "fields": {"confidence": outcome.confidence, "abstention": outcome.abstention},
                "text": {"question": outcome.question, "answers": outcome.answers},
            },
        )
