"""Settings: environment variables `RAG_*`, read once at start; unknown ones are refused."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from rag.errors import SettingsError

PREFIX: Final = "RAG_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What can be set, each by the environment variable `RAG_` and the field's name in capitals.

    `home` is the directory of the index and of converted models. `embedder` is "minilm" or the path
    of a local sentence-transformers directory. `reader` is "trained" (the shipped one),
    "sentence" (whole sentences, without training), or the path of a directory with a trained one.
    `min_confidence` (0 to 1) withholds answers below it; None takes the reader's own threshold.
    `chunk_tokens` bounds a chunk, in the embedder's tokens. `threads` is how many the models use.
    `queue` bounds how many requests may wait for the models, `upload_bytes` an upload's size.
    """

    home: Path
    embedder: str
    reader: str
    min_confidence: float | None
    chunk_tokens: int
    threads: int
    queue: int
    upload_bytes: int


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of an environment; raise SettingsError naming what is wrong."""
    given = {key: value for key, value in environment.items() if key.startswith(PREFIX)}
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    if unknown := sorted(set(given) - known):
        raise SettingsError(
            f"Unknown setting {', '.join(unknown)}. Known are {', '.join(sorted(known))}."
        )
    confidence = given.get("RAG_MIN_CONFIDENCE", "")
    return Settings(
        home=Path(given.get("RAG_HOME") or ".rag").absolute(),
        embedder=given.get("RAG_EMBEDDER") or "minilm",
        reader=given.get("RAG_READER") or "trained",
        min_confidence=_real("RAG_MIN_CONFIDENCE", confidence) if confidence else None,
        chunk_tokens=_whole(given, "RAG_CHUNK_TOKENS", default=200, low=32, high=200),
        threads=_whole(given, "RAG_THREADS", default=_cores(), low=1, high=256),
        queue=_whole(given, "RAG_QUEUE", default=64, low=1, high=10_000),
        upload_bytes=_whole(
            given, "RAG_UPLOAD_BYTES", default=50_000_000, low=1_000, high=1_000_000_000
        ),
    )


def _cores() -> int:
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2, 8)


def _whole(given: Mapping[str, str], key: str, *, default: int, low: int, high: int) -> int:
    value = given.get(key, "")
    try:
        number = int(value) if value else default
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise SettingsError(f"{key} must be a whole number from {low} to {high}, not {value!r}.")
    return number


def _real(key: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= 1.0:
        raise SettingsError(f"{key} must be a number from 0 to 1, not {value!r}.")
    return number
