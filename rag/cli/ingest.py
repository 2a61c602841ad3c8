"""`rag ingest`: files and directories into the index."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from rag.cli.options import home_option, settings_for
from rag.cli.printing import console, plain
from rag.errors import UnreadableFile

T = TypeVar("T")


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@home_option
def ingest(paths: tuple[Path, ...], *, home: Path | None) -> None:
    """Take in files and, with all below them, directories.

    What is stored already is skipped, so a run that was stopped goes on where it was. Exit status 1
    says that some files could not be taken in; each is named with the reason.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from rag.bootstrap import file_uri, open_engine
    from rag.indexing import Failed, File, Indexed
    from rag.sources import find_files

    settings = settings_for(home)
    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    counts: Counter[str] = Counter()
    chunks = 0
    files = []
    for path in paths:
        try:
            found = [File(path=p, uri=file_uri(p, home=settings.home)) for p in find_files(path)]
        except UnreadableFile as error:
            counts["failed"] += 1
            errors.print(plain(str(error)))
            continue
        if not found:
            counts["failed"] += 1
            errors.print(plain(f"{path}: no files are in this directory that are not hidden"))
        files += found
    if not files:
        raise click.ClickException("There is nothing to take in.")
    columns = (
        TextColumn("ingesting"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    progress = Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)
    with open_engine(settings) as engine, progress, _stopped_by_interrupt() as stopped:
        task = progress.add_task("", total=len(files), rate="")
        started = time.monotonic()
        tracked = _until(stopped, progress.track(files, task_id=task))
        for outcome in engine.indexer.add_files(tracked):
            if isinstance(outcome, Failed):
                counts["failed"] += 1
                errors.print(plain(f"{outcome.file.path}: {outcome.reason}"))
            elif isinstance(outcome, Indexed):
                counts[outcome.status] += 1
                chunks += outcome.chunks
            else:
                counts["unchanged"] += 1
            rate = chunks / max(time.monotonic() - started, 0.001)
            progress.update(task, rate=f"{rate:.0f} chunks/s")
    _summarise(counts, chunks=chunks, seconds=time.monotonic() - started)
    if stopped.is_set():
        raise KeyboardInterrupt
    if counts["failed"]:
        raise SystemExit(1)


@contextmanager
def _stopped_by_interrupt() -> Iterator[threading.Event]:
    """Let the first Ctrl-C set the event that is given, and a second one end the process.

    An exception in the midst of a library's callback would be swallowed there.
    """
    stopped = threading.Event()

    def stop(_: int, __: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def _until(stopped: threading.Event, items: Iterable[T]) -> Iterator[T]:
    """Yield the items until the event is set: what was taken up is finished, no more begun."""
    for item in items:
        if stopped.is_set():
            return
        yield item


def _summarise(counts: Counter[str], *, chunks: int, seconds: float) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False)
    for status in ("added", "replaced", "unchanged", "failed"):
        table.add_row(status, str(counts[status]))
    table.add_row("chunks", str(chunks))
    table.add_row("seconds", f"{seconds:.1f}")
    if chunks:
        table.add_row("chunks/s", f"{chunks / seconds:.0f}")
    console().print(table)
