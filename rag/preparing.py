"""What comes before a document is embedded and stored: its file is read, its text is cut."""

from collections.abc import Callable, Mapping
from pathlib import Path

from rag.chunks import Chunk
from rag.documents import Document
from rag.errors import NoText, SourceError
from rag.store import check_storable


def read_file(path: Path, *, largest: int) -> bytes:
    """Return a file's bytes; of one that is larger than `largest`, one byte more than that.

    So a file that is too large for its parser is not loaded whole before the parser says so.
    """
    with path.open("rb") as stream:
        return stream.read(largest + 1)


def cut(
    document: Document, versions: Mapping[str, str], *, chunk: Callable[[Document], list[Chunk]]
) -> list[Chunk]:
    """Return the document's chunks, none where `versions` tells that its bytes are stored already.

    `versions` are the digests of stored documents by uri. Raises NoText for a document without a
    chunk and BrokenFile for one that cannot be stored.
    """
    if versions.get(document.uri) == document.sha256:
        return []
    check_storable(document)
    chunks = chunk(document)
    if not chunks:
        raise NoText(f"{document.uri} holds nothing but white space.")
    return chunks


def reason_of(error: SourceError | OSError) -> str:
    """Return why a file was not taken in, for people."""
    if isinstance(error, OSError):
        return f"the file cannot be read ({error.strerror}): check its permissions"
    return str(error)
