"""`rag serve`: one process beside others on the same index, ended by a signal."""

import json
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from click.testing import Result

from tests import stores

Rag = Callable[..., Result]
Start = Callable[..., subprocess.Popen[str]]


def ready(process: subprocess.Popen[str]) -> str:
    """Wait for a service and return its address."""
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("Ready: http://127.0.0.1:"), line + process.stderr.read()
    return line.removeprefix("Ready: ").strip()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_service_answers_from_what_another_process_adds_and_ends_well(
    rag: Rag,
    start: Start,
    make_home: Callable[..., Path],
    tmp_path: Path,
    stop: signal.Signals,
) -> None:
    """The next question finds it, then not what was deleted; a signal ends it with status 0."""
    home = make_home(seeded=True)
    (tmp_path / "cats.txt").write_text("The cat Mimi sleeps on the red sofa.")
    with start("serve", "--port", 0, home=home) as process:
        url = ready(process)
        try:
            question = {"question": "Where does the cat Mimi sleep?", "answers": 1}
            before = httpx.post(f"{url}/v1/ask", json=question, timeout=60).json()
            assert "sofa" not in str(before)
            assert rag("ingest", tmp_path / "cats.txt", home=home).exit_code == 0
            after = httpx.post(f"{url}/v1/ask", json=question, timeout=60).json()
            assert after["generation"] == before["generation"] + 1
            assert "red sofa" in after["answers"][0]["text"]
            id_ = after["answers"][0]["citations"][0]["document"]["id"]
            assert rag("documents", "delete", id_, home=home).exit_code == 0
            gone = httpx.post(f"{url}/v1/ask", json=question, timeout=60).json()
            assert "sofa" not in str(gone)
            assert httpx.get(url).text.startswith("<!doctype html>")
        finally:
            process.send_signal(stop)
        output, errors = process.communicate(timeout=60)
        assert (process.returncode, output) == (0, "")
        logged = [json.loads(line) for line in errors.splitlines()]
        assert {(line["event"], line["level"], line["status"]) for line in logged} <= {
            ("request", "info", 200)
        }
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health/live")


def test_a_port_in_use_is_one_line(rag: Rag, seeded: Path) -> None:
    """It is told at once, before models are loaded, with what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = rag("serve", "--port", port, home=seeded)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: Cannot listen on 127.0.0.1 port {port}: ")
    assert "--port" in line


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"RAG_TREADS": "2"}, "Unknown setting RAG_TREADS"),
        ({"RAG_QUEUE": "none"}, "RAG_QUEUE must be"),
        ({"RAG_EMBEDDER": "/nowhere"}, "No embedder at /nowhere"),
        ({"RAG_CHUNK_TOKENS": "100"}, "rag reindex --collection default"),
    ],
)
def test_a_service_that_cannot_answer_does_not_start(
    rag: Rag, seeded: Path, settings: dict[str, str], message: str
) -> None:
    """One line on stderr that says what is wrong, and status 1."""
    result = rag("serve", "--port", 0, home=seeded, **settings)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert message in line


def test_damaged_files_are_one_line(
    rag: Rag, make_home: Callable[..., Path], tmp_path: Path
) -> None:
    """A store that is no database, and weights that are not what they should be."""
    home = make_home(seeded=True)
    stores.damage(home, "default")
    broken = rag("serve", "--port", 0, home=home)
    assert broken.exit_code == 1
    (line,) = broken.stderr.splitlines()
    assert ("store.sqlite" if stores.in_files() else "collection default") in line
    assert "is damaged" in line
    for name in ("modules.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / name).write_bytes(b"{")
    damaged = rag("serve", "--port", 0, home=make_home(seeded=False), RAG_EMBEDDER=str(tmp_path))
    assert damaged.exit_code == 1
    assert damaged.stderr.startswith("Error: ")
    assert len(damaged.stderr.splitlines()) == 1
