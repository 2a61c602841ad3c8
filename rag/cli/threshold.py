"""`rag eval threshold`: a threshold that keeps a promise, or the news that none does."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from rag.cli.options import home_option, settings_for

if TYPE_CHECKING:
    from rag.eval.thresholds import Candidate

_COLLECTION: Final = "collection "  # begins the name of what a run over a collection was over
_SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--target-precision",
    type=_SHARE,
    default=0.9,
    show_default=True,
    help="The share of the answers given that must be right.",
)
@click.option(
    "--confidence-level",
    type=_SHARE,
    default=0.95,
    show_default=True,
    help="How sure that must be, over the chance of which questions were labelled.",
)
@home_option
def threshold(
    run: Path, *, target_precision: float, confidence_level: float, home: Path | None
) -> None:
    """Choose from RUN, an evaluation, the confidence from which on answers are given.

    The one is taken that answers most while the share of right answers is shown to reach the
    target, and kept with the collection; the service then answers by it, and refuses to start with
    a reader or index for which it was not measured. Exit status 1, with nothing kept, says that no
    threshold reaches the target.
    """
    from rag.bootstrap import collection_settings
    from rag.components import index_fingerprint, open_embedder, open_reader
    from rag.eval.records import read_records, read_report
    from rag.eval.thresholds import candidates, choose, outcomes
    from rag.promises import threshold_file
    from rag.thresholds import Threshold, changed_since, save_threshold

    measured = read_report(run).settings
    over = str(measured["corpus"])
    collection = over.removeprefix(_COLLECTION)
    if collection == over:
        raise click.ClickException(
            f"{run} was measured over {over}, so it promises nothing for a collection. Run the "
            "evaluation over one: rag eval run QUESTIONS --collection NAME."
        )
    retriever = measured.get("retriever", "hybrid")
    if retriever != "hybrid":
        raise click.ClickException(
            f"{run} was measured with the {retriever} retriever, but questions are answered with "
            "the hybrid one. Run the evaluation again without --retriever."
        )
    settings = collection_settings(settings_for(home), collection)
    confidence, right = outcomes(read_records(run))
    found = candidates(confidence, right, confidence_level=confidence_level)
    chosen = choose(
        found,
        questions=len(confidence),
        precision=target_precision,
        confidence_level=confidence_level,
    )
    if chosen is None:
        raise click.ClickException(_refusal(found, len(confidence), target_precision))
    kept = Threshold(
        min_confidence=chosen.min_confidence,
        precision=target_precision,
        confidence_level=confidence_level,
        questions=len(confidence),
        answered=chosen.answered,
        right=chosen.right,
        reader=str(measured["reader"]),
        calibration=str(measured["calibration"]),
        index=str(measured["index"]),
        k=int(str(measured["k"])),
    )
    file = threshold_file(settings, collection=collection)
    reader = open_reader(settings, embedder=open_embedder(settings))
    changed = changed_since(
        kept,
        reader=reader.name,
        calibration=reader.calibration,
        index=index_fingerprint(settings),
    )
    if changed:
        raise click.ClickException(
            f"{run} was measured with {'; '.join(changed)}. Run the evaluation again."
        )
    save_threshold(kept, file)
    share = chosen.answered / len(confidence)
    click.echo(
        f"Answers are given from {chosen.min_confidence:.0%} confidence on: "
        f"{chosen.answered} of the {len(confidence)} questions ({share:.0%}), "
        f"{chosen.right} of them right ({chosen.right / chosen.answered:.1%}).\n"
        f"For questions like these at least {target_precision:.0%} are right, at a confidence "
        f"level of {confidence_level:.0%}.\n"
        f"Kept in {file}; a running service takes it up when it starts again."
    )
    if settings.min_confidence is not None:
        click.echo(
            f"RAG_MIN_CONFIDENCE is set ({settings.min_confidence:g}) and goes before it.", err=True
        )


def _refusal(found: "list[Candidate]", questions: int, precision: float) -> str:
    best = max(found, key=lambda candidate: candidate.low)
    return (
        f"No threshold is shown to reach {precision:.0%}. The closest, "
        f"{best.min_confidence:.2f}, answers {best.answered} of {questions} labelled questions, "
        f"{best.right} of them right, which shows {best.low:.0%}. Nothing was kept. Label more "
        "questions, or lower the target or the confidence level."
    )
