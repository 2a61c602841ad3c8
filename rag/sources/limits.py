"""What reading one file may take, and the errors that say so."""

from dataclasses import dataclass
from typing import Final

from rag.errors import BeyondLimit
from rag.sources.content import Extract

# Headings, pages and metadata of one document, and records of one file: what has more is no text
# for people, and would take more memory for its structure than for its words.
PARTS: Final = 50_000
RECORDS: Final = 100_000

_SPLIT = "split the file, or raise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that reading one file may take.

    `seconds` of wall clock; `memory` in bytes, beside what the readers' libraries take themselves;
    `characters` of one document's text, and as many again of its title, headings and metadata;
    `pages` up to the last that has text.
    """

    seconds: int
    memory: int
    characters: int
    pages: int

    def too_slow(self) -> BeyondLimit:
        """Return the error for a file that takes too long."""
        return BeyondLimit(
            f"reading the file takes more than {self.seconds} seconds: {_SPLIT} RAG_PARSE_SECONDS"
        )

    def too_large(self) -> BeyondLimit:
        """Return the error for a file that takes too much memory."""
        return BeyondLimit(
            f"reading the file takes more than {self.memory:,} bytes of memory: {_SPLIT} "
            "RAG_PARSE_BYTES"
        )

    def check(self, extract: Extract) -> None:
        """Raise BeyondLimit for a document with more text or structure than is allowed."""
        content = extract.content
        title = content.title or ""
        beside = len(title) + sum(len(heading.text) for heading in content.headings)
        beside += sum(len(key) + len(value) for key, value in content.metadata.items())
        if max(len(content.text), beside) > self.characters:
            what = "text" if len(content.text) > self.characters else "title, headings and metadata"
            message = (
                f"the {what} of a document has more than {self.characters:,} characters: {_SPLIT} "
                "RAG_PARSE_CHARACTERS"
            )
            raise BeyondLimit(message)
        last = content.pages[-1].number if content.pages else 0
        if last > self.pages:
            message = f"the file has more than {self.pages:,} pages: {_SPLIT} RAG_PARSE_PAGES"
            raise BeyondLimit(message)
        if len(content.headings) + len(content.pages) + len(content.metadata) > PARTS:
            message = (
                f"a document has more than {PARTS:,} headings, pages and metadata: split the file"
            )
            raise BeyondLimit(message)
