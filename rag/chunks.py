"""Chunks: the passages of a document that are embedded, retrieved and read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A passage of one document; `text == document.text[start:end]`, always.

    `id` numbers the chunk within its collection and is never used again after a deletion; it is 0
    before the chunk is stored. `start` and `end` are half-open code point offsets in the document.
    `section` is the heading path the passage stands under, outermost first. `page` is the 1-based
    page on which the passage starts, None for formats without pages. `tokens` counts the embedder's
    tokens of `text`, without special tokens.
    """

    id: int
    document: str
    start: int
    end: int
    text: str
    section: tuple[str, ...]
    page: int | None
    tokens: int
