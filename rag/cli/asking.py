"""`rag ask` and `rag search`."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.options import collection_option, filter_options, home_option, settings_for
from rag.cli.printing import console, emphasised, one_line, plain, print_indented, print_line

if TYPE_CHECKING:
    from rich.console import Console

    from rag.answers import Answer
    from rag.documents import Document
    from rag.settings import Settings
    from rag.store import Filters


@click.command()
@click.argument("question")
@click.option("--answers", default=3, show_default=True, help="At most this many answers.")
@click.option("-k", default=10, show_default=True, help="How many passages to read.")
@click.option(
    "--min-confidence", type=float, help="Withhold answers less likely than this, 0 to 1."
)
@click.option("--json", "as_json", is_flag=True, help="Print what the HTTP API would answer.")
@filter_options
@collection_option
@home_option
def ask(
    question: str,
    *,
    answers: int,
    k: int,
    min_confidence: float | None,
    as_json: bool,
    collection: str,
    home: Path | None,
    documents: tuple[str, ...],
    media_types: tuple[str, ...],
    published_from: datetime | None,
    published_to: datetime | None,
    where: tuple[str, ...],
) -> None:
    """Answer QUESTION with quotes from the documents."""
    from rag.api.wire import asked_out
    from rag.bootstrap import open_engine

    filters = _filters(documents, media_types, published_from, published_to, where)
    settings = settings_for(home)
    if not as_json:
        _require_documents(settings, collection)
    with open_engine(settings, collection=collection, create=False) as engine:
        answered = engine.answerer.ask(
            question, answers=answers, k=k, filters=filters, min_confidence=min_confidence
        )
    if as_json:
        _print_json(asked_out(answered))
        return
    out = console()
    for number, answer in enumerate(answered.answers, start=1):
        _print_answer(out, number, answer)
    if answered.abstention is not None:
        print_line(out, answered.abstention.message)
        for hit in answered.found.hits[:3]:
            document = answered.found.documents[hit.chunk.document]
            out.print()
            print_line(out, f"Closest: {_place(document, hit.chunk.section)}", style="dim")
            print_indented(out, one_line(hit.chunk.text))


@click.command()
@click.argument("question")
@click.option("-k", default=10, show_default=True, help="At most this many passages.")
@click.option(
    "--retriever",
    type=click.Choice(["hybrid", "dense", "lexical"]),
    default="hybrid",
    show_default=True,
    help="Rank by meaning and words, by meaning, or by words.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what the HTTP API would answer.")
@filter_options
@collection_option
@home_option
def search(
    question: str,
    *,
    k: int,
    retriever: str,
    as_json: bool,
    collection: str,
    home: Path | None,
    documents: tuple[str, ...],
    media_types: tuple[str, ...],
    published_from: datetime | None,
    published_to: datetime | None,
    where: tuple[str, ...],
) -> None:
    """Rank the passages that may answer QUESTION."""
    from rag.api.wire import found_out
    from rag.bootstrap import open_engine

    filters = _filters(documents, media_types, published_from, published_to, where)
    settings = settings_for(home)
    if not as_json:
        _require_documents(settings, collection)
    with open_engine(settings, collection=collection, create=False) as engine:
        found = engine.answerer.search(question, k=k, filters=filters, mode=retriever)  # type: ignore[arg-type]
    if as_json:
        _print_json(found_out(found))
        return
    out = console()
    for number, hit in enumerate(found.hits, start=1):
        document = found.documents[hit.chunk.document]
        place = _place(document, hit.chunk.section)
        page = "" if hit.chunk.page is None else f"page {hit.chunk.page}, "
        print_line(out, f"{number}. {place}", style="bold")
        print_indented(
            out,
            f"score {hit.score:.3f}, {page}characters {hit.chunk.start} to {hit.chunk.end} of "
            f"{plain(document.uri)}",
            style="dim",
        )
        print_indented(out, plain(hit.chunk.text.strip()))
        out.print()
    if not found.hits:
        click.echo("No passage found.")


def _require_documents(settings: "Settings", collection: str) -> None:
    """Say how to begin, before a model is loaded."""
    from rag.bootstrap import open_store

    with (
        open_store(settings, collection=collection, create=False) as store,
        store.snapshot() as snapshot,
    ):
        if not snapshot.count()[0]:
            raise click.ClickException(
                f"There are no documents in {store.place} yet. Add some: rag ingest PATH..."
            )


def _filters(
    documents: tuple[str, ...],
    media_types: tuple[str, ...],
    published_from: datetime | None,
    published_to: datetime | None,
    where: tuple[str, ...],
) -> "Filters":
    from rag.store import Filters

    pairs = [condition.partition("=") for condition in where]
    if wrong := [condition for condition in where if "=" not in condition]:
        raise click.BadParameter(
            f"{wrong[0]!r} is not of the form KEY=VALUE.", param_hint="--where"
        )
    return Filters(
        documents=documents or None,
        media_types=media_types or None,
        published_from=None if published_from is None else published_from.date().isoformat(),
        published_to=None if published_to is None else published_to.date().isoformat(),
        metadata=tuple((key, value) for key, _, value in pairs),
    )


def _print_json(value: object) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def _print_answer(out: "Console", number: int, answer: "Answer") -> None:
    from rich.text import Text

    print_line(
        out,
        Text.assemble(
            (f"{number}. {one_line(answer.text)}", "bold"),
            (f"  ({answer.confidence:.0%} sure)", "dim"),
        ),
    )
    for citation in answer.citations:
        if (citation.before + citation.after).strip():
            print_indented(out, emphasised(citation.before, citation.quote, citation.after))
        print_indented(out, _place(citation.document, citation.section), style="dim")
        page = "" if citation.page is None else f"page {citation.page}, "
        print_indented(
            out,
            f"{page}characters {citation.start} to {citation.end} of "
            f"{plain(citation.document.uri)}",
            style="dim",
        )
    out.print()


def _place(document: "Document", section: tuple[str, ...]) -> str:
    published = f" ({document.published})" if document.published else ""
    headings = [heading for heading in section if heading != document.title]
    return one_line(" > ".join([document.title + published, *headings]))
