"""What an evaluation leaves behind: a record for each question, and the report on all of them.

A run's directory holds `records.jsonl`, a `Record` a line in the order of the questions, and
`report.json`, one `Report`, which `report.html` shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec

from rag.errors import BrokenFile
from rag.metrics.intervals import Figure

FORMAT: Final = 1
RECORDS: Final = "records.jsonl"
REPORT: Final = "report.json"
HTML: Final = "report.html"

Task = Literal["answers", "references", "documents"]
"""What is known of a question: its answers, the passages that answer it, or only documents."""

Kind = Literal[
    "what", "who", "when", "where", "why", "how", "how-many", "which", "keywords", "other"
]

Cause = Literal[
    "right",
    "rightly_abstained",
    "wrongly_answered",
    "wrongly_abstained",
    "not_retrieved",
    "not_ranked",
    "wrong_span",
]
"""What became of a question; `rag.eval.attribution` defines each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """A right answer, a passage that answers, or (`text` empty) a document that does.

    `document` is an id where the document is in the collection that was asked, else the name that
    the question's file has for it, or None where no document is named. `start` and `end` are
    half-open code point offsets in that document, or None. `grade` is how relevant a document is
    (1 where relevance has no grades).
    """

    text: str
    document: str | None
    start: int | None
    end: int | None
    grade: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CitationRecord:
    """A place that an answer cites.

    `verified` tells that the document's text at `start:end` is the quote, `holds_gold` that the
    quote contains a right answer or lies in a passage that answers.
    """

    document: str
    uri: str
    start: int
    end: int
    quote: str
    verified: bool
    holds_gold: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRecord:
    """A candidate answer, given or withheld; `sentence` is the one around its first citation.

    `sentence_start` is the offset of the sentence in that citation's document.
    `exact` and `f1` are those of the best fitting right answer, None where none is known; `right`
    is what counts as right (see `rag.eval.judging`), None for a question of documents.
    """

    text: str
    sentence: str
    sentence_start: int
    confidence: float
    citations: tuple[CitationRecord, ...]
    exact: float | None
    f1: float | None
    right: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HitRecord:
    """A passage that was retrieved; `excerpt` is its beginning, empty below the first five.

    `holds_gold` tells that the passage contains a right answer at its known place (in words where
    no place is known), most of a reference, or that its document is relevant.
    """

    document: str
    uri: str
    start: int
    end: int
    score: float
    holds_gold: bool
    excerpt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenRecord:
    """What the reader found in a passage that holds a right answer, with nothing to retrieve."""

    text: str
    exact: float
    f1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How good the best answer is, withheld or not, and the best of the first three."""

    exact: float
    f1: float
    best_exact: float
    best_f1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Words of the references, of the first five passages, and of the sentences that are cited.

    Those cited are the sentences around the first citation of each answer that was given. Words
    are counted by their places in the documents, each place once; `shared` counts those that the
    cited sentences and the references have in common as bags of words, whatever the place.
    """

    gold: int
    retrieved: int
    retrieved_gold: int
    cited: int
    cited_gold: int
    shared: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What was asked, expected, found and answered for one question.

    `cluster` names what questions share that are not independent of each other, such as their
    passage. `document_kind` is the media type of the first gold's document, None where that is not
    known. `answers` holds up to three candidates, best first, whether they were given or withheld;
    `confidence` is that of the first, 0.0 without any. Where `abstained`, `reason` is the
    abstention's. `hits` holds up to twenty passages, best first. `scores` is None where no right
    answer is known, `given` where no passage of one is, `overlap` for all but references, `cause`
    for questions of documents. `timings_ms` holds the stages' times and, as "total", their sum.
    """

    id: str
    question: str
    task: Task
    kind: Kind
    document_kind: str | None
    cluster: str
    answerable: bool
    golds: tuple[Gold, ...]
    answers: tuple[AnswerRecord, ...]
    confidence: float
    abstained: bool
    reason: str | None
    hits: tuple[HitRecord, ...]
    given: GivenRecord | None
    scores: Scores | None
    overlap: Overlap | None
    cause: Cause | None
    timings_ms: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskPoint:
    """Answering only at `confidence` or above: the share answered, and of those the share wrong."""

    confidence: float
    coverage: float
    risk: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Questions of like confidence: its mean, the share answered right, and how many they are."""

    confidence: float
    right: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Percentiles of a stage's time, in milliseconds."""

    p50: float
    p90: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the run took; it differs from run to run and is no part of a comparison.

    `latency` is by stage. `questions_per_second` counts one question at a time, from its stages'
    times. `peak_memory_bytes` is the process's, models and indexes included.
    """

    latency: dict[str, Latency]
    questions_per_second: float
    peak_memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The figures of a run; names of figures are those of `rag.eval.measures.MEASURES`.

    `settings` holds all that answers depend on and `fingerprint` its sha256. A figure that nothing
    was there to measure by is left out. `causes` are shares of the questions that have one.
    `risk_coverage` runs from the highest confidence to the lowest, in at most 201 points.
    """

    format: int
    settings: dict[str, str | int | float | None]
    fingerprint: str
    versions: dict[str, str]
    counts: dict[str, int]
    figures: dict[str, Figure]
    by_kind: dict[str, dict[str, Figure]]
    by_document_kind: dict[str, dict[str, Figure]]
    causes: dict[Cause, Figure]
    risk_coverage: tuple[RiskPoint, ...]
    reliability: tuple[ReliabilityBin, ...]
    cost: Cost


_RECORD: Final = msgspec.json.Decoder(Record)
_REPORT: Final = msgspec.json.Decoder(Report)


def encode_record(record: Record) -> bytes:
    """Return a record as one line of JSON, its line end included."""
    return msgspec.json.encode(record) + b"\n"


def read_records(directory: Path) -> Iterator[Record]:
    """Yield a run's records in order; raise BrokenFile, naming the line, for anything else."""
    file = directory / RECORDS
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    yield _RECORD.decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    raise BrokenFile(
                        f"{file}, line {number} is no record of an evaluation ({error}): run it "
                        "again into another directory."
                    ) from error
    except OSError as error:
        raise BrokenFile(
            f"{file} cannot be read ({error.strerror}): give the directory of an evaluation."
        ) from error


def write_report(report: Report, directory: Path) -> None:
    """Write `report.json` into a run's directory."""
    encoded = msgspec.json.format(msgspec.json.encode(report), indent=1)
    (directory / REPORT).write_bytes(encoded + b"\n")


def read_report(directory: Path) -> Report:
    """Read a run's `report.json`; raise BrokenFile for anything else."""
    file = directory / REPORT
    try:
        report = _REPORT.decode(file.read_bytes())
    except OSError as error:
        raise BrokenFile(
            f"{file} cannot be read ({error.strerror}): give the directory of an evaluation."
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BrokenFile(
            f"{file} is no report of an evaluation ({error}): run it again."
        ) from error
    if report.format != FORMAT:
        raise BrokenFile(
            f"{file} has format {report.format}, this version reads {FORMAT}: run the evaluation "
            "again."
        )
    return report
