"""The application around the routes: headers, page, health, load, errors, OpenAPI."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from rag import errors
from rag.api import problems, schemas
from rag.api.app import create_app
from rag.api.worker import Worker
from tests.api.stuck import PATIENCE, StuckAnswerer
from tests.services import FakeOpening, make_service

Client = TestClient[Litestar]


@pytest.fixture
def answerer() -> StuckAnswerer:
    return StuckAnswerer()


@pytest.fixture
def models() -> Worker:
    """Two questions may wait or run."""
    return Worker("the models", capacity=2)


@pytest.fixture
def stuck(answerer: StuckAnswerer, models: Worker, tmp_path: Path) -> Iterator[Client]:
    """A client of a service that can be held up."""
    opening = FakeOpening(tmp_path)
    opening.answerer = answerer
    service = make_service(tmp_path, opening, models=models, queue=2, upload_bytes=1000)
    with TestClient(create_app(service), raise_server_exceptions=False) as client:
        yield client
        answerer.may_end.set()


def test_the_loop_answers_while_a_question_is_being_answered(
    stuck: Client, answerer: StuckAnswerer, models: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live stays ok and documents can be read; ready fails in time; a full queue is told."""
    monkeypatch.setattr("rag.api.readiness._PATIENCE", 0.05)
    monkeypatch.setattr("rag.api.readiness._FRESH", 0.0)
    body = {"question": "What now?"}
    with ThreadPoolExecutor(2) as threads, ExitStack() as stack:
        stack.callback(answerer.may_end.set)
        first = threads.submit(stuck.post, "/v1/ask", json=body)
        assert answerer.begun.wait(PATIENCE)
        assert stuck.get("/health/live").json()["status"] == "ok"
        assert stuck.get("/v1/documents").json()["total"] == 0
        for _ in range(3):  # they share one canary, which takes no place
            ready = stuck.get("/health/ready")
            assert (ready.status_code, ready.json()["status"]) == (503, "failed")
            assert "has not been answered" in ready.json()["detail"]
        assert (models.waiting, len(models._calls)) == (1, 1)
        second = threads.submit(stuck.post, "/v1/ask", json=body)
        deadline = time.monotonic() + PATIENCE
        while models.waiting < 2:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        refused = stuck.post("/v1/ask", json=body)
        assert refused.status_code == 503
        assert refused.json()["type"] == "urn:chapterverse:problem:busy"
        assert refused.headers["retry-after"] == "1"
        answerer.may_end.set()
        for asked in (first, second):
            assert asked.result(PATIENCE).json()["generation"] == 7
    monkeypatch.setattr("rag.api.readiness._PATIENCE", PATIENCE)
    assert stuck.get("/health/ready").status_code == 200


def subclasses(class_: type[Exception]) -> Iterator[type[Exception]]:
    yield class_
    for sub in class_.__subclasses__():
        yield from subclasses(sub)


def test_every_error_has_a_status_and_a_title() -> None:
    """Whoever adds an error says how it goes over the wire."""
    own = {class_ for class_ in subclasses(errors.RagError) if class_.__module__ == "rag.errors"}
    assert own == set(problems.STATUS)
    assert {kind for _, kind in problems.STATUS.values()} <= set(problems.TITLES)


@pytest.mark.parametrize("class_", sorted(problems.STATUS, key=lambda c: c.__name__))
def test_an_error_becomes_its_problem(
    stuck: Client, answerer: StuckAnswerer, class_: type[errors.RagError]
) -> None:
    """Status, type and message arrive."""
    answerer.error = class_("Something is so.")
    response = stuck.post("/v1/ask", json={"question": "What?"})
    status, kind = problems.STATUS[class_]
    assert response.status_code == status
    assert response.json()["type"] == f"urn:chapterverse:problem:{kind}"
    assert response.json()["detail"] == "Something is so."


def test_a_fault_is_logged_and_tells_nothing_of_the_inside(
    stuck: Client, answerer: StuckAnswerer, caplog: pytest.LogCaptureFixture
) -> None:
    """500 without the message of the exception, which the log has with its traceback."""
    answerer.error = ZeroDivisionError("secret")
    response = stuck.post("/v1/ask", json={"question": "What?"})
    assert response.status_code == 500
    assert response.json()["type"] == "urn:chapterverse:problem:internal"
    assert "secret" not in response.text
    assert "ZeroDivisionError: secret" in caplog.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/page/main.js"),
        ("GET", "/page/nope"),
        ("GET", "/health/live"),
        ("GET", "/v1/documents"),
        ("GET", "/nope"),
        ("PUT", "/v1/ask"),
        ("POST", "/v1/ask"),
        ("GET", "/openapi.json"),
    ],
)
def test_every_response_forbids_foreign_content(client: Client, method: str, path: str) -> None:
    """Successes and errors alike carry the policy, and each header once."""
    headers = client.request(method, path).headers
    policy = headers.get_list("content-security-policy")
    assert len(policy) == 1
    assert policy[0].startswith("default-src 'none'; script-src 'self';")
    assert headers.get_list("x-content-type-options") == ["nosniff"]
    assert headers.get_list("referrer-policy") == ["no-referrer"]


def test_the_page_and_all_it_names_are_served(client: Client) -> None:
    """Each file under /page/ that the page names is there, with the type browsers insist on."""
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    named = set(re.findall(r'(?:src|href)="(/page/[^"]+)"', page.text))
    assert len(named) > 5
    types = {
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".svg": "image/svg+xml",
    }
    for path in named:
        response = client.get(path)
        assert response.status_code == 200
        assert response.headers["content-type"] == types[Path(path).suffix]
        assert response.content


@pytest.mark.parametrize(
    "path",
    [
        "../api/app.py",
        "%2e%2e/api/app.py",
        "..%2fapi%2fapp.py",
        "..%5capi%5capp.py",
        "%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "%00",
        "main.js%00",
        "main.js/",
        "x" * 5000,
        "",
    ],
)
def test_nothing_but_the_page_is_served_under_page(client: Client, path: str) -> None:
    """No path, however it is written, leads out of the page's directory."""
    response = client.get(f"/page/{path}")
    served = response.status_code == 200
    assert not served or response.content == client.get("/page/main.js").content
    assert served == (path == "main.js/")


def test_the_openapi_document_is_valid(client: Client) -> None:
    """It is OpenAPI 3.1 by its own schema, and names every route."""
    response = client.get("/openapi.json")
    assert response.status_code == 200
    document = response.json()
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()
    assert {
        (path, method) for path, methods in document["paths"].items() for method in methods
    } == {
        ("/v1/ask", "post"),
        ("/v1/ask/batch", "post"),
        ("/v1/ask/stream", "get"),
        ("/v1/search", "post"),
        ("/v1/examples", "get"),
        ("/v1/documents", "post"),
        ("/v1/documents", "get"),
        ("/v1/documents/{document_id}", "get"),
        ("/v1/documents/{document_id}", "delete"),
        ("/v1/documents/{document_id}/text", "get"),
        ("/v1/citations/verify", "post"),
        ("/v1/feedback", "post"),
        ("/v1/index", "get"),
        ("/v1/collections", "get"),
        ("/v1/collections", "post"),
        ("/v1/collections/{name}", "delete"),
        ("/v1/jobs", "get"),
        ("/v1/jobs/{job_id}", "get"),
        ("/v1/jobs/{job_id}", "delete"),
        ("/health/live", "get"),
        ("/health/ready", "get"),
    }


def test_the_openapi_document_describes_what_is_taken(client: Client) -> None:
    """Bounds, defaults, descriptions and both kinds of upload are those of the code."""
    document = client.get("/openapi.json").json()
    components = document["components"]["schemas"]
    ask = components["AskRequest"]
    assert ask["additionalProperties"] is False
    k = ask["properties"]["k"]
    assert (k["minimum"], k["maximum"], k["default"]) == (1, 100, 10)
    assert k["description"] == "How many passages to read."
    (probability,) = [
        option
        for option in ask["properties"]["min_confidence"]["anyOf"]
        if "type" in option and option["type"] == "number"
    ]
    assert (probability["minimum"], probability["maximum"]) == (0, 1)
    assert ask["properties"]["question"]["examples"]
    for name in ("AskRequest", "SearchRequest", "Citation", "Answer", "Problem"):
        assert components[name]["description"] == getattr(schemas, name).__doc__
    bodies = document["paths"]["/v1/documents"]["post"]["requestBody"]["content"]
    assert bodies["application/json"]["schema"]["$ref"].endswith("/DocumentRequest")
    form = bodies["multipart/form-data"]["schema"]
    assert form["required"] == ["file"]
    assert set(form["properties"]) == {"file", "collection"}
    problem = document["paths"]["/v1/ask"]["post"]["responses"]["400"]["content"]
    assert problem["application/problem+json"]["schema"]["$ref"].endswith("/Problem")


def test_responses_are_of_the_types_that_the_document_names(
    client: Client, ask: Callable[..., Any]
) -> None:
    """What comes over the wire decodes strictly into the schemas, with no field beyond them."""
    asked = ask("What is KFOR?")
    assert set(asked) == set(schemas.AskResponse.__struct_fields__)
    assert msgspec.to_builtins(msgspec.convert(asked, schemas.AskResponse)) == asked
    listed = client.get("/v1/documents").json()
    assert msgspec.to_builtins(msgspec.convert(listed, schemas.DocumentList)) == listed
