"""Settings: environment variables `RAG_*`, read once at start; unknown ones are refused."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_network
from pathlib import Path
from typing import Final, Literal, TypeVar

from rag.errors import SettingsError

PREFIX: Final = "RAG_"
DEFAULT_COLLECTION: Final = "default"
MIN_CHUNK_TOKENS: Final = 32
MAX_CHUNK_TOKENS: Final = 200

_HOST: Final = re.compile(r"(?:[a-z0-9][a-z0-9.-]*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_ORIGIN: Final = re.compile(rf"https?://{_HOST.pattern}")

Choice = TypeVar("Choice", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What can be set, each by the environment variable `RAG_` and the field's name in capitals.

    `home` is the directory of the index and of all else that is kept. `store` is the address of a
    PostgreSQL database (postgresql://...) that keeps the index instead, or empty; the rest stays in
    the home, as `rag.asgi` says. `store_read` is that of a standby of it, or empty, from which is
    read what the database itself had `store_read_lag` seconds ago or less.

    `models` is the directory of converted models; None is one in `home`. `embedder` is "minilm" or
    the path of a local sentence-transformers directory. `reader` is "trained" (the shipped one),
    "sentence" (whole sentences, without training), or the path or hub id of a trained one, of this
    project or a question answering checkpoint of transformers.
    `min_confidence` (0 to 1) withholds answers below it; None takes the reader's own threshold.
    `chunk_tokens` bounds a chunk, in the embedder's tokens. `threads` is how many the models use.
    `concurrency` is how many questions are answered at once.
    `queue` bounds how many requests may wait for the models, and how many uploads for their turn.
    `upload_bytes` bounds an upload's size; what has more than `job_bytes` is taken in by a job.
    `feedback_bytes` bounds the file of what people say of answers, `collections` how many
    collections are made. Reading a file may take
    `parse_seconds`, `parse_bytes` of memory, and give `parse_characters` a document. With less than
    `min_free_bytes` free on the disk nothing is added to an index; 0 turns that off. `parse_pages`
    bounds the pages of a PDF, `max_documents` the documents of a collection.

    `keys` tells whether requests need a key; None leaves it to the address that is listened on.
    `rate` is how many requests a minute one key, or one address, may make; None leaves it to the
    address, 0 is no bound. `hosts` are the names, beside those of this machine, that requests may
    call the service by, `origins` those of other sites' pages that may use it. `body_bytes` bounds
    JSON bodies but those of documents, `max_question` a question in characters, `max_k`,
    `max_answers` and `max_batch` what a request may ask for. It may take `request_seconds`.

    `proxy` lists the addresses of proxies, which are believed from where a request comes. `log` is
    the form of the log; None takes text for a terminal and JSON for the rest. `log_level` is the
    least that is logged, `log_text` lets words of questions and documents into it.
    """

    home: Path
    store: str = field(repr=False)  # it may hold a password
    store_read: str = field(repr=False)
    store_read_lag: float
    models: Path | None
    embedder: str
    reader: str
    min_confidence: float | None
    chunk_tokens: int
    threads: int
    concurrency: int
    queue: int
    upload_bytes: int
    job_bytes: int
    feedback_bytes: int
    collections: int
    parse_seconds: int
    parse_bytes: int
    parse_characters: int
    parse_pages: int
    min_free_bytes: int
    max_documents: int
    keys: Literal["on", "off"] | None
    rate: int | None
    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    body_bytes: int
    max_question: int
    max_k: int
    max_answers: int
    max_batch: int
    request_seconds: int
    proxy: tuple[str, ...]
    log: Literal["json", "text", "off"] | None
    log_level: Literal["debug", "info", "warning", "error"]
    log_text: bool

    @property
    def model_cache(self) -> Path:
        """Where converted models lie."""
        return self.models or self.home / "models"


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of an environment; raise SettingsError naming what is wrong."""
    given = {key: value for key, value in environment.items() if key.startswith(PREFIX)}
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    if unknown := sorted(set(given) - known):
        raise SettingsError(
            f"Unknown setting {', '.join(unknown)}. Known are {', '.join(sorted(known))}."
        )
    confidence = given.get("RAG_MIN_CONFIDENCE", "")
    lag = given.get("RAG_STORE_READ_LAG", "")
    return Settings(
        home=Path(given.get("RAG_HOME") or ".rag").absolute(),
        store=_database("RAG_STORE", given.get("RAG_STORE", "")),
        store_read=_standby(given),
        store_read_lag=_real("RAG_STORE_READ_LAG", lag, high=3600.0) if lag else 0.0,
        models=Path(given["RAG_MODELS"]).absolute() if given.get("RAG_MODELS") else None,
        embedder=given.get("RAG_EMBEDDER") or "minilm",
        reader=given.get("RAG_READER") or "trained",
        min_confidence=_real("RAG_MIN_CONFIDENCE", confidence) if confidence else None,
        chunk_tokens=_whole(
            given, "RAG_CHUNK_TOKENS", default=200, low=MIN_CHUNK_TOKENS, high=MAX_CHUNK_TOKENS
        ),
        threads=_whole(given, "RAG_THREADS", default=_cores(), low=1, high=256),
        concurrency=_whole(given, "RAG_CONCURRENCY", default=2, low=1, high=64),
        queue=_whole(given, "RAG_QUEUE", default=24, low=1, high=10_000),
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
        parse_pages=_whole(given, "RAG_PARSE_PAGES", default=5_000, low=1, high=50_000),
        min_free_bytes=_whole(given, "RAG_MIN_FREE_BYTES", default=200_000_000, low=0, high=10**15),
        max_documents=_whole(given, "RAG_MAX_DOCUMENTS", default=100_000, low=1, high=10**9),
        keys=_choice(given, "RAG_KEYS", "on", "off"),
        rate=_whole(given, "RAG_RATE", default=0, low=0, high=10**6)
        if given.get("RAG_RATE")
        else None,
        hosts=_names(given, "RAG_HOSTS", form=_HOST, example="rag.example.org"),
        origins=_names(given, "RAG_ORIGINS", form=_ORIGIN, example="https://example.org"),
        body_bytes=_whole(given, "RAG_BODY_BYTES", default=1_000_000, low=1_000, high=10**9),
        max_question=_whole(given, "RAG_MAX_QUESTION", default=2_000, low=1, high=2_000),
        max_k=_whole(given, "RAG_MAX_K", default=100, low=1, high=100),
        max_answers=_whole(given, "RAG_MAX_ANSWERS", default=20, low=1, high=20),
        max_batch=_whole(given, "RAG_MAX_BATCH", default=100, low=1, high=100),
        request_seconds=_whole(given, "RAG_REQUEST_SECONDS", default=60, low=1, high=3600),
        proxy=_networks(given, "RAG_PROXY"),
        log=_choice(given, "RAG_LOG", "json", "text", "off"),
        log_level=_choice(given, "RAG_LOG_LEVEL", "debug", "info", "warning", "error") or "info",
        log_text=_choice(given, "RAG_LOG_TEXT", "on", "off") == "on",
    )


def _database(key: str, value: str) -> str:
    if value and not value.startswith(("postgresql://", "postgres://")):
        raise SettingsError(
            f"{key} must be the address of a database, postgresql://USER@HOST/DATABASE, or "
            f"empty{' for an index in files' if key == 'RAG_STORE' else ''}."
        )
    return value


def _standby(given: Mapping[str, str]) -> str:
    value = _database("RAG_STORE_READ", given.get("RAG_STORE_READ", ""))
    if value and not given.get("RAG_STORE"):
        raise SettingsError(
            "RAG_STORE_READ names a standby, but RAG_STORE no database that it stands by. Set both."
        )
    return value


def _choice(given: Mapping[str, str], key: str, *choices: Choice) -> Choice | None:
    value = given.get(key, "")
    if not value:
        return None
    for choice in choices:
        if choice == value:
            return choice
    raise SettingsError(f"{key} must be {', '.join(choices[:-1])} or {choices[-1]}, not {value!r}.")


def _networks(given: Mapping[str, str], key: str) -> tuple[str, ...]:
    addresses = tuple(given.get(key, "").replace(",", " ").split())
    for address in addresses:
        try:
            ip_network(address)
        except ValueError as error:
            raise SettingsError(
                f"{key} must list addresses such as 127.0.0.1 or networks such as 10.0.0.0/8 with "
                f"spaces between them; {address!r} is none."
            ) from error
    return addresses


def _names(
    given: Mapping[str, str], key: str, *, form: re.Pattern[str], example: str
) -> tuple[str, ...]:
    names = tuple(name.lower() for name in given.get(key, "").replace(",", " ").split())
    if wrong := [name for name in names if not form.fullmatch(name)]:
        raise SettingsError(
            f"{key} must list names such as {example} with spaces between them; {wrong[0]!r} is "
            "none."
        )
    return names


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


def _real(key: str, value: str, *, high: float = 1.0) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= high:
        raise SettingsError(f"{key} must be a number from 0 to {high:g}, not {value!r}.")
    return number
