"""`rag snapshot`: copies of the whole home's index, and back."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.options import home_option, settings_for
from rag.errors import SettingsError

if TYPE_CHECKING:
    from rag.snapshots import Manifest


@click.group()
def snapshot() -> None:
    """Copy the index while it is in use, check the copies and restore them."""
    if settings_for(None).store:
        raise SettingsError(
            "Snapshots are of an index in files, but RAG_STORE keeps it in a database. Back that "
            "up with its own tools, such as pg_dump or pg_basebackup."
        )


@snapshot.command()
@click.option("--name", help="Name of the snapshot; the time of day in UTC without one.")
@home_option
def create(*, name: str | None, home: Path | None) -> None:
    """Copy every collection as it is now, and verify the copy."""
    from rag import snapshots

    settings = settings_for(home)
    manifest = snapshots.create(settings.home, name=name, min_free_bytes=settings.min_free_bytes)
    click.echo(f"Created {_described(manifest)}")


@snapshot.command("list")
@home_option
def list_(*, home: Path | None) -> None:
    """List the snapshots by name; what is damaged is said so, with exit status 1."""
    from rag import snapshots
    from rag.errors import DamagedStore

    settings = settings_for(home)
    names = snapshots.names(settings.home)
    damaged = False
    for name in names:
        try:
            click.echo(_described(snapshots.read_manifest(settings.home, name)))
        except DamagedStore as error:
            damaged = True
            click.echo(f"{name}: {error}", err=True)
    if not names:
        click.echo("There are no snapshots. Make one: rag snapshot create")
    if damaged:
        raise SystemExit(1)


@snapshot.command()
@click.argument("name")
@home_option
def verify(name: str, *, home: Path | None) -> None:
    """Check every file of the snapshot NAME and every row in it."""
    from rag import snapshots

    click.echo(f"Sound: {_described(snapshots.verify(settings_for(home).home, name))}")


@snapshot.command()
@click.argument("name")
@click.option("--replace", is_flag=True, help="Move an index that is there aside first.")
@home_option
def restore(name: str, *, replace: bool, home: Path | None) -> None:
    """Put the snapshot NAME in place, after it was verified."""
    from rag import snapshots

    settings = settings_for(home)
    moved = snapshots.restore(settings.home, name, replace=replace)
    click.echo(f"Restored {name}. A running service answers from it from its next request on.")
    for path in moved:
        click.echo(f"The index before it lies in {path}.")


def _described(manifest: "Manifest") -> str:
    parts = [
        f"{name} at generation {saved.generation} with {saved.documents} documents, "
        f"{sum(file.bytes for file in saved.files.values()) / 1e6:,.1f} MB"
        for name, saved in manifest.collections.items()
    ]
    return f"{manifest.name} of {manifest.created}: {'; '.join(parts)}"
