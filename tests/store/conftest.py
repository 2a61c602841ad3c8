"""What tests of the store share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from rag.documents import Document, Page, Section
from rag.store import Snapshot, Store
from tests.fakes import make_document


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path, fingerprint="f")
    yield opened
    opened.close()


def rich_document() -> Document:
    text = "# Tête\n𝒜 first line 🐙\r\nsecond e\u0301\n## Part\nthird, שלום\f\n\u2028fourth\n"
    part = text.index("## Part")
    return make_document(
        text,
        uri="file:///tmp/a%20b.md",
        title="Tête 🐙",
        media_type="text/markdown",
        published="2023-11-20",
        sections=[
            Section(start=0, end=part, path=("Tête",)),
            Section(start=part, end=len(text), path=("Tête", "Part")),
        ],
        pages=[Page(start=0, end=part, number=1), Page(start=part, end=len(text), number=2)],
        metadata={"author": "Zoë", "kind of source": 'a "quoted" one', "empty": ""},
    )


def content(snapshot: Snapshot) -> dict[int, tuple[str, str, str, tuple[str, ...], bytes]]:
    """Return all that an index built from nothing would hold: chunk id to its parts."""
    return {
        chunk.id: (chunk.document, chunk.title, chunk.text, chunk.section, row.tobytes())
        for chunks, rows in snapshot.added_since(0)
        for chunk, row in zip(chunks, rows, strict=True)
    }


def dump(path: Path) -> dict[str, list[Any]]:
    """Return every row of every table, by a connection of its own."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema")]
    tables = {}
    for name in names:
        kind = connection.execute("SELECT type FROM sqlite_schema WHERE name = ?", (name,)).get
        if kind == "table" and name != "sqlite_sequence":
            tables[name] = connection.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall()  # noqa: S608
    connection.close()
    return tables


def everything_in(directory: Path) -> dict[str, bytes]:
    """Return the bytes of all files in a directory, by name."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}
