"""The reader that ships: an int8 network on ONNX Runtime, without torch or transformers."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag.errors import ModelError
from rag.reading.quiet_onnxruntime import onnxruntime
from rag.reading.window_reader import WindowReader, WindowScores
from rag.reading.windows import Window, WindowSize

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


class OnnxReader(WindowReader):
    """Reads passages with `model.onnx`, `tokenizer.json`, `calibration.json` of a directory."""

    def __init__(self, directory: Path = SHIPPED, *, threads: int = 2) -> None:
        """Load a model directory, and refuse a `model.onnx` that is not the one it describes."""
        config = load_config(directory)
        super().__init__(
            name=config.name,
            tokenizer=directory / "tokenizer.json",
            window=config.window,
            longest=config.longest,
            spans=config.spans,
            calibration_file=directory / "calibration.json",
            threads=threads,
        )
        network = _checked_bytes(directory / "model.onnx", config.sha256)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            network, options, providers=["CPUExecutionProvider"]
        )

    def score(self, window: Window) -> WindowScores:
        """Run the network on one window."""
        start, end, relevance = self._session.run(
            ("start", "end", "relevance"),
            {"ids": window.ids[np.newaxis], "types": window.types[np.newaxis]},
        )
        return WindowScores(start[0], end[0], float(relevance[0]))


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
