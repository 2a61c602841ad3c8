"""`rag eval compare`: whether a change made the answers better or worse."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.printing import console, one_line, print_indented, print_line
from rag.errors import RagError

if TYPE_CHECKING:
    from rich.console import Console

    from rag.eval.changes import Change, Side
    from rag.eval.comparing import Comparison

_RUN = click.Path(exists=True, path_type=Path)
_USAGE = 2


@click.command()
@click.argument("first", type=_RUN)
@click.argument("second", type=_RUN)
@click.option(
    "--metric",
    "gate",
    multiple=True,
    help="A measure that must not get worse; may be repeated. F1, MRR@10 and AUROC if absent.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="The chance of a false alarm that is allowed, over all measures together.",
)
@click.option(
    "--questions",
    "listed",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="List at most this many questions that got worse, and as many that got better.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(
    first: Path, second: Path, *, gate: tuple[str, ...], alpha: float, listed: int, as_json: bool
) -> None:
    """Compare two evaluations of the same questions, FIRST being the one from before.

    Each is a directory that `rag eval run` wrote, or a file in it. Exit status 1 says that a
    measure got significantly worse, 2 that the two cannot be compared.
    """
    import msgspec

    from rag.eval.comparing import compare as compare_runs

    directories = [path if path.is_dir() else path.parent for path in (first, second)]
    try:
        compared = compare_runs(*directories, gate=gate, alpha=alpha, listed=listed)
    except RagError as error:
        raise click.UsageError(" ".join(str(error).split())) from error
    if as_json:
        encoded = msgspec.json.format(msgspec.json.encode(compared), indent=1)
        click.echo(encoded.decode())
    else:
        _print(compared)
    sys.exit(1 if compared.regressions else 0)


def _print(compared: "Comparison") -> None:
    from rich import box
    from rich.table import Table

    out = console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for name in ("first", "second", "difference [95%]", "p", ""):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    for d in compared.differences:
        p = d.p if d.adjusted_p is None else d.adjusted_p
        table.add_row(
            d.title + ("" if d.adjusted_p is None else " *"),
            f"{d.first:.3f}",
            f"{d.second:.3f}",
            f"{d.difference:+.3f} [{d.low:+.3f}, {d.high:+.3f}]",
            f"{p:.3f}" if p >= 0.0005 else "<.001",
            "" if d.verdict == "same" else d.verdict,
            style="bold" if d.verdict == "worse" and d.adjusted_p is not None else "",
        )
    out.print(table)
    changes = compared.changes
    print_line(
        out,
        f"{compared.questions} questions: {changes.count_better} better, {changes.count_worse} "
        "worse. * must not get worse; its p allows for how many there are.",
    )
    for name, listed in (("Worse", changes.worse), ("Better", changes.better)):
        for change in listed:
            out.print()
            _print_change(out, name, change)
    out.print()
    titles = {d.name: d.title for d in compared.differences}
    print_line(
        out,
        f"Worse by more than chance: {', '.join(titles[name] for name in compared.regressions)}."
        if compared.regressions
        else "Nothing that must not get worse did, by more than chance.",
        style="bold",
    )


def _print_change(out: "Console", name: str, change: "Change") -> None:
    print_line(out, f"{name}: {one_line(change.question)} ({one_line(change.id)})")
    expected = " | ".join(one_line(text) for text in change.expected) or "no answer"
    print_indented(out, f"expected  {expected}")
    print_indented(out, f"first     {_told(change.first)}")
    print_indented(out, f"second    {_told(change.second)}")


def _told(side: "Side") -> str:
    if side.answer is None:
        return "no answer"
    withheld = ", withheld" if side.withheld else ""
    return f"{one_line(side.answer)} ({side.confidence:.0%} sure{withheld})"
