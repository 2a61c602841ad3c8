"""Reads BEIR folders: corpus.jsonl, queries.jsonl and qrels/*.tsv."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from rag.documents import Document
from rag.errors import BrokenFile
from rag.eval.examples import Example
from rag.eval.records import Gold
from rag.sources import read_text

CORPUS = "corpus.jsonl"
_SPLITS = ("test", "dev", "train")


class _Passage(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    text: str
    title: str = ""


class _Query(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    text: str


T = TypeVar("T")


def read_queries(folder: Path) -> Iterator[Example]:
    """Yield the queries that have a relevant document, by the test judgements if there are any."""
    file = _judgements(folder)
    relevant = _read_judgements(file)
    for number, query in _read_lines(folder / "queries.jsonl", _Query):
        if query.id in relevant:
            yield Example(
                id=query.id,
                question=query.text,
                task="documents",
                golds=tuple(
                    Gold(text="", document=uri_of(id_), start=None, end=None, grade=grade)
                    for id_, grade in relevant[query.id].items()
                ),
                context=None,
                where=f"{folder / 'queries.jsonl'}, line {number}",
            )


def read_corpus(folder: Path) -> Iterator[Document]:
    """Yield the documents of the corpus that hold any text."""
    for _, passage in _read_lines(folder / CORPUS, _Passage):
        if text := passage.text.strip() or passage.title.strip():
            yield read_text(
                text, uri=uri_of(passage.id), title=passage.title, published=None, metadata={}
            )


def uri_of(passage: str) -> str:
    """Return the uri of a corpus's document."""
    return f"{CORPUS}#{passage}"


def _read_lines(file: Path, kind: type[T]) -> Iterator[tuple[int, T]]:
    decoder = msgspec.json.Decoder(kind)
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    yield number, decoder.decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    raise BrokenFile(f"{file}, line {number}: {error}.") from error
    except OSError as error:
        raise BrokenFile(
            f"{file} cannot be read ({error.strerror}): is it a BEIR folder?"
        ) from error


def _judgements(folder: Path) -> Path:
    found = {file.stem: file for file in (folder / "qrels").glob("*.tsv")}
    for split in _SPLITS:
        if split in found:
            return found[split]
    if len(found) == 1:
        return next(iter(found.values()))
    raise BrokenFile(
        f"{folder} is no BEIR folder: it needs corpus.jsonl, queries.jsonl and qrels/test.tsv."
    )


def _read_judgements(file: Path) -> dict[str, dict[str, int]]:
    relevant: dict[str, dict[str, int]] = {}
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                fields = line.rstrip("\r\n").split("\t")
                if (number == 1 and fields[:1] == ["query-id"]) or not line.strip():
                    continue
                try:
                    query, document, grade = fields
                    if int(grade) > 0:
                        relevant.setdefault(query, {})[document] = int(grade)
                except ValueError as error:
                    raise BrokenFile(
                        f"{file}, line {number} needs a query's id, a document's and a whole "
                        "number, with tabs between them."
                    ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenFile(f"{file} cannot be read ({error}).") from error
    return relevant
