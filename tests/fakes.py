"""Deterministic stand-ins for models, and documents made of plain text."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rag.chunks import Chunk
from rag.documents import Document, Page, Section, document_id
from rag.sources import read_bytes
from rag.store import NewDocument

DIM = 32


class FakeEmbedder:
    """Embeds a text as the unit vector of its hashed words: texts that share words are close."""

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return unit rows, float32 (len(texts), DIM)."""
        return np.array([self.embed_question(text) for text in texts], np.float32).reshape(-1, DIM)

    def embed_question(self, text: str) -> npt.NDArray[np.float32]:
        """Return one unit vector, float32 (DIM,)."""
        counts = np.zeros(DIM)
        for word in re.findall(r"\w+", text.lower()) or [""]:
            digest = hashlib.sha256(word.encode()).digest()
            counts[digest[0] % DIM] += 1.0
            counts[digest[1] % DIM] += 0.5
        return (counts / np.linalg.norm(counts)).astype(np.float32)


class InProcessParser:
    """Reads files in this process, without limits, and remembers their names."""

    largest = 1_000_000

    def __init__(self) -> None:
        self.parsed: list[str] = []

    def read(self, data: bytes, *, name: str, uri: str) -> list[Document]:
        """Return the documents of a file."""
        self.parsed.append(name)
        return read_bytes(data, name=name, uri=uri)


def make_document(
    text: str,
    *,
    uri: str = "file:a.txt",
    title: str = "A title",
    media_type: str = "text/plain",
    published: str | None = None,
    sections: Sequence[Section] = (),
    pages: Sequence[Page] = (),
    metadata: Mapping[str, str] | None = None,
) -> Document:
    """Return a document as a source would read it; without `sections` it has one, of no heading."""
    return Document(
        id=document_id(uri),
        uri=uri,
        title=title,
        media_type=media_type,
        text=text,
        sha256=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        published=published,
        sections=tuple(sections) or (Section(start=0, end=len(text), path=()),),
        pages=tuple(pages),
        metadata=dict(metadata or {}),
    )


def chunk_lines(document: Document) -> list[Chunk]:
    """Cut a document at its line ends: one chunk a line that is not blank."""
    chunks = []
    for match in re.finditer(r"[^\n]+", document.text):
        if not match[0].strip():
            continue
        (section,) = [s for s in document.sections if s.start <= match.start() < s.end]
        pages = [page.number for page in document.pages if page.start <= match.start()]
        chunks.append(
            Chunk(
                id=0,
                document=document.id,
                start=match.start(),
                end=match.end(),
                text=match[0],
                section=section.path,
                page=pages[-1] if pages else None,
                tokens=len(match[0].split()),
            )
        )
    return chunks


def ready(*documents: Document) -> Iterable[NewDocument]:
    """Return documents as the store takes them, a chunk a line."""
    for document in documents:
        chunks = chunk_lines(document)
        vectors = FakeEmbedder().embed_passages([chunk.text for chunk in chunks])
        yield NewDocument(document=document, chunks=chunks, vectors=vectors)
