"""What readers share that score the tokens of windows: cutting, decoding and threads."""

import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from rag.chunks import Chunk
from rag.reading.calibration import Calibration, load_calibration
from rag.reading.decoding import Scores, TextSpan, decode, keep_best
from rag.reading.reader import Span
from rag.reading.windows import Window, WindowCutter, WindowSize


class WindowScores(NamedTuple):
    """Scores of a window's tokens as start and end, (tokens,), and of the passage as a whole."""

    start: Scores
    end: Scores
    relevance: float


class WindowReader(ABC):
    """Reads passages window by window. Any number of threads may call it.

    Windows run one at a time: in a batch a passage's scores would depend on its neighbours, and a
    batch would pay for padding. The windows of a question are shared out over `threads` threads
    instead. Spans have at most `longest` tokens, and a chunk gives at most `spans` of them.
    `uncalibrated` stands in for `calibration_file` where that is not there.
    """

    def __init__(
        self,
        *,
        name: str,
        tokenizer: Path,
        window: WindowSize,
        longest: int,
        spans: int,
        calibration_file: Path,
        uncalibrated: Calibration | None = None,
        threads: int,
    ) -> None:
        self._name = name
        self._tokenizer = tokenizer
        self._window = window
        self._longest = longest
        self._spans = spans
        self.calibration_file: Final = calibration_file
        self._calibration: Final = (
            load_calibration(calibration_file)
            if uncalibrated is None or calibration_file.exists()
            else uncalibrated
        )
        self._local = threading.local()
        self._pool = ThreadPoolExecutor(threads, "reader") if threads > 1 else None

    @abstractmethod
    def score(self, window: Window) -> WindowScores:
        """Run the network on one window; called from several threads at once."""

    @property
    def name(self) -> str:
        """The reader's name and version."""
        return self._name

    @property
    def calibration(self) -> Calibration:
        """The calibration fitted for this reader."""
        return self._calibration

    def read(self, question: str, chunks: Sequence[Chunk]) -> list[Span]:
        """Return candidate spans over all chunks, best first; ties by chunk, start and end."""
        cut = self._cutter().cut(question, [chunk.text for chunk in chunks])
        work = [(number, window) for number, windows in enumerate(cut) for window in windows]
        scored = self._run([window for _, window in work])
        found: list[list[TextSpan]] = [[] for _ in chunks]
        relevance = [-np.inf] * len(chunks)
        for (number, window), scores in zip(work, scored, strict=True):
            found[number] += decode(
                window,
                scores.start,
                scores.end,
                chunks[number].text,
                longest=self._longest,
                count=self._spans,
            )
            relevance[number] = max(relevance[number], scores.relevance)
        asked = _words(question)
        spans = [
            Span(
                chunk=number,
                start=chunk.start + span.start,
                end=chunk.start + span.end,
                text=chunk.text[span.start : span.end],
                score=span.score,
                relevance=float(relevance[number]),
            )
            for number, chunk in enumerate(chunks)
            for span in keep_best(found[number], self._spans)
            if not _repeats(chunk.text[span.start : span.end], asked)
        ]
        return sorted(spans, key=lambda span: (-span.score, span.chunk, span.start, span.end))

    def _run(self, windows: list[Window]) -> list[WindowScores]:
        if self._pool is None or len(windows) < 2:
            return [self.score(window) for window in windows]
        # Longest first: the threads finish at about the same time.
        order = sorted(range(len(windows)), key=lambda row: -len(windows[row].ids))
        results = self._pool.map(self.score, [windows[row] for row in order])
        scored = dict(zip(order, results, strict=True))
        return [scored[row] for row in range(len(windows))]

    def _cutter(self) -> WindowCutter:
        """Return this thread's own cutter: fast tokenizers must not be shared."""
        cutter: WindowCutter | None = getattr(self._local, "cutter", None)
        if cutter is None:
            cutter = WindowCutter(self._tokenizer, self._window)
            self._local.cutter = cutter
        return cutter


def _repeats(text: str, asked: frozenset[str]) -> bool:
    """Tell whether a span only repeats words of the question, and so does not answer it.

    Of 1,659 labelled answers none did, and none of the reader's best spans that did was right. A
    question that offers a choice ("red or green?") is answered in its own words.
    """
    return "or" not in asked and _words(text) <= asked


def _words(text: str) -> frozenset[str]:
    words = re.findall(r"\w+", text.casefold())
    return frozenset(word.rstrip("s") for word in words) - {"a", "an", "the"}
