"""The command as a user calls it: in this process where that is enough, else in one of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result

from rag.cli import main
from tests import stores

COMMAND: Final = [sys.executable, "-m", "rag.cli"]


def environment(home: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a command over a home, without the settings of who runs tests."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("RAG_")}
    return own | stores.environment(home) | settings


@pytest.fixture
def home(make_home: Callable[..., Path]) -> Path:
    """A home without documents."""
    return make_home(seeded=False)


@pytest.fixture(scope="session")
def seeded(make_home: Callable[..., Path]) -> Path:
    """A home with the seeds, to be read only."""
    return make_home(seeded=True)


@pytest.fixture
def rag() -> Callable[..., Result]:
    """Run a command in this process; a traceback fails the test."""

    def run(*arguments: object, home: Path, **settings: str) -> Result:
        result = CliRunner().invoke(
            main,
            [str(argument) for argument in arguments],
            env=stores.environment(home) | settings,
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command in a process of its own, which is killed where a test leaves it running."""
    with ExitStack() as started:

        def run(*arguments: object, home: Path, **settings: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [*COMMAND, *map(str, arguments)],
                env=environment(home, **settings),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            started.enter_context(process)
            started.callback(process.kill)  # which does nothing to one that has ended
            return process

        yield run
