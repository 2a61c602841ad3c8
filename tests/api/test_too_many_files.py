"""A service that can open no more files says so, goes on, and takes uploads in again afterwards."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from rag.api.app import create_app
from tests.descriptors import descriptors_left
from tests.services import make_service

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux"),
    # The framework leaves a file that it could not write to the collection of garbage.
    pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning"),
]

LARGE = b"An ant carries leaves.\n" * 50_000  # kept in a file while it comes


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient[Litestar]]:
    """A client of a service that takes large uploads in at once and has read from its store."""
    service = make_service(tmp_path, job_bytes=10**7, upload_bytes=10**7)
    with TestClient(create_app(service), raise_server_exceptions=False) as opened:
        assert send(opened, "a.txt", b"The yak drinks lemonade.").status_code == 201
        assert ask(opened) == "lemonade"
        yield opened


def send(client: TestClient[Litestar], name: str, content: bytes, **params: Any) -> Any:
    return client.post("/v1/documents", files={"file": (name, content)}, params=params)


def ask(client: TestClient[Litestar]) -> str:
    response = client.post("/v1/ask", json={"question": "What does the yak drink?"})
    assert response.status_code == 200
    return "lemonade" if "lemonade" in response.json()["answers"][0]["text"] else response.text


def uris(client: TestClient[Litestar]) -> list[str]:
    return [one["uri"] for one in client.get("/v1/documents").json()["documents"]]


@pytest.mark.parametrize(
    ("content", "params"),
    [
        pytest.param(LARGE, {"wait": True}, id="large"),
        pytest.param(b"An ant carries leaves.", {"wait": False}, id="job"),
    ],
)
def test_an_upload_is_refused_with_what_to_do(
    client: TestClient[Litestar], content: bytes, params: dict[str, Any]
) -> None:
    """503 that names the limit; questions go on; the same upload is taken in once files can be."""
    with descriptors_left(0):
        refused = send(client, "b.txt", content, **params)
        assert client.get("/health/live").status_code == 200
        assert ask(client) == "lemonade"
        assert uris(client) == ["upload:a.txt"]
    assert refused.status_code == 503
    assert refused.headers["content-type"].startswith("application/problem+json")
    assert "limit of open files" in refused.json()["detail"]
    assert client.get("/v1/jobs").json()["jobs"] == []
    assert send(client, "b.txt", content, **params).status_code in {201, 202}


def test_a_small_upload_needs_no_other_file(client: TestClient[Litestar]) -> None:
    """What is waited for and held in memory is stored although no file can be opened."""
    with descriptors_left(0):
        assert send(client, "b.txt", b"Ants march.").status_code == 201
        assert uris(client) == ["upload:a.txt", "upload:b.txt"]
