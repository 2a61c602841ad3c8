"""What the torture tests share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag.store import SqliteStore
from tests.torture.child import FINGERPRINT
from tests.torture.children import Forker, forking
from tests.torture.load import Texts, apply, operation, write


@pytest.fixture(scope="session")
def forker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    """One process from which all children are forked."""
    with forking(tmp_path_factory.mktemp("forker") / "errors.txt") as started:
        yield started


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Show a figure although the test passes."""

    def tell(line: str) -> None:
        with capsys.disabled():
            print(f"\n  {line}", end="")  # noqa: T201

    return tell


def fill(directory: Path, *, operations: int) -> Texts:
    """Make a store to which the first operations are done; return what it holds."""
    store = SqliteStore(directory, fingerprint=FINGERPRINT)
    texts: Texts = {}
    for number in range(operations):
        write(store, operation(number))
        texts = apply(texts, operation(number))
    store.close()
    return texts
