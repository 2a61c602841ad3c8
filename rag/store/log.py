"""The log of what each of the last generations added and removed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from rag.store.rows import sealed, verified
from rag.store.tables import Tables


@dataclass(frozen=True, slots=True)
class Change:
    """What one generation did: half-open ranges of chunk ids.

    Ids are given out in order, so what is added has one range. What was added and removed in the
    same generation stands in both.
    """

    generation: int
    first_added: int
    after_added: int
    removed: tuple[tuple[int, int], ...]


def append(tables: Tables, change: Change, *, forget_until: int) -> None:
    """Log a generation's change and forget those up to a generation."""
    row = (
        change.generation,
        change.first_added,
        change.after_added,
        json.dumps(change.removed),
    )
    tables.insert("changes", [sealed(row)])
    tables.delete("changes", "generation <= ?", (forget_until,))


def since(tables: Tables, generation: int, *, until: int) -> list[Change]:
    """Return the changes of the generations after one, `until` included, in order."""
    found = [
        Change(row[0], row[1], row[2], tuple((first, after) for first, after in json.loads(row[3])))
        for row in (
            verified(tables, row, what=f"the log of generation {row[0]}")
            for row in tables.select("changes", "generation > ?", (generation,), order="generation")
        )
    ]
    if [change.generation for change in found] != list(range(generation + 1, until + 1)):
        raise tables.damaged("the log of its last changes has gaps")
    return found


def remaining(changes: Sequence[Change]) -> int:
    """Return how many of the chunks that changes added they did not remove again."""
    added = sum(change.after_added - change.first_added for change in changes)
    first = changes[0].first_added if changes else 0
    # Every id is removed at most once, and those from `first` on were added by these changes.
    removed = sum(
        after - max(start, first)
        for change in changes
        for start, after in change.removed
        if after > first
    )
    return added - removed
