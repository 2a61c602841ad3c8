"""Traces, as OpenTelemetry's own exporter in memory sees them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from rag.api.app import create_app
from rag.api.tracing import Tracing, open_tracing
from rag.errors import SettingsError
from tests.services import FakeOpening, make_service

trace = pytest.importorskip("opentelemetry.sdk.trace", reason="the extra otel is not installed")

from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import (  # noqa: E402
    InMemorySpanExporter,
)

CANARY = "xylograph"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def opening(tmp_path: Path) -> FakeOpening:
    return FakeOpening(tmp_path / "home")


@pytest.fixture
def client(
    tmp_path: Path, exporter: InMemorySpanExporter, opening: FakeOpening
) -> Iterator[TestClient[Any]]:
    provider = trace.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = create_app(make_service(tmp_path / "home", opening), tracing=Tracing(provider))
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


def test_a_question_is_a_trace(client: TestClient[Any], exporter: InMemorySpanExporter) -> None:
    """A span for the request, inside the caller's, and one inside it for each stage, in order."""
    body = {"text": "The owl lives in a tree.", "uri": "a"}
    client.post("/v1/documents", json=body)
    exporter.clear()
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    question = {"question": "Where lives the owl?"}
    client.post("/v1/ask", json=question, headers={"traceparent": caller})
    *stages, request = exporter.get_finished_spans()
    assert [span.name for span in stages] == ["retrieve", "read", "answer"]
    assert request.name == "POST /v1/ask"
    assert request.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/ask",
        "http.response.status_code": 200,
    }
    assert request.parent.span_id == 0xB7AD6B7169203331
    assert {span.context.trace_id for span in (*stages, request)} == {
        0x0AF7651916CD43DD8448EB211C80319C
    }
    assert {span.parent.span_id for span in stages} == {request.context.span_id}
    times = [time for span in stages for time in (span.start_time, span.end_time)]
    assert times == sorted(times)
    assert request.start_time <= times[0]
    assert times[-1] <= request.end_time
    (outcome,) = request.events
    assert (outcome.name, outcome.attributes) == ("outcome", {"chapterverse.answers": 1})


def test_spans_hold_no_words(
    client: TestClient[Any], exporter: InMemorySpanExporter, opening: FakeOpening
) -> None:
    """Of paths, questions and documents, also where an error quotes them; it is marked as one."""

    class Failing:
        def ask(self, question: str, **_: object) -> None:
            raise ValueError(question)

    opening.answerer = Failing()
    client.get(f"/v1/documents/{CANARY}?{CANARY}={CANARY}")
    client.post("/v1/ask", json={"question": CANARY})
    lost, failed = exporter.get_finished_spans()
    assert lost.name == "GET /v1/documents/{document_id}"
    assert lost.status.is_ok or lost.status.is_unset
    assert failed.attributes["http.response.status_code"] == 500
    assert not failed.status.is_ok
    told = json.dumps([json.loads(span.to_json()) for span in (lost, failed)])
    assert CANARY not in told


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({}, id="nothing is said"),
        pytest.param({"OTEL_SERVICE_NAME": "a"}, id="only a name"),
        pytest.param({"OTEL_TRACES_EXPORTER": "none"}, id="none"),
        pytest.param(
            {"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}, id="disabled"
        ),
    ],
)
def test_there_is_no_tracing_unless_it_is_asked_for(environment: dict[str, str]) -> None:
    """By the variables of the standard."""
    assert open_tracing(environment) is None


def test_tracing_that_is_asked_for_and_not_installed_is_an_error() -> None:
    """It names what to install."""
    with pytest.raises(SettingsError, match=r"by nosuch, .*Install chapterverse\[otel\]"):
        open_tracing({"OTEL_TRACES_EXPORTER": "nosuch"})


def test_tracing_is_opened_as_the_environment_has_it() -> None:
    """The exporter that is named is loaded, and told what was measured at the end."""
    code = (
        "from rag.api.tracing import open_tracing\n"
        "tracing = open_tracing()\n"
        "with tracing.stage('read'): pass\n"
        "tracing.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"OTEL_TRACES_EXPORTER": "console", "OTEL_RESOURCE_ATTRIBUTES": "place=here"},
        capture_output=True,
        text=True,
        check=True,
    )
    span = json.loads(done.stdout)
    assert span["name"] == "read"
    attributes = span["resource"]["attributes"]
    assert (attributes["service.name"], attributes["place"]) == ("chapterverse", "here")


def test_opentelemetry_is_not_imported_without_tracing() -> None:
    """Whoever does not use it does not pay for it, nor need it."""
    code = "import sys, rag.asgi; print(any(m.startswith('opentelemetry') for m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
