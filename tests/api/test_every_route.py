"""What holds for every route, by the application's own list, so that a new one is covered."""

import json
from collections.abc import Callable, Iterator

import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from litestar.testing import TestClient

from rag.api.app import create_app
from tests.api.raw import ask_raw
from tests.services import make_service

Client = TestClient[Litestar]

DEPTH = 100_000
SHALLOWER = {"/v1/collections": 1_000}  # no longer bodies are read there
NESTED: list[Callable[[int], bytes]] = [
    lambda depth: b"[" * depth,
    lambda depth: b"[" * depth + b"]" * depth,
    lambda depth: b'{"a":' * depth,
    lambda depth: b'{"a":' * depth + b"1" + b"}" * depth,
    lambda depth: b'{"filters": {"metadata": ' + b'{"a":' * depth,
    lambda depth: b'{"question": "x", "questions": ' + b"[" * depth,
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    service = make_service(tmp_path_factory.mktemp("home"), upload_bytes=2_000_000)
    with TestClient(create_app(service)) as opened:
        text = {"text": "Owls hoot.", "uri": "<script>"}
        assert opened.post("/v1/documents", json=text).status_code == 201
        yield opened


def paths(client: Client, method: str) -> list[str]:
    """Return the paths of every route of a method, with a document's id in the place of each."""
    document = client.get("/v1/documents").json()["documents"][0]["id"]
    return [
        route.path_format.replace("{name}", "main.js").replace("{document_id}", document)
        for route in client.app.routes
        if isinstance(route, HTTPRoute) and method in route.methods
    ]


@pytest.mark.parametrize("nested", NESTED)
def test_json_that_is_nested_too_deeply_is_refused(
    client: Client, nested: Callable[[int], bytes]
) -> None:
    """400 on every route that takes a body, and the service goes on."""
    found = paths(client, "POST")
    assert len(found) >= 7
    for path in found:
        body = nested(SHALLOWER.get(path, DEPTH))
        answered = ask_raw(client, "POST", path, body=body)
        assert answered.status == 400, path
        assert json.loads(answered.body)["type"] == "urn:chapterverse:problem:invalid-request"
    assert client.get("/health/live").status_code == 200


def test_head_is_what_get_answers_without_its_body(client: Client) -> None:
    """The same status and headers on every route, also where nothing is found, and no body."""
    found = paths(client, "GET")
    assert len(found) >= 12
    for path in [*found, "/nope", "/v1/documents/nope", "/v1/documents?limit=0"]:
        path_, _, query = path.partition("?")
        got, head = (ask_raw(client, m, path_, query=query) for m in ("GET", "HEAD"))
        assert (head.status, head.body) == (got.status, b""), path
        assert head.headers["content-type"] == got.headers["content-type"], path
        if path_ in {"/", "/page/main.js", "/v1/collections", "/nope"}:  # the same each time
            assert head.headers["content-length"] == str(len(got.body))
    assert ask_raw(client, "HEAD", "/v1/search").status == 405


def test_no_response_is_taken_for_a_page(client: Client) -> None:
    """Types are not guessed, and a text, which may be of any language, is a download."""
    for path in paths(client, "GET"):
        answered = ask_raw(client, "GET", path)
        assert answered.headers["x-content-type-options"] == "nosniff", path
        kind = answered.headers["content-type"].partition(";")[0]
        if path.endswith("/text"):
            assert (kind, answered.status) == ("text/plain", 200)
            assert answered.headers["content-disposition"].startswith("attachment")
        elif path.startswith("/v1/"):
            assert kind in {"application/json", "application/problem+json"}, path
