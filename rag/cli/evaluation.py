"""`rag eval`: how good the answers are, on labelled questions."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.comparing import compare
from rag.cli.labelling import label
from rag.cli.options import home_option, settings_for
from rag.cli.printing import plain
from rag.cli.threshold import threshold
from rag.settings import DEFAULT_COLLECTION

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from rag.eval.corpora import Corpus
    from rag.home import Engine
    from rag.settings import Settings


@click.group(name="eval")
def evaluation() -> None:
    """Measure how good the answers are, on labelled questions."""


for command in (compare, threshold, label):
    evaluation.add_command(command)


@evaluation.command()
@click.argument("questions", type=click.Path(exists=True, path_type=Path))
@click.option("--collection", help="Ask over this collection of the home.")
@click.option(
    "--corpus",
    type=click.Path(exists=True, path_type=Path),
    help="Ask over these files instead, or over QUESTIONS' own contexts.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the report goes; HOME/evaluations/NAME if absent.",
)
@click.option("-k", "--k", default=10, show_default=True, help="How many passages to read.")
@click.option(
    "--retriever",
    type=click.Choice(["hybrid", "dense", "lexical"]),
    default="hybrid",
    show_default=True,
    help="Rank by meaning and words, by meaning, or by words.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Ask only the first so many.")
@click.option("--again", is_flag=True, help="Replace the run that the directory holds.")
@home_option
def run(
    questions: Path,
    *,
    collection: str | None,
    corpus: Path | None,
    out: Path | None,
    k: int,
    retriever: str,
    limit: int | None,
    again: bool,
    home: Path | None,
) -> None:
    """Ask QUESTIONS and write what came of them, with all figures.

    QUESTIONS is SQuAD JSON, a BEIR folder, JSON lines (a question and its answers, or reference
    passages), or CSV with the columns question and references. Without --collection and --corpus,
    they are asked over what comes with them: their contexts, a BEIR corpus, or the files beside
    them that they name; else over the home's collection. A run that was stopped goes on where it
    was.
    """
    from itertools import islice

    from rich.console import Console

    from rag.cli.evaluation_report import print_report
    from rag.eval.corpora import corpus_for, open_collection
    from rag.eval.directories import clear, require_unfinished
    from rag.eval.loading import find_questions
    from rag.eval.running import evaluate

    if collection is not None and corpus is not None:
        raise click.UsageError("give --collection or --corpus, not both")
    settings = settings_for(home)
    found = find_questions(questions)
    over = None if collection is not None else corpus_for(questions, path=corpus)
    asked = collection or DEFAULT_COLLECTION
    directory = out or settings.home / "evaluations" / _name(questions)
    if not again:
        require_unfinished(directory)  # before minutes of indexing
    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    with (
        open_collection(settings, asked)
        if over is None
        else _build(over, settings=settings, errors=errors)
    ) as engine:
        with engine.store.snapshot() as snapshot:
            empty = not snapshot.count()[0]
        if empty:
            raise click.ClickException(
                "There are no documents to ask. Take some in (rag ingest), or give --corpus."
            )
        if again:
            clear(directory)
        count = min(found.count, limit or found.count)
        engine.answerer.warm_up()
        with _progress(errors, "asking") as progress:
            examples = progress.track(islice(found.read(), limit), total=count)
            report = evaluate(
                engine.answerer,
                examples,
                k=k,
                mode=retriever,  # type: ignore[arg-type]
                out=directory,
                settings={
                    "questions": questions.name,
                    "questions_sha256": found.sha256,
                    "limit": limit,
                    "corpus": over.name if over else f"collection {asked}",
                },
            )
    print_report(report)
    click.echo(f"Written to {directory}.")


def _name(questions: Path) -> str:
    return questions.resolve().name.split(".")[0]


@contextmanager
def _build(corpus: "Corpus", *, settings: "Settings", errors: "Console") -> "Iterator[Engine]":
    """Open an engine over a corpus; a file that cannot be read is named and left out."""
    from rag.eval.corpora import open_throwaway
    from rag.indexing import Failed

    with open_throwaway(settings) as engine:
        with _progress(errors, f"indexing {plain(corpus.name)}") as progress:
            for outcome in progress.track(corpus.build(engine), total=None):
                if isinstance(outcome, Failed):
                    errors.print(plain(f"{outcome.file.path}: {outcome.reason}"))
        yield engine


def _progress(errors: "Console", what: str) -> "Progress":
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn(what, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )
