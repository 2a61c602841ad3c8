"""Questions to be labelled, and where in passages a text stands that a person gives."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from rag.documents import Document
from rag.errors import BrokenFile
from rag.labels import Place

_SUFFIX = ".jsonl"


def read_questions(path: Path) -> list[str]:
    """Return the different questions of a file in order: one a line, or JSON lines.

    Lines of a `.jsonl` file are objects with a text `question`. Raises BrokenFile for others.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenFile(f"{path} cannot be read as UTF-8 text ({error}).") from error
    asked = [
        _question(line, path, number) if path.suffix.lower() == _SUFFIX else " ".join(line.split())
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    return list(dict.fromkeys(asked))


def find_text(text: str, documents: Sequence[Document]) -> list[Place]:
    """Return the places where documents have a text, whatever white space parts its words.

    In the order of the documents; none for a text without words.
    """
    words = text.split()
    if not words:
        return []
    pattern = re.compile(r"\s+".join(re.escape(word) for word in words))
    return [
        Place(document=document, start=match.start(), end=match.end())
        for document in documents
        for match in pattern.finditer(document.text)
    ]


def in_passages(places: Sequence[Place], passages: Sequence[tuple[str, int, int]]) -> list[Place]:
    """Return the places inside any passage (document id, start, end), by the passages' order."""
    found = {
        (place.document.id, place.start): place
        for id_, start, end in passages
        for place in places
        if place.document.id == id_ and start <= place.start and place.end <= end
    }
    return list(found.values())


def _question(line: str, path: Path, number: int) -> str:
    try:
        question = json.loads(line)["question"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BrokenFile(
            f"{path}, line {number} is no JSON object with a question ({error!r})."
        ) from error
    if not isinstance(question, str) or not question.strip():
        raise BrokenFile(f"{path}, line {number}: the question is no text.")
    return question
