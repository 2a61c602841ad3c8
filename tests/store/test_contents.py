"""What was put is there, whole, in every generation that has it."""

import numpy as np
import pytest

from rag.errors import NotFound
from rag.store import Filters, Store
from tests.fakes import FakeEmbedder, make_document, ready
from tests.store.conftest import dump


def test_a_deletion_leaves_nothing(store: Store) -> None:
    """After a deletion no row holds anything of the document but ids and its bytes' checksum."""
    kept, gone = make_document("kept"), make_document("gone\naway", uri="file:b", title="Secret")
    store.put(ready(gone))
    store.put(ready(kept))
    assert store.delete(gone.id) == 3
    with store.snapshot() as snapshot:
        assert snapshot.matching(Filters()) == [kept.id]
        assert snapshot.chunk_ids([gone.id, kept.id]).tolist() == [3]
        assert snapshot.removed_since(1).tolist() == [1, 2]
        assert snapshot.removed_since(3).tolist() == []
        for ask in (snapshot.document, snapshot.summary):
            with pytest.raises(NotFound, match=gone.id):
                ask(gone.id)
    tables = dump(store.path)
    assert [row[:4] for row in tables["changes"]] == [
        (1, 1, 3, "[]"),
        (2, 3, 4, "[]"),
        (3, 4, 4, "[[1, 3]]"),
    ]
    assert [row[:4] for row in tables["versions"]] == [(gone.id, gone.sha256, 1, 3)]
    assert {row[1] for row in tables["documents"]} == {kept.id}
    assert {row[3] for row in tables["bodies"]} == {kept.text}
    assert {row[1] for row in tables["chunks"]} == {kept.id}
    before = dump(store.path)
    with pytest.raises(NotFound, match=gone.id):
        store.delete(gone.id)
    assert dump(store.path) == before


def test_the_fake_embedder_puts_texts_of_shared_words_close() -> None:
    """Rows are unit, equal for equal words, and closer the more words are shared."""
    rows = FakeEmbedder().embed_passages(["red green blue", "blue, red GREEN", "red one two", "x"])
    similarity = rows @ rows[0]
    assert np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-6)
    assert np.array_equal(rows[0], rows[1])
    assert similarity[1] > similarity[2] > similarity[3]
