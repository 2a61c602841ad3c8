"""How the suite opens stores, and what it reads of one."""

from typing import Any, Protocol

from rag.store import Filters, Snapshot, Store


class Place(Protocol):
    """Opens stores for one test and closes them after it."""

    def __call__(
        self,
        name: str = "a",
        *,
        fingerprint: str | None = "f",
        max_documents: int | None = None,
    ) -> Store:
        """Open the store of a name, made at its first use; again each time it is called."""
        ...


def content(snapshot: Snapshot) -> dict[int, tuple[str, str, str, tuple[str, ...], bytes]]:
    """Return all that an index built from nothing would hold: chunk id to its parts."""
    return {
        chunk.id: (chunk.document, chunk.title, chunk.text, chunk.section, row.tobytes())
        for chunks, rows in snapshot.added_since(0)
        for chunk, row in zip(chunks, rows, strict=True)
    }


def everything(store: Store) -> dict[str, Any]:
    """Return all that a store can be asked of its present generation, verified."""
    with store.snapshot() as snapshot:
        snapshot.verify()
        ids = snapshot.matching(Filters())
        return {
            "generation": snapshot.generation,
            "identity": snapshot.identity,
            "fingerprint": snapshot.fingerprint,
            "count": snapshot.count(),
            "characters": snapshot.characters(),
            "summaries": snapshot.summaries(limit=1000),
            "documents": [snapshot.document(id_) for id_ in ids],
            "chunks": snapshot.chunks(snapshot.chunk_ids(ids).tolist()),
            "content": content(snapshot),
            "versions": snapshot.versions(),
            "former": [snapshot.former_versions(id_) for id_ in ids],
            "removed": {
                generation: snapshot.removed_since(generation).tolist()
                for generation in range(snapshot.generation + 1)
                if snapshot.remembers(generation)
            },
        }
