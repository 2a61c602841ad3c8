"""JSON Lines: one record a line, each a document of its own."""

import hashlib
import json
from collections.abc import Iterator

from rag.errors import BrokenFile, NoText
from rag.sources.content import Content, Extract, clean, one_line
from rag.sources.dates import iso_day
from rag.sources.text import decode

_DATE_KEYS = ("published", "date")


def read_records(data: bytes) -> Iterator[Extract]:
    """Yield the records in order; empty lines are skipped.

    A record is known by its `id`, or by its 1-based line number where it has none. `title` and
    `published` (or `date`) are what they say, every other scalar is metadata. Raises BrokenFile,
    naming the line, for one that is not a JSON object with a string `text` that holds visible text,
    and for an id that an earlier line has.
    """
    seen: dict[str, int] = {}
    # Line feeds only: JSON strings may hold the other line ends that splitlines knows.
    for number, line in enumerate(decode(data).text.split("\n"), start=1):
        if not line.strip():
            continue
        extract = _extract(line.strip(), number=number)
        name = str(extract.record)
        if name in seen:
            message = (
                f"lines {seen[name]} and {number} have the same id {name!r}: give each its own"
            )
            raise BrokenFile(message)
        seen[name] = number
        yield extract
    if not seen:
        message = "the file holds no record: write one JSON object with a key text on each line"
        raise NoText(message)


def _extract(line: str, *, number: int) -> Extract:
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
    return Extract(
        record=strings.pop("id", str(number)),
        sha256=hashlib.sha256(line.encode()).hexdigest(),
        content=content,
    )


def _refuse_constant(name: str) -> None:
    message = f"{name} is not a JSON value"
    raise ValueError(message)


def _broken(number: int, what: str) -> BrokenFile:
    return BrokenFile(
        f'line {number} {what}: each line must be an object such as {{"text": "..."}}'
    )
