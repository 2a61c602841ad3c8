"""The store in PostgreSQL does what every store must."""

from itertools import count

import pytest

from rag.store import Store
from rag.store.postgres import PostgresStore, Server
from tests.store.conformance import Place, StoreConformance

_NUMBERS = count()


class TestPostgresStore(StoreConformance):
    """The suite of every store, over collections of one database."""

    ended = RuntimeError

    @pytest.fixture
    def place(self, server: Server) -> Place:
        """Each name is a collection, of this test alone."""
        prefix = next(_NUMBERS)

        def open_store(
            name: str = "a", *, fingerprint: str | None = "f", max_documents: int | None = None
        ) -> Store:
            return PostgresStore(
                server,
                f"{prefix}-{name}",
                fingerprint=fingerprint,
                max_documents=max_documents,
            )

        return open_store
