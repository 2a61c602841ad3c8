"""The application over the seeds, as a client sees it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from rag.asgi import open_app
from rag.settings import read_settings
from tests import stores

UPLOAD_BYTES = 2_000_000


@pytest.fixture(scope="session")
def client(make_home: Callable[..., Path]) -> Iterator[TestClient[Litestar]]:
    """A client of a service over the seeds; what a test adds it deletes."""
    home = make_home(seeded=True)
    environment = stores.environment(home) | {"RAG_UPLOAD_BYTES": str(UPLOAD_BYTES)}
    settings = read_settings(environment)
    with TestClient(open_app(settings), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def ask(client: TestClient[Litestar]) -> Callable[..., Any]:
    """Ask a question and return the whole response."""

    def asked(question: str, **fields: Any) -> Any:
        response = client.post("/v1/ask", json={"question": question, **fields})
        assert response.status_code == 200, response.text
        return response.json()

    return asked
