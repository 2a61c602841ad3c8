"""Reads JSON lines and CSV, one question a row, with its answers or the passages that answer it."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from rag.errors import BrokenFile
from rag.eval.examples import Context, Example
from rag.eval.records import Gold
from rag.eval.squad import gold_in

_EXPECTED = 'a row needs a "question" and "answers" or "references", lists that may be empty'


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    start: int | None = None
    document: str | None = None


class _Reference(msgspec.Struct):
    """A passage, also under the names that the data of some benchmarks of chunking have."""

    document: str | None = None
    text: str | None = None
    content: str | None = None
    start: int | None = None
    start_index: int | None = None
    end: int | None = None
    end_index: int | None = None


class _Origin(msgspec.Struct):
    uri: str
    start: int


class _Row(msgspec.Struct):
    question: str
    id: str | int | None = None
    title: str = ""
    context: str | None = None
    document: str | _Origin | None = None
    corpus_id: str | None = None
    answers: list[_Answer | str] | msgspec.UnsetType | None = msgspec.UNSET
    references: list[_Reference] | msgspec.UnsetType = msgspec.UNSET


def read_lines(file: IO[bytes], path: Path) -> Iterator[Example]:
    """Yield the questions of JSON lines; raise BrokenFile, naming the line.

    Rows whose answers are null, as of a label that says no more than that an answer was wrong, are
    passed over.
    """
    decoder = msgspec.json.Decoder(_Row)
    for number, line in enumerate(file, start=1):
        if line.strip():
            where = f"{path}, line {number}"
            try:
                row = decoder.decode(line.removeprefix(b"\xef\xbb\xbf"))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise BrokenFile(f"{where}: {error}; {_EXPECTED}.") from error
            yield from _example(row, str(number), where)


def read_csv(file: IO[bytes], path: Path) -> Iterator[Example]:
    """Yield the questions of a CSV file whose column `references` holds lists as JSON."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    rows = csv.DictReader(text, strict=True)
    try:
        columns = rows.fieldnames or ()
        if not {"question", "references"} <= set(columns):
            raise BrokenFile(
                f"{path} is neither JSON nor CSV with the columns question and references "
                "(and id, document where known)."
            )
        for number, row in enumerate(rows, start=1):
            where = f"{path}, line {rows.line_num}"
            yield from _example(_csv_row(row, where), str(number), where)
    except (csv.Error, UnicodeDecodeError) as error:
        raise BrokenFile(f"{path}, line {rows.line_num}: {error}.") from error
    finally:
        text.detach()


def _csv_row(row: dict[str, str], where: str) -> _Row:
    try:
        return msgspec.convert(
            {
                "question": row["question"],
                "id": row.get("id") or None,
                "document": row.get("document") or None,
                "corpus_id": row.get("corpus_id") or None,
                "references": msgspec.json.decode(row["references"] or ""),
            },
            type=_Row,
        )
    except msgspec.MsgspecError as error:
        raise BrokenFile(
            f"{where}: references must be a JSON list such as "
            f'[{{"document": "a.md", "start": 10, "end": 20, "text": "..."}}] ({error}).'
        ) from error


def _example(row: _Row, number: str, where: str) -> Iterable[Example]:
    if not row.question.strip():
        raise BrokenFile(f"{where}: the question is empty.")
    if row.answers is None:
        return
    if row.references is not msgspec.UNSET:
        golds = tuple(_reference(reference, row, where) for reference in row.references)
    elif row.answers is not msgspec.UNSET:
        golds = tuple(_answer(answer, row, where) for answer in row.answers)
    else:
        raise BrokenFile(f"{where}: {_EXPECTED}.")
    yield Example(
        id=number if row.id is None else str(row.id),
        question=row.question,
        task="answers" if row.references is msgspec.UNSET else "references",
        golds=golds,
        context=_context(row),
        where=where,
    )


def _context(row: _Row) -> Context | None:
    if row.context is None:
        return None
    origin = row.document if isinstance(row.document, _Origin) else None
    return Context(
        title=row.title,
        text=row.context,
        document=origin.uri if origin else None,
        start=origin.start if origin else 0,
    )


def _answer(answer: _Answer | str, row: _Row, where: str) -> Gold:
    given = _Answer(text=answer) if isinstance(answer, str) else answer
    if not given.text.strip():
        raise BrokenFile(f"{where}: an answer is empty; give [] where the documents do not say.")
    document, start = given.document, given.start
    if row.context is not None and document is None:
        return gold_in(row.context, given.text, start, where)
    if document is None and isinstance(row.document, str):
        document = row.document
    if start is not None and (start < 0 or document is None):
        raise BrokenFile(f"{where}: an answer has a start but no document that it counts in.")
    end = None if start is None else start + len(given.text)
    return Gold(text=given.text, document=document, start=start, end=end, grade=1)


def _reference(reference: _Reference, row: _Row, where: str) -> Gold:
    named = row.document if isinstance(row.document, str) else row.corpus_id
    document = reference.document or named
    start = reference.start if reference.start is not None else reference.start_index
    end = reference.end if reference.end is not None else reference.end_index
    text = reference.text if reference.text is not None else reference.content
    if document is None or start is None or end is None or not text:
        raise BrokenFile(f"{where}: a reference needs a document, start, end and text.")
    if end - start != len(text) or start < 0:
        raise BrokenFile(
            f"{where}: a reference is {len(text)} characters long, its offsets {start} and {end} "
            f"are {end - start} apart."
        )
    return Gold(text=text, document=document, start=start, end=end, grade=1)
