"""Finds in a store the places that labelled questions name."""

from collections import defaultdict
from dataclasses import replace
from functools import lru_cache

from rag.chunks import Chunk
from rag.documents import Document, document_id
from rag.errors import BrokenFile, NotFound
from rag.eval.examples import Example
from rag.eval.records import Gold
from rag.store import Store

_KEPT = 16  # documents, each with its text and chunks


class Places:
    """The documents of a store as it is now, by what question files call them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.snapshot() as snapshot:
            self._uris = frozenset(snapshot.versions())
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for uri in self._uris:
            self._by_name[uri.rpartition("/")[2]].append(uri)
        self._document = lru_cache(_KEPT)(self._load_document)
        self._chunks = lru_cache(_KEPT)(self._load_chunks)

    def resolve(self, example: Example) -> Example:
        """Return the example with the ids of the golds' documents.

        A gold in a context that the store does not have loses its place, a relevant document that
        it does not have keeps its name. Raises BrokenFile for any other document that is not there
        and for a text that does not stand where it is said to.
        """
        golds = tuple(
            self._in_context(example, gold)
            if gold.document is None
            else self._in_document(example, gold)
            for gold in example.golds
        )
        return replace(example, golds=golds)

    def chunk(self, gold: Gold) -> Chunk | None:
        """Return the chunk around a gold: the one with most text on its shorter side.

        None for a gold whose place is not known, and for one that no chunk holds whole.
        """
        if gold.document is None or gold.start is None or gold.end is None:
            return None
        best, most = None, -1
        for chunk in self._chunks(gold.document):
            around = min(gold.start - chunk.start, chunk.end - gold.end)
            if around > most:
                best, most = chunk, around
        return best

    def media_type(self, gold: Gold) -> str | None:
        """Return the media type of a gold's document, None where that is not in the store."""
        if gold.document is None:
            return None
        try:
            with self._store.snapshot() as snapshot:
                return snapshot.summary(gold.document).media_type
        except NotFound:
            return None

    def _in_context(self, example: Example, gold: Gold) -> Gold:
        context = example.context
        if context is None or gold.start is None:
            return gold
        places = [(context.uri, gold.start)]
        if context.document is not None:
            places.insert(0, (context.document, context.start + gold.start))
        for uri, start in places:
            if uri in self._uris:
                placed = replace(
                    gold, document=document_id(uri), start=start, end=start + len(gold.text)
                )
                if self._stands(placed):
                    return placed
        return replace(gold, start=None, end=None)

    def _in_document(self, example: Example, gold: Gold) -> Gold:
        name = gold.document or ""
        uris = [name] if name in self._uris else self._ending_in(name)
        if len(uris) > 1:
            raise BrokenFile(
                f"{example.where}: several documents are called {name}: {', '.join(sorted(uris))}. "
                "Give a longer part of the uri."
            )
        if uris:
            placed = replace(gold, document=document_id(uris[0]))
        elif self.media_type(gold) is not None:
            placed = gold
        elif example.task == "documents":
            return gold
        else:
            raise BrokenFile(
                f"{example.where}: no document {name} is in the collection. Take it in, or give "
                "--corpus."
            )
        if gold.start is not None and not self._stands(placed):
            raise BrokenFile(
                f"{example.where}: {name} has no {gold.text!r} at character {gold.start}. Was the "
                "document changed?"
            )
        return placed

    def _ending_in(self, name: str) -> list[str]:
        candidates = self._by_name.get(name.rpartition("/")[2], [])
        return [uri for uri in candidates if uri.endswith(f"/{name}")]

    def _stands(self, gold: Gold) -> bool:
        text = self._document(gold.document or "").text
        return text[gold.start : gold.end] == gold.text

    def _load_document(self, document: str) -> Document:
        with self._store.snapshot() as snapshot:
            return snapshot.document(document)

    def _load_chunks(self, document: str) -> list[Chunk]:
        with self._store.snapshot() as snapshot:
            return snapshot.chunks(snapshot.chunk_ids([document]).tolist())
