"""`rag keys`: who may ask a service over HTTP."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.options import home_option, settings_for

if TYPE_CHECKING:
    from rag.keys import Key, Scope

_SCOPES = ("ask", "write", "admin")


@click.group()
def keys() -> None:
    """Make, list and revoke the keys that requests to a service carry."""


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(_SCOPES),
    multiple=True,
    default=("ask",),
    show_default=True,
    help="ask: questions, search, reading. write: adding and deleting documents. admin: all of "
    "that, and collections and metrics. Several may be given.",
)
@click.option(
    "--collection",
    "collections",
    multiple=True,
    help="A collection that the key reaches, all if absent. Several may be given.",
)
@click.option(
    "--days", type=click.IntRange(1, 36_500), help="For how long it is valid; for good if absent."
)
@home_option
def create(
    name: str,
    *,
    scopes: "tuple[Scope, ...]",
    collections: tuple[str, ...],
    days: int | None,
    home: Path | None,
) -> None:
    """Make a key and print it, this once; NAME tells whose it is.

    Only a hash of it is kept. A running service knows it from its next request on.
    """
    from rag.bootstrap import open_catalog
    from rag.keys import KeyFile

    settings = settings_for(home)
    if collections:
        with closing(open_catalog(settings)) as kept:
            for collection in collections:
                kept.require(collection)
    key, presented = KeyFile(settings.home).create(
        name,
        scopes=scopes,
        collections=collections or None,
        lifetime=None if days is None else timedelta(days=days),
    )
    click.echo(presented)
    click.echo(
        f"Made the key {key.id}. It is shown this once: send it as `Authorization: Bearer KEY`.",
        err=True,
    )


@keys.command("list")
@home_option
def list_(*, home: Path | None) -> None:
    """List the keys, without their secrets, those that open nothing any more too."""
    from datetime import UTC, datetime

    from rag.cli.printing import one_line
    from rag.keys import KeyFile

    found = KeyFile(settings_for(home).home).all()
    now = datetime.now(UTC)
    for key in found:
        click.echo(f"{key.id}  {key.state(now):<7}  {one_line(key.name)}: {_described(key)}")
    if not found:
        click.echo("There are no keys yet. Make one: rag keys create NAME")


@keys.command()
@click.argument("id_", metavar="ID")
@home_option
def revoke(id_: str, *, home: Path | None) -> None:
    """Make the key ID open nothing any more, in a running service from its next request on."""
    from rag.keys import KeyFile

    key = KeyFile(settings_for(home).home).revoke(id_)
    click.echo(f"Revoked {key.id} ({key.name}).")


def _described(key: "Key") -> str:
    parts = [
        ", ".join(key.scopes),
        "all collections" if key.collections is None else f"only {', '.join(key.collections)}",
        f"made {key.created:%Y-%m-%d}",
    ]
    if key.revoked is not None:
        parts.append(f"revoked {key.revoked:%Y-%m-%d}")
    elif key.expires is not None:
        parts.append(f"until {key.expires:%Y-%m-%d %H:%M} UTC")
    return "; ".join(parts)
