"""What is known of a job."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind = Literal["file", "text"]
Status = Literal["waiting", "running", "interrupted", "done", "failed", "cancelled"]

OPEN: Final[tuple[Status, ...]] = ("waiting", "running", "interrupted")

# Is told how many of how many chunks are embedded; what it raises ends the work.
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What is to be taken in: the file `name`, or a text as `rag.jobs.work` encodes it.

    Its documents are known by `uri`, or by uris that begin with it.
    """

    collection: str
    kind: Kind
    name: str
    uri: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An upload's way into its collection.

    `sha256` and `size` are those of the upload's bytes. `chunks` is None until they are counted,
    `generation` and `documents` until it is done: the generation from which on all of it is there,
    and how many documents that are. Times are UTC (ISO 8601).
    """

    id: str
    collection: str
    kind: Kind
    name: str
    uri: str
    size: int
    sha256: str
    status: Status
    created: str
    embedded: int = 0
    chunks: int | None = None
    error: str | None = None
    generation: int | None = None
    documents: int | None = None
    finished: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a job's work."""

    generation: int
    documents: int
