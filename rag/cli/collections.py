"""`rag collections`: the collections of a home."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.options import home_option, settings_for
from rag.settings import MAX_CHUNK_TOKENS, MIN_CHUNK_TOKENS

if TYPE_CHECKING:
    from rag.home import Condition


@click.group()
def collections() -> None:
    """List, create and delete collections, each an index of its own."""


@collections.command("list")
@home_option
def list_(*, home: Path | None) -> None:
    """List the collections; exit status 1 says that one cannot be used."""
    from rag.bootstrap import open_home

    unusable = False
    with open_home(settings_for(home), create=False) as opened:
        names = opened.names()
        for name in names:
            condition = opened.condition(name)
            click.echo(f"{name}: {_described(condition)}")
            if condition.state != "ready":
                unusable = True
                click.echo(condition.reason, err=True)
    if not names:
        click.echo("There are no collections yet. Add documents: rag ingest PATH...")
    if unusable:
        raise SystemExit(1)


@collections.command()
@click.argument("name")
@click.option(
    "--chunk-tokens",
    type=click.IntRange(MIN_CHUNK_TOKENS, MAX_CHUNK_TOKENS),
    help="Bound of a chunk in the embedder's tokens; RAG_CHUNK_TOKENS if absent.",
)
@click.option("--embedder", help="As RAG_EMBEDDER, which is taken if absent.")
@home_option
def create(name: str, *, chunk_tokens: int | None, embedder: str | None, home: Path | None) -> None:
    """Make the empty collection NAME.

    Its chunk size and embedder stay what they are now, whatever the environment says later; the
    default collection alone, which `rag ingest` makes, follows the environment.
    """
    from rag.bootstrap import create_collection

    settings = settings_for(home)
    settings = replace(
        settings,
        chunk_tokens=chunk_tokens or settings.chunk_tokens,
        embedder=embedder or settings.embedder,
    )
    create_collection(settings, name)
    click.echo(f"Created {name}. Add documents: rag ingest --collection {name} PATH...")


@collections.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
def delete(name: str, *, yes: bool, home: Path | None) -> None:
    """Take the collection NAME out of use; all of it is kept aside."""
    from rag.bootstrap import open_home

    settings = settings_for(home)
    with open_home(settings, create=False) as opened:
        if name not in opened.names():
            opened.require(name)
        if not yes:
            condition = _described(opened.condition(name))
            click.confirm(f"Delete {name} ({condition})?", abort=True)
        kept = opened.delete(name)
    click.echo(
        f"Deleted {name}. Nothing is lost: it lies in {kept.place}. To have it back, "
        f"{kept.way_back}. A running service knows it from its next request on."
    )


def _described(condition: "Condition") -> str:
    contents = condition.contents
    if contents is None:
        return condition.state
    state = "" if condition.state == "ready" else f"{condition.state}, "
    return (
        f"{state}{contents.documents} {'document' if contents.documents == 1 else 'documents'}, "
        f"{contents.chunks} {'chunk' if contents.chunks == 1 else 'chunks'}"
    )
