"""How many changes the file keeps; what is remembered of them is in the suite of every store."""

import pytest

from rag.store import SqliteStore
from tests.fakes import make_document, ready


def test_forgotten_changes_are_gone_from_the_file(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of eight generations the file tells of the last five."""
    monkeypatch.setattr("rag.store.changing._HISTORY", 5)
    for n in range(8):
        store.put(ready(make_document(f"text {n}", uri=f"file:{n % 2}")))
    assert store._writer.execute("SELECT generation FROM changes ORDER BY 1").fetchall() == [
        (n,) for n in range(4, 9)
    ]
