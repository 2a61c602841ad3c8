"""The seam between retrieval and reading: what a reader takes and gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rag.chunks import Chunk
from rag.reading.calibration import Calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A candidate answer inside one chunk.

    `chunk` is the position of its chunk in the sequence given to the reader. `start` and `end` are
    half-open code point offsets in the chunk's document, and `text` is the document's text between
    them. `score`: higher is better, comparable over all chunks of one question and with nothing
    else. `relevance` tells how much the passage as a whole looks like one that answers the
    question; 0.0 from readers that do not judge that.
    """

    chunk: int
    start: int
    end: int
    text: str
    score: float
    relevance: float


class Reader(Protocol):
    """Finds spans in passages that answer a question.

    Implementations are deterministic: the same question and chunks give the same spans, and a
    chunk's spans do not depend on which other chunks are read with it. They may be called from
    several threads at once.
    """

    @property
    def name(self) -> str:
        """Names the reader and its version, as part of what an answer depends on."""
        ...

    @property
    def calibration(self) -> Calibration:
        """Turns an answer's evidence into a probability that it is right, for this reader."""
        ...

    def read(self, question: str, chunks: Sequence[Chunk]) -> list[Span]:
        """Return candidate spans over all chunks, best first; ties by chunk, start and end.

        Every span lies inside its chunk. At most a handful per chunk; none where a reader sees no
        candidate at all.
        """
        ...
