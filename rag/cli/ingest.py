"""`rag ingest`: files and directories into the index."""

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.options import collection_option, home_option, settings_for
from rag.cli.printing import console, plain
from rag.cli.taking_in import alone, over_cluster
from rag.errors import UnreadableFile

if TYPE_CHECKING:
    from rich.console import Console

    from rag.indexing import File


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--ray",
    "address",
    metavar="ADDRESS",
    help="Let the machines of the Ray cluster whose head is at HOST:PORT do the work.",
)
@collection_option
@home_option
def ingest(
    paths: tuple[Path, ...], *, address: str | None, collection: str, home: Path | None
) -> None:
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

    from rag.indexing import Failed, Indexed

    settings = settings_for(home)
    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    counts: Counter[str] = Counter()
    chunks = 0
    files = _find(paths, home=settings.home, errors=errors, counts=counts)
    if not files:
        raise click.ClickException("There is nothing to take in.")
    columns = (
        TextColumn("ingesting"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    opening = (
        alone(settings, collection=collection)
        if address is None
        else over_cluster(address, settings=settings, collection=collection)
    )
    started = time.monotonic()
    interrupted = False
    progress = Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)
    with opening as take_in, progress:
        task = progress.add_task("", total=len(files), rate="")
        started = time.monotonic()
        try:
            for outcome in take_in(files, lambda done: progress.update(task, completed=done)):
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
        except KeyboardInterrupt:
            interrupted = True
    _summarise(counts, chunks=chunks, seconds=time.monotonic() - started)
    if interrupted:
        raise KeyboardInterrupt
    if counts["failed"]:
        raise SystemExit(1)


def _find(
    paths: tuple[Path, ...], *, home: Path, errors: "Console", counts: Counter[str]
) -> "list[File]":
    """Return the files that paths stand for; tell and count paths that stand for none."""
    from rag.bootstrap import file_uri
    from rag.indexing import File
    from rag.sources import find_files

    files = []
    for path in paths:
        try:
            found = [File(path=p, uri=file_uri(p, home=home)) for p in find_files(path)]
        except UnreadableFile as error:
            counts["failed"] += 1
            errors.print(plain(str(error)))
            continue
        if not found:
            counts["failed"] += 1
            errors.print(plain(f"{path}: no files are in this directory that are not hidden"))
        files += found
    return files


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
