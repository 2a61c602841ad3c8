"""Opens the reader that a setting names."""

import json
from pathlib import Path

from rag.reading.window_reader import WindowReader


def open_window_reader(setting: str, *, cache: Path, threads: int) -> WindowReader:
    """Return a trained reader of this project or a checkpoint of others, by path or hub id.

    A checkpoint is converted into `cache` at its first use. Raises ModelError for what cannot be
    found or used.
    """
    directory = Path(setting).expanduser()
    if directory.is_dir() and not is_checkpoint(directory):
        from rag.reading.onnx import OnnxReader  # noqa: PLC0415  (loads ONNX Runtime)

        return OnnxReader(directory, threads=threads)
    from rag.reading.checkpoint import open_checkpoint  # noqa: PLC0415  (loads OpenVINO)

    return open_checkpoint(setting, cache=cache, threads=threads)


def is_checkpoint(directory: Path) -> bool:
    """Tell whether a directory holds a question answering model of transformers."""
    try:
        architectures = json.loads((directory / "config.json").read_bytes()).get("architectures")
    except (OSError, ValueError, AttributeError):
        return False
    return any("ForQuestionAnswering" in str(name) for name in architectures or ())
