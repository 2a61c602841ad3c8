"""A service with stand-ins for the models behind a real server, and clients of it."""

from collections.abc import Iterator

import pytest

from rag.api.app import create_app
from rag.client import Client
from tests.api.raw import serving
from tests.services import make_service

TEXT = "The owl hoots at night.\nThe cat sleeps on the sofa.\nA fox runs."


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its default collection holds one document of three passages."""
    service = make_service(tmp_path_factory.mktemp("served"), queue=16)
    with serving(create_app(service)) as port:
        found = f"http://127.0.0.1:{port}"
        with Client(found) as client:
            client.add_text(TEXT, title="Animals", uri="note:animals")
        yield found


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as opened:
        yield opened
