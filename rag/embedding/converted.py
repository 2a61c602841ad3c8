"""Converted models on disk: a cache derived from weights, verified before a library reads it."""

import logging
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from rag.embedding.weights import Weights, sha256_of
from rag.errors import ModelError

# Raise it when the same weights are converted differently than before.
RECIPE: Final = 1

MODEL: Final = "model.xml"
TOKENIZER: Final = "tokenizer.json"
_FILES: Final = (MODEL, "model.bin", TOKENIZER)
_STAMP: Final = "stamp.json"
_LOG: Final = logging.getLogger(__name__)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What embedding needs to know of a model beside its graph.

    `limit` counts tokens with special ones; the prompts stand before each text.
    """

    dim: int
    limit: int
    pad: int
    question_prompt: str
    passage_prompt: str


class _Stamp(msgspec.Struct, frozen=True, kw_only=True):
    recipe: int
    source: str
    files: dict[str, str]
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A converted model whose files have just been verified."""

    weights: Weights
    directory: Path
    facts: Facts


def open_converted(weights: Weights, *, cache: Path) -> Converted:
    """Return the converted form of `weights`, from `cache` or made anew and kept there.

    What is damaged in the cache, or was made from other weights, is made anew. Raises ModelError
    where weights cannot be converted or the cache cannot be written.
    """
    directory = cache / f"{weights.name}-{weights.sha256[:16]}"
    converted = _read(weights, directory)
    if converted is not None:
        return converted
    try:
        _make(weights, directory)
    except OSError as error:
        converted = _read(weights, directory)  # another process may have been faster
        if converted is None:
            raise ModelError(f"Cannot keep the converted embedder in {cache}: {error}.") from error
        return converted
    converted = _read(weights, directory)
    if converted is None:
        raise ModelError(f"{directory} does not keep what is written to it: is the disk sound?")
    return converted


def _read(weights: Weights, directory: Path) -> Converted | None:
    """Return what lies in `directory`, or None where that cannot be used."""
    try:
        stamp = msgspec.json.decode((directory / _STAMP).read_bytes(), type=_Stamp)
        found = {name: sha256_of(directory / name) for name in _FILES}
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        _LOG.warning("%s is damaged (%s) and is made anew.", directory, error)
        return None
    if found != stamp.files:
        _LOG.warning("%s is damaged and is made anew.", directory)
        return None
    if (stamp.recipe, stamp.source) != (RECIPE, weights.sha256):
        return None
    return Converted(weights=weights, directory=directory, facts=stamp.facts)


def _make(weights: Weights, directory: Path) -> None:
    from rag.embedding.conversion import convert  # noqa: PLC0415  (loads torch)

    directory.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".making-", dir=directory.parent))
    try:
        facts = convert(weights, made)
        stamp = _Stamp(
            recipe=RECIPE,
            source=weights.sha256,
            files={name: sha256_of(made / name) for name in _FILES},
            facts=facts,
        )
        (made / _STAMP).write_bytes(msgspec.json.encode(stamp))
        for name in (*_FILES, _STAMP):
            _sync(made / name)
        _sync(made)
        if directory.exists():  # damaged or outdated: a directory cannot be renamed onto another
            directory.rename(made / "replaced")
        made.rename(directory)
        shutil.rmtree(directory / "replaced", ignore_errors=True)
        _sync(directory.parent)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
