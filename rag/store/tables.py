"""The tables of a collection as every database has them, and what is asked of one.

What a store does (the rows it makes, the checksums that bind them, the changes it remembers) is
written once over these tables; how they are kept is the driver's: `Database` has them in a file of
SQLite, `PostgresTables` in a server.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

from rag.errors import DamagedStore
from rag.store.checksums import Value
from rag.store.records import Filters

Row: TypeAlias = tuple[Any, ...]

_CHUNKS: Final = (
    "id",
    "document",
    "start_",
    "end_",
    "page",
    "tokens",
    "section",
    "text",
    "vector",
    "checksum",
)
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "documents": (
        "number",
        "id",
        "uri",
        "title",
        "media_type",
        "published",
        "sha256",
        "metadata",
        "characters",
        "generation",
        "body_sum",
        "first_chunk",
        "chunks",
        "chunks_sum",
        "checksum",
    ),
    "bodies": ("number", "sections", "pages", "text"),
    "chunks": _CHUNKS,
    "changes": ("generation", "first_added", "after_added", "removed", "checksum"),
    "versions": ("document", "sha256", "since", "until", "checksum"),
    "staged_documents": (
        "document",
        "generation",
        "first_chunk",
        "chunks",
        "chunks_sum",
        "checksum",
    ),
    "staged_chunks": _CHUNKS,
}


class Tables(Protocol):
    """The tables of one collection inside a transaction that the caller holds.

    Rows have the columns of `COLUMNS`, in that order. Conditions are SQL that every driver
    understands, of columns, numbers and `?` for each value. Texts compare by their code points.
    """

    @property
    def place(self) -> str:
        """Where the collection is kept, as people are told it; without a password."""
        ...

    def select(
        self,
        table: str,
        condition: str = "TRUE",
        values: tuple[Value, ...] = (),
        *,
        columns: tuple[str, ...] = (),
        order: str = "",
        limit: int | None = None,
        offset: int = 0,
        streamed: bool = False,
    ) -> Iterator[Row]:
        """Yield rows that meet a condition, ascending by a column if one is given.

        `columns` picks some instead of all. Where they are `streamed` few of them are in memory at
        a time, however many there are. Other queries may run between two of them.
        """
        ...

    def number(
        self,
        table: str,
        expression: str = "count(*)",
        condition: str = "TRUE",
        values: tuple[Value, ...] = (),
    ) -> int:
        """Return an aggregate of the rows that meet a condition."""
        ...

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Insert rows."""
        ...

    def delete(self, table: str, condition: str, values: tuple[Value, ...] = ()) -> int:
        """Delete the rows that meet a condition and return how many there were."""
        ...

    def among(
        self, column: str, values: Iterable[str] | Iterable[int]
    ) -> tuple[str, tuple[Value, ...]]:
        """Return the condition that a column has one of some values, and its own values."""
        ...

    def where(self, filters: Filters) -> tuple[str, tuple[Value, ...]]:
        """Return the condition that documents which meet the filters meet, and its values."""
        ...

    def containing(self, search: str) -> tuple[str, tuple[Value, ...]]:
        """Return the condition that documents with a text in title or uri meet, and its values.

        Both sides are compared `folded`; every document has the empty text.
        """
        ...

    def read_meta(self) -> tuple[str, bytes] | None:
        """Return the row that binds all others and its checksum, None where there is none."""
        ...

    def write_meta(self, content: str, checksum: bytes) -> None:
        """Put the row that binds all others in the place of the one before."""
        ...

    def clear_staged(self) -> None:
        """Delete all that is staged."""
        ...

    def publish_staged(self) -> None:
        """Put the staged chunks in the place of all others, and forget all changes."""
        ...

    def check_structure(self, table: str = "") -> None:
        """Let the database compare a table, or all, with its indexes; raise DamagedStore.

        A driver whose database reports such damage by itself, as it reads, does nothing.
        """
        ...

    def damaged(self, what: str) -> DamagedStore:
        """Return the error to raise for what cannot be as it was written."""
        ...
