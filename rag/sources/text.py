"""Plain text: the canonical text is the decoded file, unaltered.

Line ends, form feeds and every other character stay as they are, so that offsets hold in the user's
own file. A byte order mark is the encoding's signature, not text (The Unicode Standard, 23.8), and
is not counted, as editors do not count it. Where the file is not plain UTF-8, `encoding` in the
metadata names the Python codec under which `data.decode(encoding)` gives exactly this text.
"""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass

import chardet

from rag.errors import BrokenFile
from rag.sources.content import Content, storable

_LONGEST_TITLE = 120  # characters; a longer first line is a paragraph

# The longer marks first: UTF-16's little-endian mark begins UTF-32's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ERAS = chardet.EncodingEra.MODERN_WEB | chardet.EncodingEra.LEGACY_ISO
_FALLBACK = "cp1252"  # what the web assumes of unlabelled text (WHATWG Encoding, windows-1252)
_LEAST_CONFIDENCE = 0.1  # below this chardet guesses: a handful of words are too few to tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A file's text and the Python codec that gives it; `encoding` is "utf-8" for plain UTF-8."""

    text: str
    encoding: str

    @property
    def metadata(self) -> Mapping[str, str]:
        """The encoding as metadata, nothing where it is plain UTF-8."""
        return {} if self.encoding == "utf-8" else {"encoding": self.encoding}


def decode(data: bytes) -> Decoded:
    """Decode `data` by its byte order mark, else as UTF-8, else as the encoding it looks like.

    Raises BrokenFile for bytes that are not text: ones that no encoding fits, or with NULs in them.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    text = _try(data, encoding=encoding) if encoding else None
    if encoding is None or text is None:
        encoding, text = "utf-8", _try(data, encoding="utf-8")
    if text is None:
        encoding = _detect(data)
        text = _try(data, encoding=encoding)
    if text is None:
        # UTF-16 and UTF-32 without a mark are valid UTF-8 as well, of which every other is NUL.
        encoding = _detect(data) if b"\0" in data else None
        text = _try(data, encoding=encoding) if encoding else None
    if encoding is None or text is None:
        message = (
            "the file is not text in any known encoding, or is damaged: "
            "save it again as text in UTF-8"
        )
        raise BrokenFile(message)
    return Decoded(text=text, encoding=encoding)


def _try(data: bytes, *, encoding: str) -> str | None:
    try:
        text = data.decode(encoding)
    except UnicodeError:
        return None
    # Some codecs give lone surrogates, and NULs are in no text: then it is another encoding.
    return text if text == storable(text) else None


def _detect(data: bytes) -> str:
    found = chardet.detect(data, encoding_era=_ERAS, prefer_superset=True, compat_names=False)
    encoding = found["encoding"]
    if encoding is None or (
        found["confidence"] < _LEAST_CONFIDENCE and _try(data, encoding=_FALLBACK) is not None
    ):
        return _FALLBACK
    return encoding


def first_line(text: str) -> str | None:
    """Return the first line with visible text, None where it is too long to be a title."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if 0 < len(line) <= _LONGEST_TITLE else None


def read(data: bytes) -> Content:
    """Read plain text; the title is the first line with text, if it is short."""
    decoded = decode(data)
    return Content(
        media_type="text/plain",
        text=decoded.text,
        title=first_line(decoded.text),
        published=None,
        headings=(),
        pages=(),
        metadata=decoded.metadata,
    )
