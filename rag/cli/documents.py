"""`rag documents`: what is in the index."""

import sys
from pathlib import Path

import click

from rag.cli.options import collection_option, home_option, settings_for
from rag.cli.printing import console, one_line, plain, print_indented, print_line


@click.group()
def documents() -> None:
    """List, show and delete documents."""


@documents.command("list")
@click.option(
    "--limit",
    type=click.IntRange(1, 2**31),
    default=1000,
    show_default=True,
    help="At most this many.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what the HTTP API would answer.")
@collection_option
@home_option
def list_(*, limit: int, as_json: bool, collection: str, home: Path | None) -> None:
    """List the documents, by uri."""
    import msgspec

    from rag.api.wire import listed_out
    from rag.bootstrap import open_store

    with (
        open_store(settings_for(home), collection=collection, create=False) as store,
        store.snapshot() as snapshot,
    ):
        listed = listed_out(snapshot, limit=limit, offset=0)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(listed)).decode())
        return
    out = console()
    for document in listed.documents:
        line = f"{document.id}  {document.published or 'undated   '}  {one_line(document.title)}"
        print_line(out, _cropped(line, out.width) if out.is_terminal else line)
        print_indented(out, f"{plain(document.uri)}, {_counted(document.chunks, 'chunk')}")
    chunks = sum(document.chunks for document in listed.documents)
    shown = len(listed.documents)
    among = "" if shown == listed.total else f" of {listed.total}"
    click.echo(f"{shown}{among} {_plural('document', listed.total)}, {_counted(chunks, 'chunk')}")


@documents.command()
@click.argument("document")
@collection_option
@home_option
def show(document: str, *, collection: str, home: Path | None) -> None:
    """Print the text of the document with the id DOCUMENT, in a pipe exactly as it is."""
    from rag.bootstrap import open_store

    with (
        open_store(settings_for(home), collection=collection, create=False) as store,
        store.snapshot() as snapshot,
    ):
        text = snapshot.document(document).text
    if sys.stdout.isatty():
        click.echo(plain(text))
    else:
        click.echo(text.encode(), nl=False)


@documents.command()
@click.argument("document")
@collection_option
@home_option
def delete(document: str, *, collection: str, home: Path | None) -> None:
    """Delete the document with the id DOCUMENT."""
    from rag.bootstrap import open_store

    with open_store(settings_for(home), collection=collection, create=False) as store:
        store.delete(document)
    click.echo(f"Deleted {document}.")


def _cropped(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 3]}..."


def _counted(number: int, noun: str) -> str:
    return f"{number} {_plural(noun, number)}"


def _plural(noun: str, number: int) -> str:
    return noun if number == 1 else f"{noun}s"
