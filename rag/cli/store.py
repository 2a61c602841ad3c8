"""`rag store`: the database that RAG_STORE names."""

import click

from rag.cli.options import settings_for


@click.group()
def store() -> None:
    """Prepare the database that RAG_STORE names."""


@store.command()
def migrate() -> None:
    """Make or change the tables in the database as this version needs them.

    Nothing happens where they are so already. Make a backup first; an older version does not work
    with the tables of a later one.
    """
    from rag.bootstrap import migrate_store

    taken = migrate_store(settings_for(None))
    click.echo(f"Done: {', '.join(taken)}." if taken else "The tables are up to date.")
