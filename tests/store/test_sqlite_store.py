"""The store in a file does what every store must."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import apsw
import pytest

from rag.store import SqliteStore, Store
from tests.store.conformance import Place, StoreConformance


class TestSqliteStore(StoreConformance):
    """The suite of every store, over files of SQLite."""

    ended = apsw.CursorClosedError

    @pytest.fixture
    def place(self, tmp_path: Path) -> Iterator[Place]:
        """Each name is a directory."""
        with ExitStack() as opened:

            def open_store(
                name: str = "a", *, fingerprint: str | None = "f", max_documents: int | None = None
            ) -> Store:
                store = SqliteStore(
                    tmp_path / name, fingerprint=fingerprint, max_documents=max_documents
                )
                return opened.enter_context(closing(store))

            yield open_store
