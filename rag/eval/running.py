"""Runs an evaluation: questions stream in, records stream out, only numbers stay in memory."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from rag.errors import InvalidRequest
from rag.eval.asking import Asked, Asker
from rag.eval.directories import Setting, take_up
from rag.eval.examples import Example
from rag.eval.html import write_html
from rag.eval.records import (
    HTML,
    RECORDS,
    Record,
    Report,
    encode_record,
    read_records,
    write_report,
)
from rag.eval.summary import summarise
from rag.eval.table import TableBuilder
from rag.retrieval.retriever import Mode
from rag.thresholds import calibration_sha256


def evaluate(
    answerer: Asked,
    examples: Iterable[Example],
    *,
    k: int = 10,
    mode: Mode = "hybrid",
    out: Path | None = None,
    settings: Mapping[str, Setting] | None = None,
) -> Report:
    """Ask every question, reading the first k passages by `mode`, and return the figures.

    With `out`, records and report are written into that directory, and a run that was stopped goes
    on where it was: see `run`. `settings` is what else the answers depend on. Raises InvalidRequest
    without a question, and BrokenFile for golds that the answerer's documents do not have.
    """
    all_settings = {**(settings or {}), "k": k, "retriever": mode, **_settings_of(answerer)}
    builder = TableBuilder()
    for record in run(answerer, examples, k=k, mode=mode, out=out, settings=all_settings):
        builder.add(record)
    table = builder.table()
    if not len(table):
        raise InvalidRequest("There is no question to evaluate.")
    report = summarise(table, settings=all_settings)
    if out is not None:
        write_html(read_records(out), report, out / HTML)
        write_report(report, out)  # last: it says that the run is finished
    return report


def _settings_of(answerer: Asked) -> dict[str, Setting]:
    with answerer.store.snapshot() as snapshot:
        documents, chunks = snapshot.count()
        versions = snapshot.versions()
        index = snapshot.fingerprint
    digest = hashlib.sha256()
    for uri, version in sorted(versions.items()):
        digest.update(f"{uri}\0{version}\0".encode("utf-8", "surrogatepass"))
    return {
        "min_confidence": answerer.min_confidence,
        "reader": answerer.reader.name,
        "calibration": calibration_sha256(answerer.reader.calibration),
        "index": index,
        "documents": documents,
        "chunks": chunks,
        "documents_sha256": digest.hexdigest(),
    }


def run(
    answerer: Asked,
    examples: Iterable[Example],
    *,
    k: int,
    mode: Mode = "hybrid",
    out: Path | None,
    settings: Mapping[str, Setting],
) -> Iterator[Record]:
    """Yield the record of each question, in order, once it is on disk.

    Records that `out` holds already, of a run that was stopped, are yielded without asking again.
    Raises InvalidRequest, naming what differs, where they were made with other settings.
    """
    asker = Asker(answerer, k=k, mode=mode)
    if out is None:
        yield from map(asker.ask, examples)
        return
    done = take_up(out, settings)
    yield from read_records(out)
    with (out / RECORDS).open("ab") as file:
        for example in islice(examples, done, None):
            record = asker.ask(example)
            file.write(encode_record(record))
            file.flush()
            yield record
