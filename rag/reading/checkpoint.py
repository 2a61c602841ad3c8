"""Readers of others: a Hugging Face question answering checkpoint, converted at its first use.

It must have a fast tokenizer and safetensors weights: nothing is unpickled, and no code of a
checkpoint is run. It runs on OpenVINO, which takes every architecture.
"""

import hashlib
import logging
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from rag.derived import Derivation, open_derived, sha256_of
from rag.embedding.quiet_openvino import compile_model, native_precision
from rag.errors import ModelError
from rag.reading.calibration import ROUGH
from rag.reading.window_reader import WindowReader, WindowScores
from rag.reading.windows import Window, WindowSize

# Raise it when the same checkpoint is converted differently than before.
RECIPE: Final = 1

MODEL: Final = "model.xml"
TOKENIZER: Final = "tokenizer.json"
CALIBRATION: Final = "calibration.json"

_HUB_ID: Final = re.compile(r"[\w-]+/[\w.-]+")
_WANTED: Final = ("*.json", "*.txt", "*.model", "*.safetensors")
_LONGEST: Final = 40
_SPANS: Final = 4
_LOG: Final = logging.getLogger(__name__)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What reading needs to know of a checkpoint beside its graph; `tokens` bounds a window."""

    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The files of a checkpoint; `sha256` is the digest of those that matter."""

    name: str
    directory: Path
    sha256: str


class CheckpointReader(WindowReader):
    """Reads passages with a converted checkpoint; `precision` is "bf16" or "f32"."""

    def __init__(
        self,
        directory: Path,
        facts: Facts,
        *,
        name: str,
        threads: int,
        precision: str = "",
    ) -> None:
        """Load a converted directory, in the CPU's fastest precision if none is given."""
        super().__init__(
            name=name,
            tokenizer=directory / TOKENIZER,
            window=WindowSize(tokens=facts.tokens),
            longest=_LONGEST,
            spans=_SPANS,
            calibration_file=directory / CALIBRATION,
            uncalibrated=ROUGH,
            threads=threads,
        )
        self._compiled = compile_model(
            directory / MODEL, threads=threads, precision=precision or native_precision()
        )
        self._requests = threading.local()

    def score(self, window: Window) -> WindowScores:
        """Run the network on one window; such a network does not judge the passage as a whole."""
        request = getattr(self._requests, "request", None)
        if request is None:
            request = self._requests.request = self._compiled.create_infer_request()
        request.infer([window.ids[np.newaxis], window.types[np.newaxis]])
        start, end = (
            np.array(request.get_output_tensor(place).data[0], np.float32) for place in (0, 1)
        )
        return WindowScores(start, end, 0.0)


def open_checkpoint(setting: str, *, cache: Path, threads: int) -> CheckpointReader:
    """Return the reader that a setting names: a directory, or a hub id where there is a network.

    It is kept converted in `cache`; until it is calibrated its confidence rests on the score alone.
    Raises ModelError for whatever cannot be found, loaded or converted.
    """
    checkpoint = find_checkpoint(setting)
    directory = cache / f"reader-{checkpoint.name}-{checkpoint.sha256[:16]}"

    def make(made: Path) -> Facts:
        from rag.reading.conversion import convert  # noqa: PLC0415  (loads torch)

        return convert(checkpoint, made)

    derivation = Derivation(
        source=checkpoint.sha256,
        recipe=RECIPE,
        files=(MODEL, "model.bin", TOKENIZER),
        facts=Facts,
        make=make,
        kept=(CALIBRATION,),  # of the checkpoint's scores, which every conversion has to give
    )
    facts = open_derived(directory, derivation)
    reader = CheckpointReader(
        directory,
        facts,
        name=f"{checkpoint.name}@{checkpoint.sha256[:8]}",
        threads=threads,
    )
    if reader.calibration is ROUGH:
        _LOG.warning(
            "%s has no calibration: its confidence is a rough guess. Fit one with "
            "`rag reader calibrate %s --data FILE`.",
            checkpoint.name,
            setting,
        )
    return reader


def find_checkpoint(setting: str) -> Checkpoint:
    """Return the files of a checkpoint, fetched if the setting is a hub id."""
    directory = Path(setting).expanduser()
    if directory.is_dir():
        name = directory.resolve().name
    elif _HUB_ID.fullmatch(setting):
        directory, name = _fetched(setting), setting.replace("/", "--")
    else:
        raise ModelError(
            f"There is no reader {setting!r}: give a directory with a trained reader or a question "
            "answering checkpoint, or a hub id such as organisation/name."
        )
    digest = hashlib.sha256()
    files = sorted(
        {file for pattern in _WANTED for file in directory.glob(pattern)}
        - {directory / CALIBRATION}
    )
    if directory / "config.json" not in files or not list(directory.glob("*.safetensors")):
        raise ModelError(
            f"{directory} is no question answering checkpoint: it needs config.json, a fast "
            "tokenizer and weights as safetensors (never pickled ones)."
        )
    for file in files:
        digest.update(f"{file.name} {sha256_of(file)}\n".encode())
    return Checkpoint(name=name, directory=directory, sha256=digest.hexdigest())


def _fetched(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415  (only a hub id needs it)

    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(_WANTED)))
    except Exception as error:  # a network's and a hub's errors have no common class
        raise ModelError(
            f"There is no directory {hub_id}, and fetching a reader of that id failed ({error}). "
            "Give the path of a checkpoint that was fetched before."
        ) from error
