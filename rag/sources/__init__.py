"""Sources: files become Documents, one reader module a format.

Importing this package loads none of the readers' libraries: each is imported with its first file.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import PurePath

from rag.documents import Document
from rag.errors import BrokenFile, EncryptedFile, InvalidRequest, NoText, UnsupportedFormat
from rag.sources.content import Content, Extract, storable, to_document
from rag.sources.dates import iso_day
from rag.sources.files import find_files
from rag.sources.kinds import DAMAGED_ZIP, ENCRYPTED_OFFICE, looks_like

__all__ = ["READERS", "SUFFIXES", "extract", "find_files", "read_bytes", "read_text"]

_READERS = {
    ".docx": "docx",
    ".htm": "html",
    ".html": "html",
    ".jsonl": "jsonl",
    ".markdown": "markdown",
    ".md": "markdown",
    ".pdf": "pdf",
    ".txt": "text",
    ".xhtml": "html",
}
SUFFIXES = tuple(_READERS)
READERS = tuple(sorted(f"rag.sources.{module}" for module in set(_READERS.values())))

# The kinds of content that a reader takes beside text, and the suffix that a kind should have.
_TAKES = {
    "docx": "Word document (.docx)",
    "html": "HTML page",
    "markdown": "HTML page",  # Markdown may be HTML from its first line on
    "pdf": "PDF file",
    "text": "HTML page",  # and someone may keep a page's source as text
}
_SUFFIX_OF = {"Word document (.docx)": ".docx", "HTML page": ".html", "PDF file": ".pdf"}


def read_bytes(data: bytes, *, name: str, uri: str) -> list[Document]:
    """Read the file `name` with the content `data` as documents under `uri`, in this process.

    Files of others are better read by `rag.sources.isolation`, which does the same within limits.
    The suffix of `name` chooses the reader; content that is plainly of another kind is refused. One
    document, except for .jsonl: there one a record, its uri ending in # and the record's id, or its
    line number where it has none. Raises a SourceError that says what to do.
    """
    return [to_document(one, name=name, uri=uri, data=data) for one in extract(data, name=name)]


def extract(data: bytes, *, name: str) -> Iterator[Extract]:
    """Yield what the reader for `name` makes of `data`; raises as `read_bytes` does."""
    suffix = PurePath(name).suffix.lower()
    if suffix not in _READERS:
        raise _unsupported(suffix, data=data)
    if not data:
        message = "the file is empty (0 bytes): was it saved or copied completely?"
        raise NoText(message)
    module = _READERS[suffix]
    _check_kind(data, module=module, suffix=suffix)
    reader = import_module(f"rag.sources.{module}")
    if module == "jsonl":
        yield from reader.read_records(data)
    else:
        read: Callable[[bytes], Content] = reader.read
        yield Extract(record=None, sha256=None, content=read(data))


def read_text(
    text: str,
    *,
    uri: str | None,
    title: str | None,
    published: str | None,
    metadata: Mapping[str, str],
) -> Document:
    """Return a text that came without a file as a document.

    `uri` is made from the text if None; `published` is a day, YYYY-MM-DD. The version is that of
    all that is given, so that another title makes another version. Raises NoText for a text of
    white space only, and InvalidRequest for what cannot be stored.
    """
    from rag.sources.text import first_line  # noqa: PLC0415  (loads chardet)

    given = {"text": text, "title": title, "published": published, "metadata": dict(metadata)}
    if any(storable(part) != part for part in (text, uri or "", *metadata, *metadata.values())):
        message = "A document holds a NUL or a lone surrogate, which no text may. Remove it."
        raise InvalidRequest(message, pointer="/text")
    if published is not None and iso_day(published) != published:
        message = f"published must be a day such as 2023-11-20, not {published!r}."
        raise InvalidRequest(message, pointer="/published")
    content = Content(
        media_type="text/plain",
        text=text,
        title=title or first_line(text),
        published=published,
        headings=(),
        pages=(),
        metadata=metadata,
    )
    data = json.dumps(given, sort_keys=True).encode()
    name = uri or f"text:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    whole = Extract(record=None, sha256=None, content=content)
    return to_document(whole, name=name, uri=name, data=data)


def _check_kind(data: bytes, *, module: str, suffix: str) -> None:
    kind = looks_like(data)
    if kind == ENCRYPTED_OFFICE:
        message = "the document is encrypted: open it with its password and save it without one"
        raise EncryptedFile(message)
    damaged = module == "docx" and kind == DAMAGED_ZIP  # its reader says so
    if kind is None or damaged or kind == _TAKES.get(module):
        return
    message = f"the name ends in {suffix}, but the content is of another kind: {_advice(kind)}"
    raise BrokenFile(message)


def _unsupported(suffix: str, *, data: bytes) -> UnsupportedFormat:
    kind = looks_like(data)
    supported = ", ".join(SUFFIXES)
    files = f"files ending in {suffix}" if suffix else "files without a suffix"
    content = f" (content: {_advice(kind)})" if kind else ""
    return UnsupportedFormat(
        f"{files} cannot be read{content}; convert it to one of the kinds that can: {supported}"
    )


def _advice(kind: str) -> str:
    if suffix := _SUFFIX_OF.get(kind):
        return f"{kind}; rename it to end in {suffix}"
    if kind.endswith("archive"):
        return f"{kind}; unpack it and give the files in it"
    if kind.endswith("picture"):
        return f"{kind}; run OCR (text recognition) on it and give the resulting PDF or text"
    return f"{kind}; save it as PDF, Word (.docx) or text"
