"""The headers of every response, and what a browser may keep of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from rag.api.app import create_app
from tests.services import FakeOpening, make_service

# The proposals of OWASP's Secure Headers Project, but for Strict-Transport-Security: that is for
# whoever ends TLS to send.
EXPECTED = {
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-dns-prefetch-control": "off",
    "x-frame-options": "DENY",
    "x-permitted-cross-domain-policies": "none",
}
CSP = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self' data:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
NO_STORE = "no-store"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient[Any]]:
    home = tmp_path_factory.mktemp("headers") / "home"
    with TestClient(create_app(make_service(home)), raise_server_exceptions=False) as opened:
        body = {"text": "The owl lives in a tree.", "uri": "a"}
        assert opened.post("/v1/documents", json=body).status_code == 201
        yield opened


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "cache"),
    [
        pytest.param("GET", "/", None, 200, "no-cache", id="page"),
        pytest.param("HEAD", "/", None, 200, "no-cache", id="head"),
        pytest.param("GET", "/page/main.js", None, 200, "no-cache", id="script"),
        pytest.param("GET", "/page/nothing.js", None, 404, NO_STORE, id="no script"),
        pytest.param("GET", "/openapi.json", None, 200, NO_STORE, id="openapi"),
        pytest.param("GET", "/health/live", None, 200, NO_STORE, id="health"),
        pytest.param("GET", "/metrics", None, 200, NO_STORE, id="metrics"),
        pytest.param("POST", "/v1/ask", {"question": "Who?"}, 200, NO_STORE, id="answer"),
        pytest.param("POST", "/v1/ask", {"question": ""}, 400, NO_STORE, id="bad"),
        pytest.param("GET", "/v1/documents", None, 200, NO_STORE, id="documents"),
        pytest.param("GET", "/v1/documents/a", None, 404, NO_STORE, id="no document"),
        pytest.param("DELETE", "/v1/ask", None, 405, NO_STORE, id="method"),
        pytest.param("GET", "/nothing", None, 404, NO_STORE, id="no path"),
        pytest.param("GET", "/%00", None, 404, NO_STORE, id="odd path"),
    ],
)
def test_every_response_carries_them(
    client: TestClient[Any], method: str, path: str, body: Any, *, status: int, cache: str
) -> None:
    """Once each, whatever it is and whoever made it; only files of the page may be kept."""
    response = client.request(method, path, json=body)
    assert response.status_code == status
    assert {name: response.headers.get_list(name) for name in EXPECTED} == {
        name: [value] for name, value in EXPECTED.items()
    }
    (policy,) = response.headers.get_list("content-security-policy")
    assert dict(part.strip().split(" ", maxsplit=1) for part in policy.split(";")) == CSP
    (permissions,) = response.headers.get_list("permissions-policy")
    assert {"camera=()", "geolocation=()", "microphone=()"} <= set(permissions.split(", "))
    assert response.headers.get_list("cache-control") == [cache]
    assert "server" not in response.headers


def test_a_document_is_neither_kept_nor_shown(client: TestClient[Any]) -> None:
    """Its text is a download of plain text that no cache keeps."""
    (document,) = client.get("/v1/documents").json()["documents"]
    response = client.get(f"/v1/documents/{document['id']}/text")
    assert response.text == "The owl lives in a tree."
    assert response.headers["cache-control"] == NO_STORE
    assert response.headers["content-disposition"].startswith("attachment")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


def test_an_unexpected_error_carries_them(tmp_path: Path) -> None:
    """As every other response does."""

    class Failing:
        def search(self, *_: object, **__: object) -> None:
            raise ValueError("unforeseen")

    opening = FakeOpening(tmp_path / "home")
    opening.answerer = Failing()
    app = create_app(make_service(tmp_path / "home", opening))
    with TestClient(app, raise_server_exceptions=False) as client:
        response = client.post("/v1/search", json={"question": "Who?"})
    assert response.status_code == 500
    assert {name: response.headers[name] for name in EXPECTED} == EXPECTED
    assert response.headers["cache-control"] == NO_STORE


@pytest.fixture
def tag(client: TestClient[Any]) -> str:
    return client.get("/page/main.js").headers["etag"]


@pytest.mark.parametrize(
    ("known", "again"),
    [
        pytest.param(lambda tag: tag, False, id="same"),
        pytest.param(lambda tag: f"W/{tag}", False, id="weak"),
        pytest.param(lambda tag: f'"a", {tag}', False, id="among others"),
        pytest.param(lambda _: "*", False, id="any"),
        pytest.param(lambda _: '"a"', True, id="another"),
        pytest.param(lambda tag: tag.strip('"'), True, id="unquoted"),
    ],
)
def test_a_file_that_is_known_is_not_sent_again(
    client: TestClient[Any], tag: str, known: Callable[[str], str], *, again: bool
) -> None:
    """304 without a body, and with the tag; anything else is sent whole."""
    response = client.get("/page/main.js", headers={"If-None-Match": known(tag)})
    assert response.status_code == (200 if again else 304)
    assert (len(response.content) > 0) is again
    assert response.headers["etag"] == tag
    assert response.headers["cache-control"] == "no-cache"


def test_files_have_tags_of_their_own(client: TestClient[Any]) -> None:
    """So that one that changes is fetched."""
    tags = {client.get(path).headers["etag"] for path in ("/", "/page/main.js", "/page/base.css")}
    assert len(tags) == 3
