"""A process that ingests a directory until it is killed: `ingesting_child HOME DIRECTORY`.

A line with a file's uri says that it is reported as taken in.
"""

import sys
import time
from pathlib import Path

from rag.home import Home
from rag.indexing import File, Indexed
from tests.services import FakeOpening


def main(path: Path, directory: Path) -> None:
    """Ingest all files of a directory into the collection `many`."""
    opening = FakeOpening(path)
    opening.before_embedding = lambda _: time.sleep(0.02)
    files = [File(path=file, uri=f"file:{file.name}") for file in sorted(directory.iterdir())]
    for outcome in Home(path, opening).engine("many").indexer.add_files(files):
        if isinstance(outcome, Indexed):
            print(outcome.document.uri, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
