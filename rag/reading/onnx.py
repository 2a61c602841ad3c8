"""The reader that ships: an int8 network on ONNX Runtime, without torch or transformers."""

import hashlib
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from rag.chunks import Chunk
from rag.errors import ModelError
from rag.reading.calibration import Calibration, load_calibration
from rag.reading.decoding import Scores, TextSpan, decode, keep_best
from rag.reading.reader import Span
from rag.reading.windows import Window, WindowCutter, WindowSize

SHIPPED = Path(__file__).parent / "model"
"""The model directory that comes with the package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderConfig:
    """`config.json` of a model directory.

    `sha256` is the checksum of `model.onnx`; spans have at most `longest` tokens, and a chunk gives
    at most `spans` of them.
    """

    name: str
    sha256: str
    window: WindowSize
    longest: int
    spans: int


def load_config(directory: Path) -> ReaderConfig:
    """Read a model directory's `config.json`; raises `ModelError` for anything else."""
    file = directory / "config.json"
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        return ReaderConfig(**{**stored, "window": WindowSize(**stored["window"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{file} does not describe a reader ({error!r}): install or train it again"
        raise ModelError(message) from error


class OnnxReader:
    """Reads passages with `model.onnx`, `tokenizer.json`, `calibration.json` of a directory.

    Windows run one at a time: int8 activations are scaled by the tensor, so in a batch a passage's
    scores would depend on its neighbours, and a batch would pay for padding. The windows of a
    question are shared out over `threads` threads instead. Any number of threads may call it.
    """

    def __init__(self, directory: Path = SHIPPED, *, threads: int = 2) -> None:
        """Load a model directory, and refuse a `model.onnx` that is not the one it describes."""
        self._config = load_config(directory)
        self._calibration = load_calibration(directory / "calibration.json")
        self._directory = directory
        network = _checked_bytes(directory / "model.onnx", self._config.sha256)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            network, options, providers=["CPUExecutionProvider"]
        )
        self._local = threading.local()
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "reader") if threads > 1 else None

    @property
    def name(self) -> str:
        """The reader's name and version, from its configuration."""
        return self._config.name

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
        for (number, window), (start, end, relevant) in zip(work, scored, strict=True):
            found[number] += decode(
                window,
                start,
                end,
                chunks[number].text,
                longest=self._config.longest,
                count=self._config.spans,
            )
            relevance[number] = max(relevance[number], relevant)
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
            for span in keep_best(found[number], self._config.spans)
        ]
        return sorted(spans, key=lambda span: (-span.score, span.chunk, span.start, span.end))

    def _run(self, windows: list[Window]) -> list[tuple[Scores, Scores, float]]:
        if self._pool is None or len(windows) < 2:
            return [self._score(window) for window in windows]
        # Longest first: the threads finish at about the same time.
        order = sorted(range(len(windows)), key=lambda row: -len(windows[row].ids))
        results = self._pool.map(self._score, [windows[row] for row in order])
        scored = dict(zip(order, results, strict=True))
        return [scored[row] for row in range(len(windows))]

    def _score(self, window: Window) -> tuple[Scores, Scores, float]:
        start, end, relevance = self._session.run(
            ("start", "end", "relevance"),
            {"ids": window.ids[np.newaxis], "types": window.types[np.newaxis]},
        )
        return start[0], end[0], float(relevance[0])

    def _cutter(self) -> WindowCutter:
        """Return this thread's own cutter: fast tokenizers must not be shared."""
        cutter: WindowCutter | None = getattr(self._local, "cutter", None)
        if cutter is None:
            cutter = WindowCutter(self._directory / "tokenizer.json", self._config.window)
            self._local.cutter = cutter
        return cutter


def _checked_bytes(file: Path, sha256: str) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        message = f"{file} cannot be read ({error}): install or train the reader again"
        raise ModelError(message) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        message = f"{file} is not the network that config.json describes: install it again"
        raise ModelError(message)
    return content
