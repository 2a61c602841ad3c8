"""Filters as SQL."""

import json
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


def json_list(texts: Iterable[str]) -> str:
    """Return texts as a JSON array to look values up in."""
    return json.dumps([bindable(text) for text in texts])
