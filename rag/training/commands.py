"""`rag reader`: training, measuring, exporting and calibrating readers from the command line."""

from pathlib import Path

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_DIRECTORY = click.Path(file_okay=False, path_type=Path)


@click.group()
def reader() -> None:
    """Train, measure and export a reader on labelled questions."""


@reader.command()
@click.option("--data", type=FILE, multiple=True, help="Questions on passages; may be repeated.")
@click.option("--sentences", type=FILE, multiple=True, help="Questions on single sentences.")
@click.option(
    "--mix",
    type=FILE,
    multiple=True,
    help="General questions to mix in; with --start-from, those that ship if absent.",
)
@click.option("--mix-share", default=0.5, show_default=True, help="How many, per other question.")
@click.option("--out", type=NEW_DIRECTORY, required=True, help="Where the run's files go.")
@click.option(
    "--start-from",
    metavar="DIRECTORY|shipped",
    help="A trained or exported reader, or the one that ships; the plain encoder if absent.",
)
@click.option("--epochs", default=3, show_default=True)
@click.option("--per-epoch", default=0, help="Questions an epoch; 0 for all.")
@click.option("--rate", default=1.5e-4, show_default=True, help="The highest learning rate.")
@click.option("--batch-tokens", default=4500, show_default=True)
@click.option("--seed", default=13, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--name", default="own-reader-1", show_default=True, help="Goes into answers.")
def train(
    *,
    data: tuple[Path, ...],
    sentences: tuple[Path, ...],
    mix: tuple[Path, ...],
    mix_share: float,
    out: Path,
    start_from: str | None,
    epochs: int,
    per_epoch: int,
    rate: float,
    batch_tokens: int,
    seed: int,
    threads: int,
    name: str,
) -> None:
    """Train a reader, going on where a killed run stopped, and export it to OUT/export.

    Files are SQuAD JSON or JSON lines, gzipped or not. To adapt the reader that ships to your own
    questions, use --start-from shipped and a lower rate, such as 5e-5; general questions are mixed
    in so that nothing is forgotten. The export needs `rag reader calibrate` before it can be used.
    """
    if not data and not sentences:
        raise click.UsageError("give --data or --sentences")
    from rag.training.data import SHIPPED_QUESTIONS, read_examples  # noqa: PLC0415
    from rag.training.exporting import export  # noqa: PLC0415
    from rag.training.loop import train as run  # noqa: PLC0415
    from rag.training.options import TrainingOptions  # noqa: PLC0415

    options = TrainingOptions(
        data=data,
        sentences=sentences,
        mix=mix or ((SHIPPED_QUESTIONS,) if start_from else ()),
        mix_share=mix_share,
        out=out,
        start_from=_model(start_from),
        epochs=epochs,
        per_epoch=per_epoch,
        rate=rate,
        batch_tokens=batch_tokens,
        seed=seed,
        threads=threads,
    )
    trained = run(options)
    samples = read_examples((*data, *sentences))
    exported = export(trained, out / "export", name=name, samples=samples)
    click.echo(f"trained {trained}, exported {exported}")


def _model(start_from: str | None) -> Path:
    """Return the directory that a run starts from."""
    from rag.embedding.weights import MINILM, find_weights  # noqa: PLC0415
    from rag.reading.onnx import SHIPPED  # noqa: PLC0415

    if start_from is None:
        return find_weights(MINILM).directory
    if start_from == "shipped":
        return SHIPPED
    directory = Path(start_from)
    if not (directory / "config.json").is_file():
        raise click.BadParameter(f"{directory} holds no reader (no config.json).")
    return directory


@reader.command(name="eval")
@click.argument("directory", type=DIRECTORY)
@click.option("--data", type=FILE, multiple=True, required=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Also write JSON.")
def evaluate(directory: Path, data: tuple[Path, ...], out: Path | None) -> None:
    """Measure a trained or exported reader with the passages given."""
    from rag.training.data import read_examples  # noqa: PLC0415
    from rag.training.evaluation import evaluate as measure  # noqa: PLC0415
    from rag.training.evaluation import write_report  # noqa: PLC0415

    result = measure(directory, read_examples(data))
    click.echo(f"questions        {result.questions} ({result.answerable} answerable)")
    click.echo(f"exact match      {result.exact}")
    click.echo(f"F1               {result.f1}")
    click.echo(f"no-answer AUROC  {result.no_answer_auroc}")
    if out:
        write_report(result, out)


@reader.command()
@click.argument("model", type=DIRECTORY)
@click.argument("out", type=NEW_DIRECTORY)
@click.option("--name", default="own-reader-1", show_default=True, help="Goes into answers.")
@click.option("--data", type=FILE, multiple=True, help="Samples, for a better int8.")
@click.option("--int8/--float", "int8", default=True, show_default=True)
def export(model: Path, out: Path, *, name: str, data: tuple[Path, ...], int8: bool) -> None:
    """Write a trained MODEL as ONNX to OUT."""
    from rag.training.data import read_examples  # noqa: PLC0415
    from rag.training.exporting import export as write  # noqa: PLC0415

    samples = read_examples(data)
    click.echo(f"exported {write(model, out, name=name, samples=samples, int8=int8)}")


@reader.command()
@click.argument("setting", metavar="READER")
@click.option("--data", type=FILE, multiple=True, required=True, help="Asked over one corpus.")
@click.option("--k", default=10, show_default=True, help="Passages read per question.")
@click.option("--sample", default=0, help="Ask only so many, evenly chosen; 0 for all.")
@click.option("--precision", default=0.8, show_default=True, help="Of what is answered.")
@click.option("--cache", type=NEW_DIRECTORY, default=Path(".rag/models"), show_default=True)
def calibrate(
    setting: str, *, data: tuple[Path, ...], k: int, sample: int, precision: float, cache: Path
) -> None:
    """Fit the confidence of a READER and write its calibration.json.

    READER is the directory of an exported reader, or a question answering checkpoint by its path or
    hub id, as in the setting RAG_READER; what is fitted for one goes into its conversion in CACHE.
    The questions of one passage should lie together in the data: folds are cut along its order.
    """
    from rag.embedding.compiled import open_embedder  # noqa: PLC0415
    from rag.embedding.weights import MINILM, find_weights  # noqa: PLC0415
    from rag.reading.calibration import save_calibration  # noqa: PLC0415
    from rag.reading.opening import open_window_reader  # noqa: PLC0415
    from rag.training import calibrating  # noqa: PLC0415
    from rag.training.data import read_examples  # noqa: PLC0415

    examples = read_examples(data)
    embedder = open_embedder(find_weights(MINILM), cache=cache, threads=2)
    search = calibrating.corpus_search(examples, embedder, k=k)
    asked = examples[:: max(1, len(examples) // sample)] if sample else examples
    reader = open_window_reader(setting, cache=cache, threads=2)
    judged = calibrating.judge(asked, search, reader)
    calibration = calibrating.fit(judged, precision=precision)
    save_calibration(calibration, reader.calibration_file)
    result = calibrating.corpus_report(asked, judged)
    click.echo(f"exact match          {result.exact}")
    click.echo(f"F1                   {result.f1}")
    click.echo(f"coverage, 10% wrong  {result.coverage}")
    click.echo(f"AUROC                {result.auroc}")
    click.echo(f"calibration error    {result.calibration_error}")
    for confidence, share, count in result.bins:
        click.echo(f"  confidence {confidence:.2f}  right {share:.2f}  of {count}")
    click.echo(f"answered from        {calibration.min_confidence:.2f} up")
