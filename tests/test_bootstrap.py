"""The composition root: collections of the same settings share models, each has its own rest."""

import random
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rag import bootstrap, catalog
from rag.api.readiness import WarmUp
from rag.components import index_fingerprint
from rag.errors import DamagedStore, NotFound, SettingsError, StaleIndex
from rag.home import Home
from rag.indexing import File, Indexed, Unchanged
from rag.promises import threshold_file
from rag.reading.calibration import FEATURES, Calibration
from rag.settings import Settings, read_settings
from rag.thresholds import Threshold, calibration_sha256, save_threshold
from tests.fakes import DIM, FakeEmbedder, make_document
from tests.services import FakeOpening

ROOT = Path(__file__).resolve().parents[1]
TEXT = "Ants march in long lines. Bees dance for hours. Cats sleep on sofas. Dogs bark at moons."


class Tokens:
    """A word is a token."""

    limit = 200

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of words of each text."""
        return [len(text.split()) for text in texts]

    def token_starts(self, text: str) -> list[int]:
        """Return where the words of a text start."""
        return [match.start() for match in re.finditer(r"\S+", text)]

    def cut(self, text: str, *, tokens: int) -> str:
        """Return the first words of a text."""
        return " ".join(text.split()[:tokens])


class Embedder(FakeEmbedder):
    """A fake with all that the composition root asks of an embedder."""

    dim = DIM
    fingerprint = "f"
    tokens = Tokens()

    def __init__(self, name: str) -> None:
        self.name = name


class Reader:
    """Reads nothing."""

    name = "reader"
    calibration = Calibration(weights=(0.0,) * len(FEATURES), bias=0.0, min_confidence=0.3)

    def read(self, _: str, __: Any) -> list[Any]:
        """Return nothing."""
        return []


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which models were loaded, in order: stand-ins take the place of the real ones."""
    names: list[str] = []

    def open_embedder(settings: Settings) -> Embedder:
        names.append(settings.embedder)
        return Embedder(settings.embedder)

    def open_reader(settings: Settings, *, embedder: Embedder) -> Reader:
        assert embedder
        names.append(settings.reader)
        return Reader()

    monkeypatch.setattr(bootstrap, "open_embedder", open_embedder)
    monkeypatch.setattr(bootstrap, "open_reader", open_reader)
    monkeypatch.setattr(
        bootstrap, "passage_text", lambda chunk, *, title, **_: f"{title} {chunk.text}"
    )
    return names


def settings(home: Path, **environment: str) -> Settings:
    return read_settings({"RAG_HOME": str(home), "RAG_MIN_FREE_BYTES": "0"} | environment)


def test_models_are_loaded_once_and_chunks_have_each_collections_size(
    tmp_path: Path, loaded: list[str]
) -> None:
    """Three collections, one embedder and one reader; the same text is cut as each says."""
    long = " ".join(TEXT for _ in range(20))
    opened = bootstrap.build_home(settings(tmp_path))
    opened.create("small", chunk_tokens=32)
    opened.create("large", chunk_tokens=None)
    counts = {}
    for name in ("small", "large", "default"):
        (indexed,) = opened.engine(name).indexer.add([make_document(long)])
        counts[name] = indexed.chunks
        assert opened.making(name).chunk_tokens == (32 if name == "small" else 200)
    assert loaded == ["minilm", "trained"]
    assert counts["large"] == counts["default"]
    assert counts["small"] > 5 * counts["large"]
    assert opened.engine("small") is opened.engine("small")
    opened.close()


def test_a_recipe_goes_before_the_environment(tmp_path: Path, loaded: list[str]) -> None:
    """A change of the environment makes the default collection stale and no other one."""
    assert not loaded
    for name in (None, "own"):
        opened = bootstrap.build_home(settings(tmp_path))
        if name:
            opened.create(name, chunk_tokens=None)
        opened.store(name or "default")
        opened.close()
    changed = bootstrap.build_home(settings(tmp_path, RAG_CHUNK_TOKENS="100"))
    assert changed.store("own").fingerprint == index_fingerprint(settings(tmp_path))
    with pytest.raises(StaleIndex, match="rag reindex --collection default"):
        changed.store("default")
    assert changed.condition("default").state == "stale"
    changed.close()
    for _ in bootstrap.reindex_collection(settings(tmp_path, RAG_CHUNK_TOKENS="100")):
        pass
    with bootstrap.open_store(settings(tmp_path, RAG_CHUNK_TOKENS="100")) as store:
        assert "at most 100 tokens" in store.fingerprint


def test_a_threshold_is_its_collections_own(tmp_path: Path, loaded: list[str]) -> None:
    """It holds for the collection it lies in; where it holds no longer, that one alone stops."""
    opened = bootstrap.build_home(settings(tmp_path))
    for name in ("kept", "broken", "none"):
        opened.create(name, chunk_tokens=50)
    index = index_fingerprint(settings(tmp_path, RAG_CHUNK_TOKENS="50"))
    for name, reader in (("kept", "reader"), ("broken", "another")):
        threshold = Threshold(
            min_confidence=0.77,
            precision=0.9,
            confidence_level=0.95,
            questions=10,
            answered=5,
            right=5,
            reader=reader,
            calibration=calibration_sha256(Reader.calibration),
            index=index,
            k=10,
        )
        save_threshold(threshold, threshold_file(settings(tmp_path), collection=name))
    assert opened.engine("kept").answerer.min_confidence == 0.77
    assert opened.engine("none").answerer.min_confidence == 0.3
    with pytest.raises(SettingsError, match="reader another"):
        opened.engine("broken")
    assert loaded == ["minilm", "trained"]
    opened.close()
    with bootstrap.open_engine(settings(tmp_path), collection="broken", measuring=True) as engine:
        assert engine.answerer.min_confidence == 0.3


def test_only_the_default_collection_is_made_by_its_use(tmp_path: Path, loaded: list[str]) -> None:
    """Unless even that is not wanted; nothing is loaded for what is not there."""
    for name in ("other", "../default", "Default"):
        with (
            pytest.raises(NotFound, match="rag collections create"),
            bootstrap.open_engine(settings(tmp_path), collection=name),
        ):
            pass
    with (
        pytest.raises(NotFound, match="rag ingest"),
        bootstrap.open_store(settings(tmp_path), create=False),
    ):
        pass
    assert loaded == []
    assert catalog.names(tmp_path) == []
    with bootstrap.open_store(settings(tmp_path)):
        assert catalog.names(tmp_path) == ["default"]


@pytest.mark.parametrize(
    "recipe",
    [
        "{",
        "\xff",
        '{"embedder": "minilm", "chunk_tokens": 31, "created": ""}',
        '{"embedder": "minilm", "chunk_tokens": 50, "created": "", "more": 1}',
        '{"chunk_tokens": 50, "created": ""}',
    ],
)
def test_a_recipe_that_is_none_is_refused(tmp_path: Path, recipe: str) -> None:
    """DamagedStore naming the file, rather than an index made with other settings."""
    opened = bootstrap.build_home(settings(tmp_path))
    opened.create("own", chunk_tokens=None)
    file = tmp_path / "collections" / "own" / "collection.json"
    file.write_bytes(recipe.encode("latin-1"))
    with pytest.raises(DamagedStore, match=re.escape(str(file))):
        opened.store("own")
    assert opened.condition("own").state == "damaged"
    opened.close()


def test_a_creation_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No directory that looks like a collection, and the next attempt works."""
    opened = bootstrap.build_home(settings(tmp_path))

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("rag.catalog.replace_file", fail)
        with pytest.raises(Exception, match="was not made"):
            opened.create("own", chunk_tokens=None)
    assert list((tmp_path / "collections").iterdir()) == []
    opened.create("own", chunk_tokens=None)
    assert catalog.names(tmp_path) == ["own"]
    opened.close()


def test_a_restoring_that_was_killed_is_finished_at_the_next_use(
    tmp_path: Path, loaded: list[str]
) -> None:
    """A collection that waits beside its place is opened with its own recipe."""
    opened = bootstrap.build_home(settings(tmp_path))
    opened.create("own", chunk_tokens=50)
    opened.close()
    base = tmp_path / "collections"
    (base / "own").rename(base / ".own.restored")
    opened = bootstrap.build_home(settings(tmp_path))
    assert "at most 50 tokens" in opened.store("own").fingerprint
    opened.close()
    assert loaded == []


def test_a_stale_default_collection_stops_no_service_that_has_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It warns and warms up over the other; where there is none, it does not start."""
    made = Home(tmp_path, FakeOpening(tmp_path, chunk_tokens=100))
    made.store("default")
    made.close()
    opening = FakeOpening(tmp_path, chunk_tokens=200)
    opened = Home(tmp_path, opening)
    with pytest.raises(StaleIndex, match="rag reindex --collection default"):
        WarmUp(opened)()
    opening.create("other", chunk_tokens=None)
    WarmUp(opened)()
    assert "rag reindex --collection default" in caplog.text
    assert opened.condition("other").state == "ready"
    opened.close()


def test_an_ingest_that_is_killed_keeps_what_it_reported_and_goes_on(tmp_path: Path) -> None:
    """Killed three times: what was reported is there and is not done again, the rest goes in."""
    home, files = tmp_path / "home", tmp_path / "files"
    home.mkdir()
    files.mkdir()
    for number in range(120):
        lines = "\n".join(f"Line {line} of {number}." for line in range(40))
        (files / f"{number:03}.txt").write_text(lines)
    FakeOpening(home).create("many", chunk_tokens=None)
    chance = random.Random(5)
    reported: set[str] = set()
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.ingesting_child", str(home), str(files)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            for _ in range(7):
                reported.add(process.stdout.readline().strip())
            time.sleep(chance.random() * 0.05)
            process.kill()
            reported |= {line.strip() for line in process.stdout if line.endswith("\n")}
    assert 0 < len(reported) < 120
    opened = Home(home, FakeOpening(home))
    engine = opened.engine("many")
    with engine.store.snapshot() as snapshot:
        snapshot.verify()
        assert reported <= set(snapshot.versions())
    outcomes = list(
        engine.indexer.add_files(
            File(path=file, uri=f"file:{file.name}") for file in sorted(files.iterdir())
        )
    )
    unchanged = {o.file.uri for o in outcomes if isinstance(o, Unchanged)}
    added = {o.document.uri for o in outcomes if isinstance(o, Indexed) and o.status == "added"}
    assert reported <= unchanged
    assert not added & unchanged
    assert len(added | unchanged) == 120
    opened.close()
