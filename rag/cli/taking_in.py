"""The two ways to take files in: in this process, and over a Ray cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from rag.cli.stopping import stopped_by_interrupt, until
from rag.settings import Settings

if TYPE_CHECKING:
    from rag.indexing import Failed, File, Indexed, Unchanged

# Takes files in and yields what became of them, having told how many files are done; Ctrl-C raises
# KeyboardInterrupt between two of them.
TakeIn: TypeAlias = (
    "Callable[[Sequence[File], Callable[[int], None]], Iterator[Indexed | Unchanged | Failed]]"
)


@contextmanager
def alone(settings: Settings, *, collection: str) -> Iterator[TakeIn]:
    """Take files in with the models of this process; what was taken up is finished after Ctrl-C."""
    from rag.bootstrap import open_engine

    with open_engine(settings, collection=collection) as engine, stopped_by_interrupt() as stopped:

        def take_in(
            files: "Sequence[File]", done: Callable[[int], None]
        ) -> "Iterator[Indexed | Unchanged | Failed]":
            def counted() -> "Iterator[File]":
                for number, file in enumerate(files):
                    done(number)
                    yield file

            yield from engine.indexer.add_files(until(stopped, counted()))
            if stopped.is_set():
                raise KeyboardInterrupt

        yield take_in


@contextmanager
def over_cluster(address: str, *, settings: Settings, collection: str) -> Iterator[TakeIn]:
    """Take files in with a cluster's workers; only a write that is under way ends before Ctrl-C."""
    from rag.bootstrap import collection_settings, open_store
    from rag.distributed.cluster import joined
    from rag.distributed.writing import Writer, given_rows

    with open_store(settings, collection=collection) as store:
        made_with = collection_settings(settings, collection)
        with joined(address, settings=made_with) as cluster:
            from rag.distributed.pipeline import spread  # loads Ray

            def take_in(
                files: "Sequence[File]", done: Callable[[int], None]
            ) -> "Iterator[Indexed | Unchanged | Failed]":
                writer = Writer(store, files=files)
                given = given_rows(files, writer.versions)
                for group in spread(given, cluster=cluster, settings=made_with):
                    with stopped_by_interrupt() as stopped:
                        outcomes = writer.write(group)
                    done(group[-1].number + 1)
                    yield from outcomes
                    if stopped.is_set():
                        raise KeyboardInterrupt

            yield take_in
