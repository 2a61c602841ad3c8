"""Answers over a collection do not change with the store that it is kept in."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Final

import pytest

from rag.answering import Answered
from rag.bootstrap import open_catalog, open_engine
from rag.copying import copy
from rag.settings import DEFAULT_COLLECTION, Settings, read_settings
from rag.store.postgres import migrate
from tests.fakes import make_document
from tests.postgres import PostgresServer

_QUESTIONS: Final = 200


def dataset() -> list[tuple[str, str, list[str]]]:
    """Return the title, text and questions of each invented text that readers are measured with."""
    file = resources.files("rag.training") / "questions" / "dev.json"
    data = json.loads(file.read_text("utf-8"))["data"]
    return [
        (
            entry["title"],
            "\n\n".join(paragraph["context"] for paragraph in entry["paragraphs"]),
            [asked["question"] for paragraph in entry["paragraphs"] for asked in paragraph["qas"]],
        )
        for entry in data
    ]


def asked(settings: Settings, questions: list[str]) -> list[Answered]:
    """Return what is answered, but for the time that it took."""
    with open_engine(settings, create=False) as engine:
        found = [engine.answerer.ask(question) for question in questions]
    return [replace(each, found=replace(each.found, timings_ms={})) for each in found]


def copied(source: Settings, target: Settings) -> None:
    with closing(open_catalog(source)) as original, closing(open_catalog(target)) as other:
        assert list(copy(original, other, collection=DEFAULT_COLLECTION))[-1].finished


@pytest.mark.long
def test_answers_are_the_same_in_files_in_a_database_and_in_files_again(
    postgres_server: PostgresServer, make_home: Callable[..., Path]
) -> None:
    """Of 200 questions: passages, scores, spans, citations, confidences and abstentions."""
    entries = dataset()
    pool = [question for _, _, some in entries for question in some]
    questions = pool[:: len(pool) // _QUESTIONS][:_QUESTIONS]
    assert len(questions) == _QUESTIONS
    files, others = (read_settings({"RAG_HOME": str(make_home(seeded=False))}) for _ in range(2))
    database = replace(files, store=postgres_server.make_database())
    migrate(database.store)
    with open_engine(files) as engine:
        for number, (title, text, _) in enumerate(entries):
            list(engine.indexer.add([make_document(text, uri=f"file:{number}", title=title)]))
    before = asked(files, questions)
    assert any(each.answers for each in before)
    assert any(each.abstention for each in before)
    copied(files, database)
    assert asked(database, questions) == before
    copied(database, others)
    assert asked(others, questions) == before
