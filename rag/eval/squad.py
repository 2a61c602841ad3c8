"""Reads SQuAD 1.1 and 2.0 JSON."""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from rag.errors import BrokenFile
from rag.eval.examples import Context, Example
from rag.eval.records import Gold


class _Answer(msgspec.Struct):
    text: str
    answer_start: int


class _Question(msgspec.Struct):
    id: str
    question: str
    answers: list[_Answer]
    is_impossible: bool = False


class _Paragraph(msgspec.Struct):
    context: str
    qas: list[_Question]


class _Article(msgspec.Struct):
    paragraphs: list[_Paragraph]
    title: str = ""


class _File(msgspec.Struct):
    data: list[_Article]


def read_squad(file: IO[bytes], path: Path) -> Iterator[Example]:
    """Yield the questions of a SQuAD file, which is held in memory; raise BrokenFile otherwise."""
    try:
        articles = msgspec.json.decode(file.read().removeprefix(codecs.BOM_UTF8), type=_File).data
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BrokenFile(f"{path} is not SQuAD JSON: {error}.") from error
    for article in articles:
        for paragraph in article.paragraphs:
            title = article.title.replace("_", " ")
            context = Context(title=title, text=paragraph.context, document=None, start=0)
            for question in paragraph.qas:
                where = f"{path}, question {question.id}"
                golds = () if question.is_impossible else question.answers
                yield Example(
                    id=question.id,
                    question=question.question,
                    task="answers",
                    golds=tuple(
                        gold_in(context.text, g.text, g.answer_start, where) for g in golds
                    ),
                    context=context,
                    where=where,
                )


def gold_in(context: str, text: str, start: int | None, where: str) -> Gold:
    """Return an answer in a context; raise BrokenFile where it does not stand there."""
    if start is None:
        start = context.find(text)
    end = start + len(text)
    if start < 0 or not text or context[start:end] != text:
        raise BrokenFile(f"{where}: the context has no {text!r} at character {start}.")
    return Gold(text=text, document=None, start=start, end=end, grade=1)
