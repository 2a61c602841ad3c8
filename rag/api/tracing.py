"""Traces for OpenTelemetry, where its SDK is installed (the extra `otel`) and configured.

Spans hold what the log holds without RAG_LOG_TEXT: no words of questions and documents.
"""

import importlib.util
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

from litestar.types import HTTPScope

from rag.errors import SettingsError
from rag.stages import Outcome, Stage

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

_LOG: Final = logging.getLogger(__name__)
# Any of these says that traces are wanted; the standard's default, to send them to this machine, is
# no sign that they are.
_WANTED: Final = (
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)


def open_tracing(environment: Mapping[str, str] = os.environ) -> "Tracing | None":
    """Return tracing as the environment variables `OTEL_*` have it, None where they ask for none.

    Raises SettingsError where it is asked for and not installed.
    """
    exporter = environment.get("OTEL_TRACES_EXPORTER") or "otlp"
    if (
        not any(environment.get(name) for name in _WANTED)
        or exporter == "none"
        or environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    ):
        return None
    if exporter == "otlp":
        protocol = (
            environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
            or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
            or "http/protobuf"
        )
        exporter = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    found = entry_points(group="opentelemetry_traces_exporter", name=exporter)
    if not found or importlib.util.find_spec("opentelemetry.sdk") is None:
        raise SettingsError(
            f"OTEL_* asks for traces by {exporter}, which is not installed. Install "
            "chapterverse[otel], or set OTEL_SDK_DISABLED=true."
        )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  (an extra)
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    resource = Resource.create(
        {} if environment.get("OTEL_SERVICE_NAME") else {"service.name": "chapterverse"}
    )
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(found[exporter].load()()))
    return Tracing(provider)


class Tracing:
    """Spans of requests and of the stages of questions."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
            TraceContextTextMapPropagator,
        )

        self._provider: Final = provider
        self._tracer: Final = provider.get_tracer("chapterverse")
        self._propagator: Final = TraceContextTextMapPropagator()

    @contextmanager
    def request(self, scope: HTTPScope, *, route: str) -> Iterator["RequestSpan"]:
        """Make a span of a request, as part of the trace that its `traceparent` names."""
        from opentelemetry.trace import SpanKind  # noqa: PLC0415

        carrier = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        with self._tracer.start_as_current_span(
            f"{scope['method']} {route}",
            context=self._propagator.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": scope["method"], "http.route": route},
            record_exception=False,  # what it says may be words of a document
            set_status_on_exception=False,
        ) as span:
            yield RequestSpan(span)

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Make a span of a stage."""
        with self._tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        ):
            yield

    def outcome(self, outcome: Outcome) -> None:
        """Note what became of a question."""
        from opentelemetry.trace import get_current_span  # noqa: PLC0415

        attributes: dict[str, str | int] = {"chapterverse.answers": len(outcome.answers)}
        if outcome.abstention is not None:
            attributes["chapterverse.abstention"] = outcome.abstention
        get_current_span().add_event("outcome", attributes)

    def close(self) -> None:
        """Send what is not sent yet."""
        self._provider.shutdown()


class RequestSpan:
    """The span of a request that has not ended."""

    def __init__(self, span: "Span") -> None:
        self._span: Final = span

    def end_request(self, status: int) -> None:
        """Note the status of the response."""
        from opentelemetry.trace import StatusCode  # noqa: PLC0415

        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_status(StatusCode.ERROR)
