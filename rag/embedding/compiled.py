"""The default embedder: the model converted to OpenVINO, in the CPU's fastest faithful precision.

Measured against sentence-transformers in float32 (`tests/benchmarks/bench_embedding.py`), on a CPU
with AMX: in bfloat16 four times as fast, the cosine between the two .9999 at least, and as many of
1,000 questions answered by the first passage; in float32 1.7 times as fast. 8-bit ONNX was slower
than bfloat16, and its cosine .985.
"""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from rag.embedding.converted import MODEL, TOKENIZER, Converted, open_converted
from rag.embedding.quiet_openvino import compile_model, native_precision, ov
from rag.embedding.tokens import Tokens
from rag.embedding.weights import Weights

_BATCH: Final = 4
# Lengths are rounded up to a multiple of this many tokens. OpenVINO keeps what it prepares for a
# shape, about a megabyte: 200 MB and more for the lengths of ordinary texts, which is slower, too.
_STEP: Final = 16
# Texts are sorted by length within slices of this many, which bounds the memory for their tokens.
_SLICE: Final = 1024

_Running: TypeAlias = tuple[ov.InferRequest, list[int]]


class CompiledEmbedder:
    """Embeds by OpenVINO: bfloat16 on CPUs that compute in it, float32 on all others.

    `precision` is "bf16" or "f32"; without it the CPU decides. Loads neither torch nor
    transformers.
    """

    def __init__(self, converted: Converted, *, threads: int, precision: str = "") -> None:
        facts = converted.facts
        self.name: Final = converted.weights.name
        self.fingerprint: Final = converted.weights.sha256
        self.dim: Final = facts.dim
        self.tokens: Final = Tokens(converted.directory / TOKENIZER, limit=facts.limit)
        self._facts: Final = facts
        self.precision: Final = precision or native_precision()
        compiled = compile_model(
            converted.directory / MODEL, threads=threads, precision=self.precision
        )
        # One thread a request scales better than many threads on the small matrices of one.
        self._bulk: Final = [compiled.create_infer_request() for _ in range(threads)]
        self._bulk_lock: Final = threading.Lock()
        self._single: Final = compiled.create_infer_request()
        self._single_lock: Final = threading.Lock()

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return unit rows, float32 (len(texts), dim), in the order given."""
        rows = np.zeros((len(texts), self.dim), np.float32)
        with self._bulk_lock:
            for first in range(0, len(texts), _SLICE):
                prompted = [
                    self._facts.passage_prompt + text for text in texts[first : first + _SLICE]
                ]
                self._embed(self.tokens.ids(prompted), rows[first : first + _SLICE])
        return rows

    def embed_question(self, text: str) -> npt.NDArray[np.float32]:
        """Return one unit vector, float32 (dim,)."""
        ids = self.tokens.ids([self._facts.question_prompt + text])
        with self._single_lock:
            self._single.infer(self._inputs(ids))
            return np.array(self._single.get_output_tensor(0).data[0], np.float32)

    def _embed(self, ids: list[list[int]], rows: npt.NDArray[np.float32]) -> None:
        """Write the vectors of `ids` into `rows`, keeping all requests at work."""
        running: deque[_Running] = deque()
        idle = list(self._bulk)
        try:
            for batch in _batches(ids):
                if not idle:
                    idle.append(_finish(running, rows))
                request = idle.pop()
                request.start_async(self._inputs([ids[i] for i in batch]), share_inputs=False)
                running.append((request, batch))
        finally:
            while running:
                _finish(running, rows)

    def _inputs(self, ids: list[list[int]]) -> list[npt.NDArray[np.int64]]:
        longest = max(map(len, ids))
        shape = (len(ids), min(longest + -longest % _STEP, self._facts.limit))
        tokens = np.full(shape, self._facts.pad, np.int64)
        mask = np.zeros(shape, np.int64)
        for row, text in enumerate(ids):
            tokens[row, : len(text)] = text
            mask[row, : len(text)] = 1
        return [tokens, mask]


def open_embedder(weights: Weights, *, cache: Path, threads: int) -> CompiledEmbedder:
    """Return the default embedder for `weights`, which are converted into `cache` at first use."""
    return CompiledEmbedder(open_converted(weights, cache=cache), threads=threads)


def _batches(ids: list[list[int]]) -> Iterator[list[int]]:
    """Yield positions in groups of about equal lengths, so that little is spent on padding.

    What fills no group comes one by one: groups of every size would be as many times more shapes.
    """
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]), reverse=True)
    full = len(order) - len(order) % _BATCH
    for first in range(0, full, _BATCH):
        yield order[first : first + _BATCH]
    for position in order[full:]:
        yield [position]


def _finish(running: deque[_Running], rows: npt.NDArray[np.float32]) -> ov.InferRequest:
    """Wait for the oldest request, keep its vectors and return it."""
    request, batch = running.popleft()
    request.wait()
    rows[batch] = request.get_output_tensor(0).data
    return request
