"""Labelled questions: what a reader learns from and is measured on."""

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rag.errors import BrokenFile

SHIPPED_QUESTIONS: Final = Path(__file__).parent / "questions" / "train.json"
"""Questions of this project on passages of its own invention, to be mixed in when adapting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """A right answer: the context's text from character `start` on."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset after the answer's last character."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A question on a passage; without answers the passage does not answer it."""

    id: str
    source: str
    title: str
    context: str
    question: str
    answers: tuple[Gold, ...]


def read_examples(paths: Iterable[Path]) -> list[Example]:
    """Read labelled questions from SQuAD JSON or JSON lines files, gzipped or not.

    A line of JSON lines is `{"question", "context", "answers": [{"text", "start"}]}`, with `id`,
    `source` and `title` where known; one whose context or answers are null, as in a label that says
    no more than that an answer was wrong, is passed over. The format is told by the content, not by
    the name. Raises `BrokenFile`, naming the line, for anything else.
    """
    return [example for path in paths for example in _read_file(Path(path))]


def _read_file(path: Path) -> Iterator[Example]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8")
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        whole = None
    if isinstance(whole, dict) and "data" in whole:
        yield from _squad(whole, path)
        return
    # Not splitlines: a text may hold other line ends than JSON lines have, such as U+2028.
    for number, line in enumerate(text.split("\n"), start=1):
        example = _line(line, path, number) if line.strip() else None
        if example is not None:
            yield example


def _squad(whole: dict[str, Any], path: Path) -> Iterator[Example]:
    for article in whole["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                golds = [(gold["text"], gold["answer_start"]) for gold in question["answers"]]
                yield _checked(
                    Example(
                        id=str(question["id"]),
                        source=path.name.split(".")[0],
                        title=article.get("title", ""),
                        context=paragraph["context"],
                        question=question["question"],
                        answers=tuple(Gold(text=text, start=start) for text, start in golds),
                    ),
                    f"{path}, question {question['id']}",
                )


def _line(line: str, path: Path, number: int) -> Example | None:
    where = f"{path}, line {number}"
    try:
        row = json.loads(line)
        if row["context"] is None or row["answers"] is None:
            return None
        example = Example(
            id=str(row.get("id", number)),
            source=row.get("source", path.name.split(".")[0]),
            title=row.get("title", ""),
            context=row["context"],
            question=row["question"],
            answers=tuple(Gold(text=gold["text"], start=gold["start"]) for gold in row["answers"]),
        )
    except (json.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        message = f"{where}: not a labelled question ({error!r})"
        raise BrokenFile(message) from error
    return _checked(example, where)


def _checked(example: Example, where: str) -> Example:
    for gold in example.answers:
        if not gold.text or example.context[gold.start : gold.end] != gold.text:
            message = f"{where}: the context has no {gold.text!r} at character {gold.start}"
            raise BrokenFile(message)
    return example
