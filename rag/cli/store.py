"""`rag store`: the database that RAG_STORE names."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import click

from rag.cli.options import settings_for
from rag.settings import DEFAULT_COLLECTION, Settings


@click.group()
def store() -> None:
    """Prepare the database that RAG_STORE names, and copy collections into it or out of it."""


@store.command()
def migrate() -> None:
    """Make or change the tables in the database as this version needs them.

    Nothing happens where they are so already. Make a backup first; an older version does not work
    with the tables of a later one.
    """
    from rag.bootstrap import migrate_store

    taken = migrate_store(settings_for(None))
    click.echo(f"Done: {', '.join(taken)}." if taken else "The tables are up to date.")


@store.command()
@click.argument("collection", default=DEFAULT_COLLECTION)
@click.option(
    "--memory",
    type=click.IntRange(min=64),
    default=1024,
    show_default=True,
    help="Megabytes that the server may take for it; for 1,000,000 passages 2,048.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Processes of the server beside the first one.",
)
def index(collection: str, *, memory: int, workers: int) -> None:
    """Build the graph that finds near passages of a COLLECTION without comparing all of them.

    Worth it from some 100,000 passages on. Searches and writes go on meanwhile, and from then on
    writes keep it up to date. A large load is quicker before it than after it.
    """
    from rag.bootstrap import build_graph

    passages = build_graph(
        settings_for(None), collection=collection, memory=memory << 20, workers=workers
    )
    click.echo(f"Built: {passages} passages of {collection} are in the graph.")


@store.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--collection", "names", multiple=True, help="Only this one; may be repeated.")
def copy(source: str, target: str, *, names: tuple[str, ...]) -> None:
    """Copy the collections in FROM to TO: each a home's directory or postgresql://...

    Each is verified by its checksums and then put in its place, with its generation and history.
    What was stopped goes on where it was, and what is there already is left alone. Thresholds,
    feedback and waiting uploads stay where they are.
    """
    from rag.bootstrap import open_catalog
    from rag.copying import copy as copied

    with (
        closing(open_catalog(_kept_in(source))) as original,
        closing(open_catalog(_kept_in(target))) as other,
    ):
        for name in names or original.names():
            with click.progressbar(length=1000, label=name) as bar:
                for progress in copied(original, other, collection=name):
                    share = progress.done / max(progress.total, 1)
                    bar.update(int(share * 1000) - bar.pos)
            click.echo(
                f"{name}: {progress.total} documents of generation {progress.generation}, every "
                "row as it was written."
            )


def _kept_in(place: str) -> Settings:
    """Return the settings of an index that is kept in a directory or a database."""
    settings = settings_for(None)
    if place.startswith(("postgresql://", "postgres://")):
        return replace(settings, store=place)
    return replace(settings, store="", home=Path(place).absolute())
