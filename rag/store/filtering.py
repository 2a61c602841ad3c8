"""Filters as SQL."""

import json
import unicodedata
from collections.abc import Iterable

from rag.store.checksums import Value
from rag.store.records import Filters, bindable


def where(filters: Filters) -> tuple[str, tuple[Value, ...]]:
    """Return the condition that documents which meet the filters meet, and its values."""
    conditions: list[str] = ["TRUE"]
    values: list[str | None] = []
    if filters.documents is not None:
        conditions.append("id IN (SELECT value FROM json_each(?))")
        values.append(json_list(filters.documents))
    if filters.media_types is not None:
        conditions.append("media_type IN (SELECT value FROM json_each(?))")
        values.append(json_list(filters.media_types))
    if filters.published_from is not None:
        conditions.append("published >= ?")
        values.append(bindable(filters.published_from))
    if filters.published_to is not None:
        conditions.append("published <= ?")
        values.append(bindable(filters.published_to))
    for key, value in filters.metadata:
        conditions.append(
            "EXISTS (SELECT 1 FROM json_each(metadata) AS m WHERE m.key = ? AND m.value = ?)"
        )
        values += [bindable(key), bindable(value)]
    return " AND ".join(conditions), tuple(values)


def containing(search: str) -> tuple[str, tuple[Value, ...]]:
    """Return the condition that documents with `search` in title or uri meet, and its values."""
    if not search:
        return "TRUE", ()
    wanted = bindable(folded(search))
    return "(instr(folded(title), ?) OR instr(folded(uri), ?))", (wanted, wanted)


def folded(text: str) -> str:
    """Return a text as it is compared where neither case nor form of its letters matters."""
    # Folding takes some letters out of the form that they were brought into.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def json_list(texts: Iterable[str]) -> str:
    """Return texts as a JSON array to look values up in."""
    return json.dumps([bindable(text) for text in texts])
