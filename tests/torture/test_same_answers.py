"""The same documents give the same answers, to the byte, whatever way the index came to be."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from rag import snapshots
from rag.bootstrap import file_uri, open_engine
from rag.indexing import File, Indexed, Indexer
from rag.settings import read_settings
from tests.conftest import SEEDS
from tests.torture.asking import responses
from tests.torture.children import ROOT


def questions() -> list[str]:
    """Return 200 questions: those that come with the seeds, and some of them in capitals."""
    lines = (SEEDS / "questions.jsonl").read_text("utf-8").splitlines()
    asked: list[str] = [json.loads(line)["question"] for line in lines]
    return asked + [question.upper() for question in asked[: 200 - len(asked)]]


def ask_elsewhere(asked: Path, homes: list[Path]) -> list[bytes]:
    """Ask in another process, in which sets and dictionaries of text hash otherwise."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "PYTHONHASHSEED": "1",
    }
    command = [sys.executable, "-m", "tests.torture.asking", str(asked), *map(str, homes)]
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, check=True
    ).stdout.splitlines()


def changes(indexer: Indexer, *, home: Path, draft: Path) -> Iterator[int]:
    """Take the seeds in one by one, one of them in another version first; yield the generations."""
    paths = sorted(SEEDS.glob("*.md"))
    files = [File(path=path, uri=file_uri(path, home=home)) for path in paths]
    draft.write_text("# A draft\n\nNothing of it stays.\n", "utf-8")
    for file in (File(path=draft, uri=files[2].uri), *files):
        for outcome in indexer.add_files([file]):
            assert isinstance(outcome, Indexed)
            yield outcome.generation


@pytest.mark.parametrize("number", [40, pytest.param(200, marks=pytest.mark.long)])
def test_answers_outlive_the_process_and_the_home(
    number: int,
    make_home: Callable[..., Path],
    tmp_path: Path,
    report: Callable[[str], None],
) -> None:
    """An index that grew, one rebuilt from the store at a restart, and a restored one agree.

    The first follows the store document by document, with one replaced and one deleted; the others
    are built in another process, the last in an empty home from a snapshot.
    """
    asked: Final = questions()[:: 200 // number][:number]
    assert len(set(asked)) == number
    (tmp_path / "questions.json").write_text(json.dumps(asked), "utf-8")
    home, empty = make_home(seeded=False), make_home(seeded=False)
    with open_engine(read_settings({"RAG_HOME": str(home)})) as engine:
        for _ in changes(engine.indexer, home=home, draft=tmp_path / "draft.md"):
            engine.answerer.search("Who says that?")
        (gone,) = engine.indexer.add_files([File(path=tmp_path / "draft.md", uri="file:gone.md")])
        assert isinstance(gone, Indexed)
        engine.answerer.search("Who says that?")
        engine.store.delete(gone.document.id)
        grown = list(responses(engine.answerer, asked))
    snapshots.create(home, name="whole")
    (empty / "snapshots").symlink_to(home / "snapshots")
    snapshots.restore(empty, "whole")
    elsewhere = ask_elsewhere(tmp_path / "questions.json", [home, empty])
    assert len(elsewhere) == 2 * number
    assert elsewhere[:number] == grown, "after a restart answers differ"
    assert elsewhere[number:] == grown, "after restoring a snapshot answers differ"
    answered = sum(bool(json.loads(response)["answers"]) for response in grown)
    assert answered > number / 4
    report(f"{number} questions, {answered} of them answered: the same 3 times over, to the byte")
