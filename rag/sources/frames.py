"""What a process that reads files and its parent say to each other: MessagePack in frames.

A frame is a length, 8 bytes, the most significant first, and as many bytes. A request is two
frames, the file's name and its content; its reply is an Outcome and, where that is Taken, so many
Extracts. Only plain data of known types passes: nothing that a hostile file makes the child say is
run.
"""

import re
import struct
from itertools import pairwise
from typing import BinaryIO, Final

import msgspec

from rag.sources.content import Extract

_LENGTH: Final = struct.Struct(">Q")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z.-]+")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class Taken(msgspec.Struct, tag=True, frozen=True):
    """The file was read as so many documents, which follow, a frame each."""

    documents: int


class Refused(msgspec.Struct, tag=True, frozen=True):
    """The file was refused with a SourceError of the class named `error`."""

    error: str
    message: str


class Fault(msgspec.Struct, tag=True, frozen=True):
    """A reader failed in a way that it does not foresee.

    `report` is the traceback without what the errors say; `reason` is what the last one says, which
    may be words of the file.
    """

    report: str
    reason: str


Outcome = Taken | Refused | Fault


def write_frame(stream: BinaryIO, payload: bytes) -> None:
    """Write one frame; the caller flushes."""
    stream.write(_LENGTH.pack(len(payload)))
    stream.write(payload)


def read_frame(stream: BinaryIO, *, limit: int) -> bytes:
    """Return the next frame's payload.

    Raises EOFError where the stream ends before or within it, ValueError for one of more than
    `limit` bytes.
    """
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    if length > limit:
        message = f"a frame of {length} bytes, where at most {limit} are allowed"
        raise ValueError(message)
    return _exactly(stream, length)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        message = f"the stream ended after {len(data)} of {size} bytes"
        raise EOFError(message)
    return data


def check(extract: Extract) -> None:
    """Raise ValueError for what no reader gives; the types have been checked."""
    content = extract.content
    length = len(content.text)
    starts = [heading.start for heading in content.headings]
    marks = [0, *(page.end for page in content.pages)]
    sound = (
        starts == sorted(starts)
        and all(0 <= start < max(length, 1) for start in starts)
        and all(0 <= heading.level <= 100 for heading in content.headings)
        and [page.start for page in content.pages] == marks[:-1]
        and all(before <= after for before, after in pairwise(marks))
        and (not content.pages or marks[-1] == length)
        and all(before.number < after.number for before, after in pairwise(content.pages))
        and "\0" not in content.text
        and _MEDIA_TYPE.fullmatch(content.media_type) is not None
        and (content.published is None or _DAY.fullmatch(content.published) is not None)
        and (extract.sha256 is None or _DIGEST.fullmatch(extract.sha256) is not None)
    )
    if not sound:
        message = "offsets, page numbers or other values that contradict each other"
        raise ValueError(message)
