"""What several commands share: the home directory and the filters."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from rag.settings import DEFAULT_COLLECTION, Settings, read_settings

F = TypeVar("F", bound=Callable[..., Any])

home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the index; the environment's RAG_HOME, else .rag.",
)

collection_option = click.option(
    "--collection", default=DEFAULT_COLLECTION, show_default=True, help="Name of the collection."
)


def settings_for(home: Path | None) -> Settings:
    """Return the environment's settings, with the home given on the command line if any."""
    settings = read_settings(os.environ)
    return settings if home is None else replace(settings, home=home.absolute())


def filter_options(command: F) -> F:
    """Add the options that choose which documents may answer."""
    options = (
        click.option("--document", "documents", multiple=True, help="Only this document's id."),
        click.option("--media-type", "media_types", multiple=True, help="Only this media type."),
        click.option(
            "--from",
            "published_from",
            type=click.DateTime(["%Y-%m-%d"]),
            help="Only documents published on or after this day (YYYY-MM-DD).",
        ),
        click.option(
            "--to",
            "published_to",
            type=click.DateTime(["%Y-%m-%d"]),
            help="Only documents published on or before this day (YYYY-MM-DD).",
        ),
        click.option(
            "--where", multiple=True, metavar="KEY=VALUE", help="Only this metadata value."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command
