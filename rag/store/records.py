"""What goes into a store and comes out of it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rag.chunks import Chunk
from rag.documents import Document
from rag.errors import BrokenFile

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSummary:
    """What the store knows of a document besides its text; `characters` are code points."""

    id: str
    uri: str
    title: str
    media_type: str
    published: str | None
    sha256: str
    metadata: dict[str, str]
    characters: int
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Conditions on documents, all of which must hold; None means no condition.

    `published_from` and `published_to` are ISO 8601 dates, both included; a document without a
    date meets neither. `metadata` gives keys and the exact values they must have.
    """

    documents: tuple[str, ...] | None = None
    media_types: tuple[str, ...] | None = None
    published_from: str | None = None
    published_to: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()

    @property
    def empty(self) -> bool:
        """Whether every document passes."""
        return self == Filters()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """A document ready to be stored: its chunks in order and their vectors, float32 (n, dim)."""

    document: Document
    chunks: Sequence[Chunk]
    vectors: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedChunk:
    """What a derived index needs of a chunk; `title` is that of its document."""

    id: int
    document: str
    title: str
    section: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """A version of a document that was replaced or deleted.

    It was in the generations from `since` to `until`, the latter not included.
    """

    document: str
    sha256: str
    since: int
    until: int


def storable(text: str) -> bool:
    """Tell whether SQLite gives a text back as it was: no NUL and no lone surrogate is in it."""
    return not _UNSTORABLE.search(text)


def bindable(text: str) -> str | None:
    """Return a text to compare stored ones with: NULL, which equals none, if it is not storable."""
    return text if storable(text) else None


def check_storable(document: Document) -> None:
    """Raise BrokenFile for a document with a NUL or a lone surrogate in any of its texts."""
    texts: dict[str, Iterable[str]] = {
        "id": (document.id,),
        "uri": (document.uri,),
        "title": (document.title,),
        "text": (document.text,),
        "date": (document.published or "",),
        "headings": (heading for section in document.sections for heading in section.path),
        "metadata": (text for item in document.metadata.items() for text in item),
    }
    for name, values in texts.items():
        if not all(map(storable, values)):
            raise BrokenFile(
                f"the {name} of {document.uri!r} cannot be stored with a NUL or a lone surrogate "
                "in it: is its encoding right?"
            )


def check_new(new: NewDocument) -> None:
    """Raise BrokenFile or ValueError for a document, chunks and vectors that do not fit."""
    document = new.document
    check_storable(document)
    if new.vectors.dtype != np.float32 or new.vectors.ndim != 2:
        raise ValueError(
            f"vectors must be float32 (n, dim), not {new.vectors.dtype} of shape "
            f"{new.vectors.shape}"
        )
    if len(new.chunks) != len(new.vectors):
        raise ValueError(f"{len(new.chunks)} chunks came with {len(new.vectors)} vectors")
    if not np.isfinite(new.vectors).all():
        raise ValueError(f"a vector of {document.uri} is not finite")
    for chunk in new.chunks:
        inside = 0 <= chunk.start < chunk.end <= len(document.text)
        if not inside or chunk.text != document.text[chunk.start : chunk.end]:
            raise ValueError(f"chunk {chunk.start}:{chunk.end} is not a slice of {document.uri}")
