"""The driver's part: which files are handed out, and how what comes back is stored."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from rag.distributed.rows import Embedded, Given, Refused, Row, Stored
from rag.indexing import Failed, File, Indexed, Unchanged
from rag.store import NewDocument, Store

Outcome = Indexed | Unchanged | Failed


def given_rows(files: Sequence[File], versions: Mapping[str, str]) -> list[Given]:
    """Return the rows of files, each with the versions of its own documents alone."""
    of_file: dict[str, dict[str, str]] = defaultdict(dict)
    uris = {file.uri for file in files}
    for uri, sha256 in versions.items():
        parts = uri.split("#")  # a record's name stands behind one, and may hold others
        for last in range(1, len(parts) + 1):
            if (start := "#".join(parts[:last])) in uris:
                of_file[start][uri] = sha256
    return [
        Given(number=number, path=os.fsencode(file.path), uri=file.uri, versions=of_file[file.uri])
        for number, file in enumerate(files)
    ]


class Writer:
    """Puts what a cluster gives into a store; what is there already is left alone."""

    def __init__(self, store: Store, *, files: Sequence[File]) -> None:
        with store.snapshot() as snapshot:
            self.versions: Final = snapshot.versions()
        self._store: Final = store
        self._files: Final = files

    def write(self, group: Iterable[Row]) -> list[Outcome]:
        """Store a group in one transaction and return what became of each document, or file."""
        pending: dict[str, str] = {}
        settled: list[tuple[File, NewDocument | str | None]] = []
        for row in group:
            what: NewDocument | str | None = None
            if isinstance(row, Embedded):
                document = row.document
                if (
                    pending.get(document.uri) or self.versions.get(document.uri)
                ) != document.sha256:
                    pending[document.uri] = document.sha256
                    what = _new_document(row)
            elif isinstance(row, Refused):
                what = row.reason
            elif not isinstance(row, Stored):
                message = f"{type(row).__name__} came back from the cluster"
                raise TypeError(message)
            settled.append((self._files[row.number], what))
        new = [what for _, what in settled if isinstance(what, NewDocument)]
        generation = self._store.put(new) if new else 0
        outcomes = [self._outcome(file, what, generation=generation) for file, what in settled]
        self.versions.update(pending)
        return outcomes

    def _outcome(self, file: File, what: NewDocument | str | None, *, generation: int) -> Outcome:
        if what is None:
            return Unchanged(file=file)
        if isinstance(what, str):
            return Failed(file=file, reason=what)
        return Indexed(
            document=what.document,
            status="replaced" if what.document.uri in self.versions else "added",
            chunks=len(what.chunks),
            generation=generation,
        )


def _new_document(row: Embedded) -> NewDocument:
    vectors = np.frombuffer(row.vectors, "<f4").astype(np.float32, copy=False)
    return NewDocument(
        document=row.document, chunks=row.chunks, vectors=vectors.reshape(len(row.chunks), -1)
    )
