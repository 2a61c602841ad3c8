"""Documents: the canonical text that every offset in this project counts in."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A stretch of text under one heading path; sections lie in order and do not overlap.

    `start` and `end` are half-open code point offsets in the document's text. `path` holds the
    headings from the outermost to the innermost; it is empty before the first heading. The heading
    line itself belongs to the section that it opens.
    """

    start: int
    end: int
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of a paginated document: half-open code point offsets and its 1-based number."""

    start: int
    end: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A source as it was read: immutable canonical text and what is known of it.

    `id` is stable for a uri: adding other bytes under the same uri replaces the document.
    `sha256` is the hex digest of the source's bytes, before decoding or extraction.
    `title` is never empty (the file's name where the source has none). `published` is an ISO 8601
    date (YYYY-MM-DD) or None. `sections` cover the whole text in order; `pages` is empty for
    formats without pages. `metadata` holds further keys, such as a Markdown file's front matter.

    For text and Markdown `text` is the decoded file, unaltered (front matter and line ends
    included), so that offsets hold in the user's own file; for other formats it is the extracted
    text.
    """

    id: str
    uri: str
    title: str
    media_type: str
    text: str
    sha256: str
    published: str | None
    sections: tuple[Section, ...]
    pages: tuple[Page, ...]
    metadata: Mapping[str, str]


def document_id(uri: str) -> str:
    """Return the id under which a collection knows the document at `uri`: 16 hex digits."""
    return hashlib.sha256(uri.encode("utf-8", "surrogatepass")).hexdigest()[:16]
