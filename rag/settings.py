"""Settings: environment variables `RAG_*`, read once at start; unknown ones are refused."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

from rag.errors import SettingsError

PREFIX: Final = "RAG_"
DEFAULT_COLLECTION: Final = "default"
MIN_CHUNK_TOKENS: Final = 32
MAX_CHUNK_TOKENS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What can be set, each by the environment variable `RAG_` and the field's name in capitals.

    `home` is the directory of the index and of converted models. `store` is the address of a
    PostgreSQL database (postgresql://...) that keeps the index instead, or empty. `embedder` is
    "minilm" or the path of a local sentence-transformers directory. `reader` is "trained" (the
    shipped one), "sentence" (whole sentences, without training), or the path or hub id of a trained
    one, of this project or a question answering checkpoint of transformers.
    `min_confidence` (0 to 1) withholds answers below it; None takes the reader's own threshold.
    `chunk_tokens` bounds a chunk, in the embedder's tokens. `threads` is how many the models use.
    `queue` bounds how many requests may wait for the models, and how many uploads for their turn.
    `upload_bytes` bounds an upload's size; what has more than `job_bytes` is taken in by a job.
    `feedback_bytes` bounds the file of what people say of answers, `collections` how many
    collections are made. Reading a file may take
    `parse_seconds`, `parse_bytes` of memory, and give `parse_characters` a document. With less than
    `min_free_bytes` free on the disk nothing is added to an index; 0 turns that off.
    """

    home: Path
    store: str = field(repr=False)  # it may hold a password
    embedder: str
    reader: str
    min_confidence: float | None
    chunk_tokens: int
    threads: int
    queue: int
    upload_bytes: int
    job_bytes: int
    feedback_bytes: int
    collections: int
    parse_seconds: int
    parse_bytes: int
    parse_characters: int
    min_free_bytes: int


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
        store=_database(given.get("RAG_STORE", "")),
        embedder=given.get("RAG_EMBEDDER") or "minilm",
        reader=given.get("RAG_READER") or "trained",
        min_confidence=_real("RAG_MIN_CONFIDENCE", confidence) if confidence else None,
        chunk_tokens=_whole(
            given, "RAG_CHUNK_TOKENS", default=200, low=MIN_CHUNK_TOKENS, high=MAX_CHUNK_TOKENS
        ),
        threads=_whole(given, "RAG_THREADS", default=_cores(), low=1, high=256),
        queue=_whole(given, "RAG_QUEUE", default=64, low=1, high=10_000),
        upload_bytes=_whole(
            given, "RAG_UPLOAD_BYTES", default=50_000_000, low=1_000, high=1_000_000_000
        ),
        job_bytes=_whole(given, "RAG_JOB_BYTES", default=1_000_000, low=0, high=1_000_000_000),
        feedback_bytes=_whole(
            given, "RAG_FEEDBACK_BYTES", default=10_000_000, low=0, high=1_000_000_000
        ),
        collections=_whole(given, "RAG_COLLECTIONS", default=32, low=1, high=10_000),
        parse_seconds=_whole(given, "RAG_PARSE_SECONDS", default=15, low=1, high=3600),
        parse_bytes=_whole(given, "RAG_PARSE_BYTES", default=2**29, low=2**24, high=2**40),
        parse_characters=_whole(
            given, "RAG_PARSE_CHARACTERS", default=2_000_000, low=1_000, high=100_000_000
        ),
        min_free_bytes=_whole(given, "RAG_MIN_FREE_BYTES", default=200_000_000, low=0, high=10**15),
    )


def _database(value: str) -> str:
    if value and not value.startswith(("postgresql://", "postgres://")):
        raise SettingsError(
            "RAG_STORE must be the address of a database, postgresql://USER@HOST/DATABASE, or "
            "empty for an index in files."
        )
    return value


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
