"""What questions are asked over: a collection, or a throw-away index that is built first."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rag.bootstrap import open_engine
from rag.documents import Document
from rag.errors import InvalidRequest
from rag.eval.beir import CORPUS, read_corpus
from rag.eval.loading import read_examples
from rag.home import Engine
from rag.indexing import Failed, File, Indexed, Unchanged
from rag.settings import Settings
from rag.sources import SUFFIXES, find_files, read_text

Outcome = Indexed | Unchanged | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Where a throw-away index comes from: `name` says it to people, `build` fills an engine.

    `build` yields what became of each document or file.
    """

    name: str
    build: Callable[[Engine], Iterator[Outcome]]


def corpus_for(questions: Path, *, path: Path | None) -> Corpus | None:
    """Return the corpus at a path; where that is None, the one that comes with the questions.

    That is a BEIR folder's own, the contexts that the questions come with, or, where the first
    document that a question names lies beside the file of questions, the files there. None where
    nothing comes with them.
    """
    source = path if path is not None else questions
    if source.is_dir() and (source / CORPUS).exists():
        return Corpus(name=str(source / CORPUS), build=lambda e: e.indexer.add(read_corpus(source)))
    if path is not None and path.resolve() != questions.resolve():
        return _files(path, without=questions)
    first = next((e for e in read_examples(questions) if e.context or e.golds), None)
    if first is not None and first.context is not None:
        return Corpus(
            name=f"the contexts of {questions}",
            build=lambda engine: engine.indexer.add(_contexts(questions)),
        )
    named = first.golds[0].document if first is not None else None
    if path is None and named and (questions.parent / named).is_file():
        return _files(questions.parent, without=questions)
    if path is not None:
        raise InvalidRequest(
            f"The questions of {path} come without contexts: give the documents as --corpus."
        )
    return None


@contextmanager
def open_throwaway(settings: Settings) -> Iterator[Engine]:
    """Open an empty engine of the same models and settings, whose index goes away with it."""
    with tempfile.TemporaryDirectory(prefix="rag-eval-") as directory:
        home = Path(directory) / "home"
        # In files, also where collections are in a database: it is nobody else's and ends here.
        own = replace(settings, home=home, store="", models=settings.model_cache)
        with open_engine(own) as engine:
            yield engine


@contextmanager
def open_collection(settings: Settings, name: str) -> Iterator[Engine]:
    """Open a collection of the home; raise NotFound where there is none of this name."""
    with open_engine(settings, collection=name, measuring=True) as engine:
        yield engine


def _files(path: Path, *, without: Path) -> Corpus:
    base = path if path.is_dir() else path.parent

    def build(engine: Engine) -> Iterator[Outcome]:
        files = (
            File(path=file, uri=file.relative_to(base).as_posix())
            for file in find_files(path)
            if file.suffix.lower() in SUFFIXES and file.resolve() != without.resolve()
        )
        yield from engine.indexer.add_files(files)

    return Corpus(name=str(path), build=build)


def _contexts(questions: Path) -> Iterator[Document]:
    seen: set[str] = set()
    for example in read_examples(questions):
        context = example.context
        if context is None or not context.text.strip() or context.uri in seen:
            continue
        seen.add(context.uri)
        yield read_text(
            context.text,
            uri=context.uri,
            title=context.title or None,
            published=None,
            metadata={},
        )
