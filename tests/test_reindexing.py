"""Reindexing where there is no room; all else about it is in the suite of every store."""

from pathlib import Path

import pytest

from rag.errors import StoreFull
from rag.store import SqliteStore
from tests.fakes import make_document, ready
from tests.store.conformance.rechunking import run, text_of


def test_below_the_floor_nothing_is_staged(tmp_path: Path) -> None:
    """Too little room is StoreFull, and the old chunks stay in force."""
    service = SqliteStore(tmp_path, fingerprint="lines")
    for n in range(9):
        service.put(ready(make_document(text_of(n), uri=f"file:{n}")))
    store = SqliteStore(tmp_path, fingerprint=None, min_free_bytes=10**18)
    with pytest.raises(StoreFull, match="RAG_MIN_FREE_BYTES"):
        list(run(store))
    store.close()
    with service.snapshot() as snapshot:
        assert snapshot.count() == (9, 18)
    service.close()
