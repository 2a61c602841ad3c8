"""What derived indexes are told of changes leads to the present from any generation on."""

import random
from typing import Any

from rag.documents import Document
from rag.store import Filters, Store
from tests.fakes import chunk_lines, make_document, ready
from tests.store.conftest import content


def test_changes_since_any_generation_lead_to_the_present(store: Store) -> None:
    """What an index held at any generation, less the removed, plus the added, is what is there.

    The writes are random: added, replaced and deleted documents, several in one put, some twice.
    """
    rng = random.Random(7)
    stored: dict[str, Document] = {}
    held_at: list[dict[int, Any]] = [{}]
    for step in range(50):
        if stored and rng.random() < 0.3:
            gone = rng.choice(sorted(stored))
            store.delete(gone)
            del stored[gone]
        else:
            documents = [
                make_document(
                    "\n".join(f"{step} {rng.random()}" for _ in range(rng.randint(1, 4))),
                    uri=f"file:{rng.randint(0, 7)}",
                    title=f"Title {step}",
                )
                for _ in range(rng.randint(1, 3))
            ]
            store.put(ready(*documents))
            stored |= {document.id: document for document in documents}
        with store.snapshot() as snapshot:
            assert snapshot.generation == step + 1
            assert {id_: snapshot.document(id_) for id_ in snapshot.matching(Filters())} == stored
            present = content(snapshot)
        expected = [
            (document.id, document.title, chunk.text, chunk.section)
            for document in stored.values()
            for chunk in chunk_lines(document)
        ]
        assert sorted(parts[:4] for parts in present.values()) == sorted(expected)
        held_at.append(present)
    with store.snapshot() as snapshot:
        for generation, before in enumerate(held_at):
            removed = snapshot.removed_since(generation).tolist()
            assert removed == sorted(set(removed))
            held = {id_: parts for id_, parts in before.items() if id_ not in removed}
            added: list[int] = []
            for chunks, rows in snapshot.added_since(generation, batch=3):
                assert len(chunks) <= 3
                for chunk, row in zip(chunks, rows, strict=True):
                    added.append(chunk.id)
                    held[chunk.id] = (
                        chunk.document,
                        chunk.title,
                        chunk.text,
                        chunk.section,
                        row.tobytes(),
                    )
            assert added == sorted(added)
            assert not set(added) & {*removed, *before}
            assert held == held_at[-1]
