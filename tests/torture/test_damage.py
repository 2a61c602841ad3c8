"""Whatever is damaged in a home, no answer is a wrong one: it is the same, or refused."""

import logging
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import pytest

from rag import catalog, snapshots
from rag.answering import Answerer
from rag.catalog import Recipe
from rag.derived import Derivation, open_derived
from rag.errors import DamagedStore, RagError
from rag.reading.calibration import FEATURES, Calibration
from rag.reading.sentence import SentenceReader
from rag.retrieval.held import HeldRankings
from rag.retrieval.lexical import LexicalIndex
from rag.retrieval.retriever import Retriever
from rag.store import SqliteStore, Store
from tests.fakes import DIM, FakeEmbedder, make_document, ready
from tests.torture.damaging import DAMAGES
from vectors import ExactIndex

RECIPE: Final = Recipe(embedder="minilm", chunk_tokens=128, created="2026-01-01T00:00:00+00:00")
COLLECTIONS: Final = ("default", "minutes")
QUESTIONS: Final = ("Who leads council 3?", "What was decided in item 5?")
CALIBRATION: Final = Calibration(
    weights=(10.0,) + (0.0,) * (len(FEATURES) - 1), bias=-5.0, min_confidence=0.25
)


class Facts(msgspec.Struct, frozen=True):
    """What is known of the derived directory that stands for a converted model."""

    weights: int


def make_model(directory: Path) -> Facts:
    (directory / "model.xml").write_text("<net/>" * 300)
    (directory / "model.bin").write_bytes(random.Random(1).randbytes(10_000))
    return Facts(weights=10_000)


DERIVATION: Final = Derivation(
    source="s", recipe=1, files=("model.xml", "model.bin"), facts=Facts, make=make_model
)


def build(home: Path, earlier: Path) -> None:
    """Make a home with a snapshot and a model, and a copy of an earlier time.

    The default collection was closed, the other one is as a kill leaves it, with a log in which a
    part of it is and a part is not.
    """
    catalog.create(
        home,
        "minutes",
        recipe=RECIPE,
        fill=lambda place: SqliteStore(place, fingerprint=fingerprint(RECIPE)).close(),
        limit=9,
    )
    stores = {
        name: SqliteStore(catalog.directory_of(home, name), fingerprint=fingerprint(RECIPE))
        for name in COLLECTIONS
    }
    open_derived(home / "models" / "m", DERIVATION)
    for turn in range(4):
        for number, (name, store) in enumerate(stores.items()):
            put(store, f"{name} {turn}", turn=turn, documents=5 + number)
            if turn == 2:
                store._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if turn == 1:
            snapshots.create(home, name="first")
            shutil.copytree(home, earlier)
    stores["default"].close()
    shutil.copytree(home, home.with_name("copy"))
    stores["minutes"].close()
    shutil.rmtree(home)
    home.with_name("copy").rename(home)


def put(store: Store, name: str, *, turn: int, documents: int) -> None:
    lines = "\n".join(f"In item {n} of {name} council {n} is led by member {n}." for n in range(12))
    for number in range(documents):
        if number % 2 == turn % 2:
            store.put(ready(make_document(f"{number}\n{lines}", uri=f"file:{number}")))


def fingerprint(recipe: Recipe | None) -> str:
    """Name what the recipe fixes, as the application does: another model has another index."""
    fixed = recipe or RECIPE
    return f"embedding model {fixed.embedder}; chunks of {fixed.chunk_tokens} tokens"


def look(home: Path, parts: Iterable[str]) -> dict[str, object]:
    """Return all that can be had from parts of a home, or the error instead."""
    found: dict[str, object] = {}
    for part in parts:
        try:
            found[part] = PARTS[part](home)
        except RagError as error:
            found[part] = error
    return found


def saved(home: Path) -> object:
    return [snapshots.verify(home, name) for name in snapshots.names(home)]


def contents(home: Path, *, name: str) -> object:
    """Return every document, passage and former version of a collection, and some answers."""
    catalog.require(home, name)
    recipe = catalog.recipe_of(home, name)
    store = SqliteStore(
        catalog.directory_of(home, name), fingerprint=fingerprint(recipe), create=False
    )
    try:
        with store.snapshot() as snapshot:
            ids = [summary.id for summary in snapshot.summaries(limit=100)]
            everything = (
                snapshot.generation,
                snapshot.count(),
                [snapshot.document(id_) for id_ in ids],
                snapshot.chunks(snapshot.chunk_ids(ids).tolist()),
                [(chunks, rows.tobytes()) for chunks, rows in snapshot.added_since(0)],
                [snapshot.former_versions(id_) for id_ in ids],
                [snapshot.removed_since(g).tolist() for g in range(1, snapshot.generation)],
            )
        return everything, [told(make_answerer(store), question) for question in QUESTIONS]
    finally:
        store.close()


def make_answerer(store: Store) -> Answerer:
    embedder = FakeEmbedder()
    retriever = Retriever(
        embedder=embedder,
        rankings=HeldRankings(vectors=lambda: ExactIndex(DIM), lexical=LexicalIndex),
    )
    reader = SentenceReader(embedder, calibration=CALIBRATION)
    return Answerer(store, retriever=retriever, reader=reader)


def told(answerer: Answerer, question: str) -> object:
    answered = answerer.ask(question, min_confidence=0.0)
    return answered.answers, answered.found.hits, answered.found.generation


def derived(home: Path) -> object:
    directory = home / "models" / "m"
    facts = open_derived(directory, DERIVATION)
    return facts, [(directory / name).read_bytes() for name in DERIVATION.files]


PARTS: Final[dict[str, Callable[[Path], object]]] = {
    "collections/default": partial(contents, name="default"),
    "collections/minutes": partial(contents, name="minutes"),
    "snapshots": saved,
    "models": derived,
}


@pytest.mark.parametrize("seeds", [3, pytest.param(20, marks=pytest.mark.long)])
def test_no_damage_gives_a_wrong_answer(
    seeds: int, tmp_path: Path, report: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Every file of a home, damaged in every way: all is answered as before, or refused clearly.

    A damaged model is made anew; a snapshot whose manifest is lost is not there any more.
    """
    caplog.set_level(logging.ERROR)
    sound, earlier = tmp_path / "sound" / "home", tmp_path / "earlier"
    build(sound, earlier)
    files = [path.relative_to(sound) for path in sorted(sound.rglob("*")) if path.is_file()]
    assert len(files) == 14
    home = tmp_path / "damaged" / "home"
    expected = look(shutil.copytree(sound, home), PARTS)
    assert not [part for part in expected.values() if isinstance(part, RagError)]
    shutil.rmtree(home)
    shutil.copytree(sound, home)
    outcomes: Counter[str] = Counter()
    for file in files:
        for kind, damage in DAMAGES.items():
            for seed in range(1 if kind in {"emptied", "older"} else seeds):
                rng = random.Random(f"{file} {kind} {seed}")
                damaged = {part_of(path, home) for path in damage(home / file, earlier / file, rng)}
                for part, answered in look(home, damaged).items():
                    refused = isinstance(answered, RagError)
                    case = f"{part} is answered otherwise with {file} {kind}, seed {seed}"
                    assert refused or answered == expected[part], case
                    outcomes["refused" if refused else "answered as before"] += 1
                for part in damaged:
                    shutil.rmtree(home / part)
                    shutil.copytree(sound / part, home / part)
    report(f"damage: {', '.join(f'{n} {what}' for what, n in outcomes.items())}, 0 otherwise")
    assert min(outcomes.values()) > outcomes.total() / 5


def part_of(file: Path, home: Path) -> str:
    (part,) = [part for part in PARTS if file.is_relative_to(home / part)]
    return part


def test_a_log_that_is_lost_together_with_the_mark_is_noticed(tmp_path: Path) -> None:
    """The log and the mark that tells what was in it changed places: an older state is refused."""
    home = tmp_path / "home"
    build(home, tmp_path / "earlier")
    place = home / "collections" / "minutes"
    log, mark = place / "store.sqlite-wal", place / "store.generation"
    log.rename(place / "aside")
    mark.rename(log)
    (place / "aside").rename(mark)
    with pytest.raises(DamagedStore, match="its write-ahead log is lost"):
        contents(home, name="minutes")
