"""`rag ingest`: files and directories into the index."""

import time
from collections import Counter
from pathlib import Path

import click

from rag.cli.options import collection_option, home_option, settings_for
from rag.cli.printing import console, plain
from rag.cli.stopping import stopped_by_interrupt, until
from rag.errors import UnreadableFile


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@collection_option
@home_option
def ingest(paths: tuple[Path, ...], *, collection: str, home: Path | None) -> None:
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
    with (
        open_engine(settings, collection=collection) as engine,
        progress,
        stopped_by_interrupt() as stopped,
    ):
        task = progress.add_task("", total=len(files), rate="")
        started = time.monotonic()
        tracked = until(stopped, progress.track(files, task_id=task))
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
