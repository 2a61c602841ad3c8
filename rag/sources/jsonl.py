"""JSON Lines: one record a line, each a document of its own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from rag.errors import BrokenFile, NoText
from rag.sources.content import Content, clean, one_line
from rag.sources.dates import iso_day
from rag.sources.text import decode

_DATE_KEYS = ("published", "date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record: its `id`, or its 1-based line number where it has none; `line` is its bytes."""

    id: str
    line: bytes
    content: Content


def read_records(data: bytes) -> Iterator[Record]:
    """Yield the records in order; empty lines are skipped.

    `title` and `published` (or `date`) are what they say, every other scalar is metadata. Raises
    BrokenFile, naming the line, for one that is not a JSON object with a string `text` that holds
    visible text, and for an id that an earlier line has.
    """
    seen: dict[str, int] = {}
    # Line feeds only: JSON strings may hold the other line ends that splitlines knows.
    for number, line in enumerate(decode(data).text.split("\n"), start=1):
        if not line.strip():
            continue
        record = _record(line.strip(), number=number)
        if record.id in seen:
            first = seen[record.id]
            message = (
                f"lines {first} and {number} have the same id {record.id!r}: give each its own"
            )
            raise BrokenFile(message)
        seen[record.id] = number
        yield record
    if not seen:
        message = "the file holds no record: write one JSON object with a key text on each line"
        raise NoText(message)


def _record(line: str, *, number: int) -> Record:
    try:
        values = json.loads(line, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise _broken(number, "is nested too deeply") from error
    except ValueError as error:
        raise _broken(number, f"is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise _broken(number, "is not a JSON object")
    text = values.pop("text", None)
    if not isinstance(text, str) or not clean(text).strip():
        raise _broken(number, 'has no "text" that is a string with text in it')
    scalars = {
        one_line(key): one_line(value if isinstance(value, str) else json.dumps(value))
        for key, value in values.items()
        if isinstance(value, str | int | float)
    }
    strings = {key: value for key, value in scalars.items() if key and value}
    title = strings.pop("title", None)
    published = None
    for key in _DATE_KEYS:
        if published is None and (day := iso_day(strings.get(key, ""))):
            published = day
            del strings[key]
    content = Content(
        media_type="text/plain",
        text=clean(text),
        title=title,
        published=published,
        headings=(),
        pages=(),
        metadata=strings,
    )
    record_id = strings.pop("id", str(number))
    return Record(id=record_id, line=line.encode(), content=content)


def _refuse_constant(name: str) -> None:
    message = f"{name} is not a JSON value"
    raise ValueError(message)


def _broken(number: int, what: str) -> BrokenFile:
    return BrokenFile(
        f'line {number} {what}: each line must be an object such as {{"text": "..."}}'
    )
