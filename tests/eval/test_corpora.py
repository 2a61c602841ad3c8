import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from rag.errors import InvalidRequest
from rag.eval import corpora
from rag.eval.corpora import corpus_for, open_throwaway
from rag.settings import read_settings

CONTEXTS = (("Tolvik", "The harbour was built in 1850."), ("", "Ada Ness led the work."))


class Taking:
    """An indexer that remembers what it was given."""

    def __init__(self):
        self.documents = []
        self.files = []

    def add(self, documents):
        """Take documents."""
        for document in documents:
            self.documents.append(document)
            yield document

    def add_files(self, files):
        """Take files."""
        for file in files:
            self.files.append(file)
            yield file


def built(corpus):
    indexer = Taking()
    assert list(corpus.build(SimpleNamespace(indexer=indexer)))
    return indexer


def written(file: Path, *rows) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


@pytest.fixture
def questions(tmp_path):
    """Three questions on two contexts."""
    rows = [
        {"question": "?", "title": title, "context": text, "answers": []}
        for title, text in (*CONTEXTS, CONTEXTS[0])
    ]
    return written(tmp_path / "questions.jsonl", *rows)


def test_contexts_are_a_corpus(questions):
    """Each once, with its title, whether the file is named as the corpus or not."""
    for path in (None, questions):
        taken = built(corpus_for(questions, path=path)).documents
        assert [document.text for document in taken] == [text for _, text in CONTEXTS]
        assert taken[0].title == "Tolvik"


def test_files_beside_the_questions_that_name_them_are_a_corpus(tmp_path):
    """All of them that can be read, but for the questions themselves."""
    asked = {"question": "?", "answers": [{"text": "x", "document": "sub/a.md"}]}
    questions = written(tmp_path / "questions.jsonl", {"question": "!", "answers": []}, asked)
    (tmp_path / "sub").mkdir()
    for name in ("sub/a.md", "b.txt", "c.png"):
        (tmp_path / name).write_text("x")
    taken = built(corpus_for(questions, path=None))
    assert [file.uri for file in taken.files] == ["b.txt", "sub/a.md"]
    (tmp_path / "sub" / "a.md").unlink()
    assert corpus_for(questions, path=None) is None


def test_given_files_go_before_contexts(questions, tmp_path):
    """A directory or a file that is named is what is asked."""
    (tmp_path / "docs").mkdir()
    file = tmp_path / "docs" / "a.md"
    file.write_text("x")
    for path in (tmp_path / "docs", file):
        taken = built(corpus_for(questions, path=path))
        assert [(f.path, f.uri) for f in taken.files] == [(file, "a.md")]
        assert taken.documents == []


def test_a_folder_of_beir_brings_its_corpus(tmp_path):
    """Texts under titles; of an empty text the title is it, and of nothing there is none."""
    written(
        tmp_path / "corpus.jsonl",
        {"_id": "1", "title": "A", "text": "first"},
        {"_id": "2", "title": "B", "text": ""},
        {"_id": "3", "title": "", "text": " "},
    )
    for path in (None, tmp_path):
        taken = built(corpus_for(tmp_path, path=path)).documents
        assert [(d.uri, d.title, d.text) for d in taken] == [
            ("corpus.jsonl#1", "A", "first"),
            ("corpus.jsonl#2", "B", "B"),
        ]


def test_questions_without_contexts_are_no_corpus(tmp_path):
    questions = written(tmp_path / "q.jsonl", {"question": "?", "answers": ["x"]})
    assert corpus_for(questions, path=None) is None
    with pytest.raises(InvalidRequest, match="come without contexts"):
        corpus_for(questions, path=questions)


def test_a_throwaway_index_lies_in_files_of_its_own(tmp_path, monkeypatch):
    """Also where collections are in a database: its documents must not come among others'."""
    opened = []

    @contextmanager
    def open_engine(settings):
        settings.home.mkdir()
        opened.append(settings)
        yield "an engine"

    monkeypatch.setattr(corpora, "open_engine", open_engine)
    kept = read_settings({"RAG_HOME": str(tmp_path), "RAG_STORE": "postgresql://db/index"})
    with open_throwaway(kept) as engine:
        assert engine == "an engine"
        (own,) = opened
        assert own.home.is_dir()
    assert not own.home.exists()
    assert own == replace(kept, home=own.home, store="", models=tmp_path / "models")
