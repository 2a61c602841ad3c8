"""What the README says is what happens: its commands are run and its output is compared."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = re.findall(r"^```sh\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
BIN = Path(sys.executable).parent


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RAG_")}
    return kept | {"PATH": f"{BIN}{os.pathsep}{kept['PATH']}", "NO_COLOR": "1"}


def block_with(text: str) -> str:
    (found,) = [block for block in SHELL if text in block]
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory like a fresh clone, as far as the commands need it."""
    directory = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "seeds", directory / "seeds")
    (directory / ".venv").mkdir()
    (directory / ".venv" / "bin").symlink_to(BIN)
    return directory


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[str]:
    """The address of a service as `make serve` starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    subprocess.run(
        [BIN / "rag", "ingest", *sorted(place.glob("seeds/*.md"))],
        cwd=place,
        env=environment(),
        check=True,
        capture_output=True,
    )
    process = subprocess.Popen(
        [BIN / "rag", "serve", "--port", str(port)], cwd=place, env=environment()
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/health/ready", timeout=5)  # noqa: S310
                break
            except OSError:
                assert process.poll() is None, "the service ended"
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0


def test_make_knows_the_two_commands() -> None:
    """`make serve` and `make test` stand in the README's first block and make knows how."""
    commands = [shlex.split(line, comments=True) for line in SHELL[0].splitlines()]
    assert commands == [["make", "serve"], ["make", "test"]]
    for command in commands:
        plan = subprocess.run(
            [*command, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert {"serve": "rag serve", "test": "pytest"}[command[1]] in plan.stdout


def test_curl_gives_the_output_shown(server: str) -> None:
    """The `curl` of the README gives the JSON printed below it, as far as that is printed."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = block_with("curl").replace("http://127.0.0.1:8000", server)
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    response = json.loads(done.stdout)
    (shown,) = re.findall(r"^```json\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    expected = json.loads(shown)
    for answer, shown_answer in zip(response["answers"], expected["answers"], strict=True):
        # Vectors differ by rounding from one kind of CPU to another, and confidence with them.
        assert answer.pop("confidence") == pytest.approx(shown_answer.pop("confidence"), abs=0.05)
    assert expected["answers"]
    assert {key: response[key] for key in expected} == expected


def test_rag_commands_run(server: str, place: Path) -> None:
    """Each `rag` command of the README runs beside the service and succeeds."""
    assert server
    blocks = block_with("rag ask") + block_with("rag snapshot create")
    commands = [line for line in blocks.splitlines() if line.strip()]
    assert len(commands) >= 8
    for command in commands:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=place,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def test_every_setting_is_documented() -> None:
    """The table of settings names each that exists, and no other."""
    from dataclasses import fields

    from rag.settings import PREFIX, Settings

    documented = set(re.findall(r"^\| `(RAG_\w+)`", README, flags=re.MULTILINE))
    assert documented == {PREFIX + field.name.upper() for field in fields(Settings)}


def test_every_route_is_documented() -> None:
    """The README names each path of the API."""
    from rag.api.routes import ROUTES

    for route in ROUTES:
        for path in route.paths:
            assert re.sub(r"\{(?:document_|job_)?(\w+):str\}", r"{\1}", path) in README
