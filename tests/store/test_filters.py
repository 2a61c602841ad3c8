"""Filters, against plain Python."""

import random

from rag.documents import Document
from rag.store import Filters, Store
from tests.fakes import make_document, ready


def meets(document: Document, filters: Filters) -> bool:
    """Say in plain Python what `Filters` mean."""
    low, high, date = filters.published_from, filters.published_to, document.published
    return (
        (filters.documents is None or document.id in filters.documents)
        and (filters.media_types is None or document.media_type in filters.media_types)
        and (low is None or (date is not None and date >= low))
        and (high is None or (date is not None and date <= high))
        and all(document.metadata.get(key) == value for key, value in filters.metadata)
    )


def test_filters_mean_what_plain_python_means_by_them(store: Store) -> None:
    """For random documents and filters `matching` gives what a loop over all documents gives."""
    rng = random.Random(3)
    types = ["text/plain", "text/html", "application/pdf"]
    dates = [None, "2016-01-01", "2019-05-05", "2019-05-06", "2023-12-31"]
    keys = ["author", "a.b", 'q"u', "$", "0", "clé"]
    values = ["x", "", "1", "%", "' OR 1"]

    def pairs(most: int) -> dict[str, str]:
        return {rng.choice(keys): rng.choice(values) for _ in range(rng.randint(0, most))}

    documents = [
        make_document(
            "text",
            uri=f"file:{n}",
            media_type=rng.choice(types),
            published=rng.choice(dates),
            metadata=pairs(5),
        )
        for n in range(60)
    ]
    store.put(ready(*documents))
    ids = sorted(document.id for document in documents)
    sizes = set()
    with store.snapshot() as snapshot:
        for _ in range(300):
            filters = Filters(
                documents=rng.choice([None, None, (*rng.sample(ids, 20), "unknown"), ()]),
                media_types=rng.choice([None, None, tuple(rng.sample(types, 2)), ("none",)]),
                published_from=rng.choice([None, None, *dates]),
                published_to=rng.choice([None, None, *dates]),
                metadata=tuple(pairs(2).items()),
            )
            expected = sorted(d.id for d in documents if meets(d, filters))
            assert snapshot.matching(filters) == expected, filters
            sizes.add(len(expected))
    assert {0, 60} < sizes


def test_filters_know_whether_they_let_all_pass() -> None:
    """Only filters without any condition are empty; a list of no documents is a condition."""
    assert Filters().empty
    assert not Filters(documents=()).empty
    assert not Filters(metadata=(("a", ""),)).empty
