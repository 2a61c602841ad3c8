"""`rag reindex`: an index brought up to other settings."""

from pathlib import Path

import click

from rag.cli.options import collection_option, home_option, settings_for
from rag.cli.stopping import stopped_by_interrupt


@click.command()
@collection_option
@home_option
def reindex(*, collection: str, home: Path | None) -> None:
    """Cut and embed all documents again, as the settings in force say, or the collection's own.

    The texts are taken from the index; the files are not needed. A run that was stopped goes on
    where it was. A service over the index answers meanwhile as before, and takes up the new one by
    itself; only for settings of its own environment it has to be restarted with the new ones.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from rag.bootstrap import reindex_collection

    settings = settings_for(home)
    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    columns = (TextColumn("reindexing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)
    last = None
    with bar, stopped_by_interrupt() as stopped:
        task = bar.add_task("", total=None)
        for last in reindex_collection(settings, collection=collection):
            bar.update(task, completed=last.done, total=last.total)
            if stopped.is_set():
                break
    if last is None and not stopped.is_set():
        click.echo("The index is up to the settings already.")
    elif last is not None and last.generation is not None:
        click.echo(
            f"Reindexed {last.total} {'document' if last.total == 1 else 'documents'}, generation "
            f"{last.generation}. A running service takes it up by itself; restart one that was "
            "started with other settings."
        )
    else:
        click.echo("Not finished. Run rag reindex again to go on.", err=True)
        raise KeyboardInterrupt
