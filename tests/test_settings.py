"""Settings: what is known has its default and bounds, what is not is refused by name."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import SettingsError
from rag.settings import Settings, read_settings


def defaults() -> Settings:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    return Settings(
        home=Path.cwd() / ".rag",
        store="",
        store_read="",
        store_read_lag=0.0,
        models=None,
        embedder="minilm",
        reader="trained",
        min_confidence=None,
        chunk_tokens=200,
        threads=min(cores, 8),
        concurrency=2,
        queue=24,
        upload_bytes=50_000_000,
        job_bytes=1_000_000,
        feedback_bytes=10_000_000,
        collections=32,
        parse_seconds=15,
        parse_bytes=536_870_912,
        parse_characters=2_000_000,
        parse_pages=5_000,
        min_free_bytes=200_000_000,
        max_documents=100_000,
        keys=None,
        rate=None,
        hosts=(),
        origins=(),
        body_bytes=1_000_000,
        max_question=2_000,
        max_k=100,
        max_answers=20,
        max_batch=100,
        request_seconds=60,
        proxy=(),
        log=None,
        log_level="info",
        log_text=False,
    )


def test_an_empty_environment_gives_the_defaults() -> None:
    """Nothing set, and other programs' variables, leave every default."""
    assert read_settings({}) == defaults()
    assert read_settings({"PATH": "/bin", "RAGTIME": "1", "rag_home": "x"}) == defaults()


def test_empty_values_are_as_good_as_none() -> None:
    """A variable that is set to nothing leaves the default, for every setting."""
    names = [f"RAG_{name.upper()}" for name in Settings.__slots__]
    assert read_settings(dict.fromkeys(names, "")) == defaults()


@pytest.mark.parametrize(
    ("key", "value", "field", "expected"),
    [
        ("RAG_HOME", "/var/lib/rag", "home", Path("/var/lib/rag")),
        ("RAG_HOME", "here/there", "home", Path.cwd() / "here/there"),
        ("RAG_EMBEDDER", "/models/e5", "embedder", "/models/e5"),
        ("RAG_READER", "sentence", "reader", "sentence"),
        ("RAG_MIN_CONFIDENCE", "0", "min_confidence", 0.0),
        ("RAG_MIN_CONFIDENCE", "0.35", "min_confidence", 0.35),
        ("RAG_MIN_CONFIDENCE", "1", "min_confidence", 1.0),
        ("RAG_CHUNK_TOKENS", "32", "chunk_tokens", 32),
        ("RAG_CHUNK_TOKENS", "200", "chunk_tokens", 200),
        ("RAG_THREADS", "1", "threads", 1),
        ("RAG_CONCURRENCY", "64", "concurrency", 64),
        ("RAG_QUEUE", "10000", "queue", 10_000),
        ("RAG_UPLOAD_BYTES", "1000", "upload_bytes", 1000),
        ("RAG_FEEDBACK_BYTES", "0", "feedback_bytes", 0),
        ("RAG_JOB_BYTES", "0", "job_bytes", 0),
        ("RAG_COLLECTIONS", "1", "collections", 1),
        ("RAG_PARSE_SECONDS", "1", "parse_seconds", 1),
        ("RAG_PARSE_BYTES", "16777216", "parse_bytes", 16_777_216),
        ("RAG_PARSE_CHARACTERS", "1000", "parse_characters", 1000),
        ("RAG_MIN_FREE_BYTES", "0", "min_free_bytes", 0),
        ("RAG_MODELS", "/opt/models", "models", Path("/opt/models")),
        ("RAG_PROXY", "127.0.0.1, 10.0.0.0/8 ::1", "proxy", ("127.0.0.1", "10.0.0.0/8", "::1")),
        ("RAG_STORE_READ_LAG", "2.5", "store_read_lag", 2.5),
        ("RAG_LOG", "json", "log", "json"),
        ("RAG_LOG", "text", "log", "text"),
        ("RAG_LOG", "off", "log", "off"),
        ("RAG_LOG_LEVEL", "debug", "log_level", "debug"),
        ("RAG_LOG_LEVEL", "error", "log_level", "error"),
        ("RAG_LOG_TEXT", "on", "log_text", True),
        ("RAG_LOG_TEXT", "off", "log_text", False),
    ],
)
def test_a_setting_changes_its_field_alone(
    key: str, value: str, field: str, expected: object
) -> None:
    """Each variable sets the field of its name, its bounds included, and nothing else."""
    assert read_settings({key: value}) == replace(defaults(), **{field: expected})


def test_unknown_settings_are_refused_by_name() -> None:
    """All unknown ones are named, sorted, beside those that are known."""
    with pytest.raises(SettingsError) as caught:
        read_settings({"RAG_TREADS": "2", "RAG_HOME": "x", "RAG_": "", "RAG_queue": "3"})
    message = str(caught.value)
    assert message.startswith("Unknown setting RAG_, RAG_TREADS, RAG_queue. Known are ")
    for name in Settings.__slots__:
        assert f"RAG_{name.upper()}" in message


@pytest.mark.parametrize(
    ("key", "value", "bounds"),
    [
        ("RAG_MIN_CONFIDENCE", "1.01", "from 0 to 1"),
        ("RAG_MIN_CONFIDENCE", "-0.1", "from 0 to 1"),
        ("RAG_MIN_CONFIDENCE", "nan", "from 0 to 1"),
        ("RAG_MIN_CONFIDENCE", "half", "from 0 to 1"),
        ("RAG_CHUNK_TOKENS", "31", "from 32 to 200"),
        ("RAG_CHUNK_TOKENS", "201", "from 32 to 200"),
        ("RAG_CHUNK_TOKENS", "1e2", "from 32 to 200"),
        ("RAG_THREADS", "0", "from 1 to 256"),
        ("RAG_THREADS", "two", "from 1 to 256"),
        ("RAG_QUEUE", "-1", "from 1 to 10000"),
        ("RAG_UPLOAD_BYTES", "999", "from 1000 to 1000000000"),
        ("RAG_PARSE_SECONDS", "0", "from 1 to 3600"),
        ("RAG_PARSE_BYTES", "1000000", "from 16777216 to 1099511627776"),
        ("RAG_PARSE_CHARACTERS", "2e6", "from 1000 to 100000000"),
        ("RAG_UPLOAD_BYTES", "50.5", "from 1000 to 1000000000"),
        ("RAG_STORE_READ_LAG", "3601", "from 0 to 3600"),
        ("RAG_STORE_READ_LAG", "soon", "from 0 to 3600"),
        ("RAG_LOG", "yes", "json, text or off"),
        ("RAG_LOG_LEVEL", "INFO", "debug, info, warning or error"),
        ("RAG_LOG_TEXT", "true", "on or off"),
    ],
)
def test_a_bad_value_is_refused_with_its_name_and_bounds(key: str, value: str, bounds: str) -> None:
    """The message names the setting, what it may be and what it was."""
    with pytest.raises(SettingsError, match=rf"^{key} must be .*{bounds}, not '{value}'\.$"):
        read_settings({key: value})


def test_the_address_of_a_database_is_not_told() -> None:
    """It may hold a password, so neither the settings nor the refusal of another value show it."""
    address = "postgresql://anna:secret@example.org/index"
    found = read_settings({"RAG_STORE": address})
    assert found.store == address
    assert "secret" not in repr(found)
    with pytest.raises(SettingsError, match=r"RAG_STORE must be the address.*postgresql://") as e:
        read_settings({"RAG_STORE": "mysql://anna:secret@example.org/index"})
    assert "secret" not in str(e.value)


def test_a_standby_stands_by_a_database() -> None:
    """Its address is refused without the database's, and told as little."""
    standby = {"RAG_STORE_READ": "postgresql://anna:secret@example.org/standby"}
    with pytest.raises(SettingsError, match=r"^RAG_STORE_READ .* RAG_STORE no database.*Set both"):
        read_settings(standby)
    found = read_settings({"RAG_STORE": "postgresql://anna@example.org/index", **standby})
    assert found.store_read == standby["RAG_STORE_READ"]
    assert "secret" not in repr(found)
    with pytest.raises(SettingsError, match=r"^RAG_STORE_READ must be the address") as e:
        read_settings({"RAG_STORE": "postgresql://a", "RAG_STORE_READ": "mysql://anna:secret@b/c"})
    assert "secret" not in str(e.value)


@pytest.mark.parametrize("value", ["proxy.example.org", "10.0.0.1/8", "127.0.0.1:80", "*"])
def test_proxies_are_addresses(value: str) -> None:
    """Names, ports and everybody are refused: who is believed must be known."""
    with pytest.raises(
        SettingsError, match=r"^RAG_PROXY must list addresses such as 127\.0\.0\.1 "
    ):
        read_settings({"RAG_PROXY": value})
