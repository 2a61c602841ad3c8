"""`rag eval label`: a person says of answer after answer whether it is right."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from rag.cli.options import collection_option, home_option, settings_for
from rag.cli.printing import console, emphasised, one_line, print_indented, print_line

if TYPE_CHECKING:
    from rich.console import Console

    from rag.answering import Answered
    from rag.answers import Answer
    from rag.home import Engine
    from rag.labels import Label, Place, Verdict

_WITH_ANSWER: Final = (
    "[r]ight, [w]rong, [n]othing in the documents answers this, give the right [s]pan, s[k]ip, "
    "[q]uit"
)
_WITHOUT: Final = "[r]ight to keep silent, [w]rong to, give the right [s]pan, s[k]ip, [q]uit"
_LISTED: Final = 20


class _Quit(Exception):
    """The person has had enough for now."""


@click.command()
@click.argument("questions", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Where the labels go, as JSON lines; labels that are there are kept.",
)
@click.option("-k", default=10, show_default=True, help="How many passages to read.")
@collection_option
@home_option
def label(questions: Path, *, out: Path, collection: str, k: int, home: Path | None) -> None:
    """Ask each of QUESTIONS and take down whether the answer is right.

    QUESTIONS has a question a line, or is JSON lines with a `question` each. What is labelled in
    OUT already is not asked again. `rag eval run` and `rag reader train --data` read OUT.
    """
    from rag.bootstrap import open_engine
    from rag.eval.labelling import read_questions
    from rag.labels import LabelFile, read_labels

    asked = read_questions(questions)
    done = {known.question for known in read_labels(out)}
    todo = [question for question in asked if question not in done]
    shown = console()
    kept = 0
    if todo:
        file = LabelFile(out)
        with open_engine(settings_for(home), collection=collection, measuring=True) as engine:
            for number, question in enumerate(todo, start=len(asked) - len(todo) + 1):
                print_line(shown, f"{number}/{len(asked)}  {one_line(question)}", style="bold")
                try:
                    made = _label(shown, question, engine=engine, collection=collection, k=k)
                except (_Quit, click.Abort):
                    break
                if made is not None:
                    kept += file.append(made)
                shown.print()
    open_ = len(todo) - kept
    click.echo(f"{kept} labels added to {out}, {open_} of {len(asked)} questions are open.")


def _label(
    shown: "Console", question: str, *, engine: "Engine", collection: str, k: int
) -> "Label | None":
    """Ask one question and return the label given to it, None where it was skipped."""
    from rag.labels import Place, make_label

    answered = engine.answerer.ask(question, answers=1, k=k, min_confidence=0.0)
    best = answered.answers[0] if answered.answers else None
    given: Place | None = None
    if best is None:
        print_indented(shown, "No answer.")
    else:
        first = best.citations[0]
        given = Place(document=first.document, start=first.start, end=first.end)
        _print_answer(shown, best, withheld=best.confidence < engine.answerer.min_confidence)
    verdict, span = _verdict(shown, answered)
    if verdict is None:
        return None
    with engine.store.snapshot() as snapshot:
        return make_label(
            question,
            verdict=verdict,
            source="label",
            given=given,
            span=span,
            snapshot=snapshot,
            collection=collection,
            generation=answered.found.generation,
        )


def _verdict(shown: "Console", answered: "Answered") -> "tuple[Verdict | None, Place | None]":
    verdicts: dict[str, Verdict] = {"r": "right", "w": "wrong"}
    if answered.answers:
        verdicts["n"] = "should_abstain"
    while True:
        choice = click.prompt(
            _WITH_ANSWER if answered.answers else _WITHOUT,
            type=click.Choice([*verdicts, "s", "k", "q"], case_sensitive=False),
            show_choices=False,
            prompt_suffix=": ",
        )
        if choice == "q":
            raise _Quit
        if choice == "k":
            return None, None
        if choice in verdicts:
            return verdicts[choice], None
        span = _span(shown, answered)
        if span is not None:
            return "span", span


def _span(shown: "Console", answered: "Answered") -> "Place | None":
    """Return where the text stands that is pasted, None where it is found nowhere or given up."""
    from rag.eval.labelling import find_text, in_passages

    text = click.prompt("The right words, as the document has them (empty: back)", default="")
    found = answered.found
    everywhere = find_text(text, list(found.documents.values()))
    passages = [(hit.chunk.document, hit.chunk.start, hit.chunk.end) for hit in found.hits]
    places = in_passages(everywhere, passages) or everywhere
    if not places:
        if text.strip():
            print_indented(shown, "None of the documents found has these words so.")
        return None
    if len(places) == 1:
        return places[0]
    for number, place in enumerate(places[:_LISTED], start=1):
        print_indented(shown, _around(place, number))
    if len(places) > _LISTED:
        print_indented(shown, f"{len(places) - _LISTED} more are not listed; paste more words.")
    number = click.prompt(
        "Which (0: back)", type=click.IntRange(0, min(len(places), _LISTED)), default=1
    )
    return places[number - 1] if number else None


def _print_answer(shown: "Console", answer: "Answer", *, withheld: bool) -> None:
    first = answer.citations[0]
    note = ", would be withheld" if withheld else ""
    print_indented(shown, emphasised(first.before, first.quote, first.after))
    print_indented(
        shown,
        f"{answer.confidence:.0%} sure{note}; {one_line(first.document.title)}, characters "
        f"{first.start} to {first.end} of {one_line(first.document.uri)}",
        style="dim",
    )


def _around(place: "Place", number: int) -> str:
    from rag.answers import sentence_bounds

    start, end = sentence_bounds(place.document, place.start, place.end)
    text = place.document.text
    sentence = emphasised(text[start : place.start], place.text, text[place.end : end])
    return f"{number}. {sentence.plain} ({one_line(place.document.title)}, from {place.start} on)"
