"""How a server starts and stops: states, signals under load, one server a home."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from click.testing import Result

from rag.cli.one_server import FILE_NAME
from rag.cli.serve import _listen
from tests.load.serving import ROOT, Service, environment, serving
from tests.load.stopping import lost, stop_under_load

FAKE = "tests.cli.fake_rag"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.mark.parametrize("seed", range(3))
def test_a_signal_under_load_loses_and_cuts_nothing(home: Path, seed: int) -> None:
    """Exit status 0 within 10 s; all that was acknowledged is there, each response whole."""
    with serving(home, module=FAKE) as service:
        stopped = asyncio.run(stop_under_load(service, after=0.1 * seed, seed=seed))
        log = service.log.read_text(encoding="utf-8")
    assert stopped.status == 0, log
    assert stopped.seconds < 10
    assert (stopped.cut, stopped.strange) == ([], [])
    assert lost(home, stopped) == []
    assert "Traceback" not in log


def get(service: Service, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{service.port}{path}", timeout=20) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_it_answers_live_while_it_loads_and_can_be_stopped_then(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live and the page at once, all else 503 `loading`; SIGTERM ends it while it loads."""
    monkeypatch.setenv("FAKE_LOADING_SECONDS", "60")
    monkeypatch.setattr("tests.load.serving._await", lambda _: None)
    with serving(home, module=FAKE) as service:
        end = time.monotonic() + 60
        while True:  # the port opens first of all, the interpreter loads the rest
            try:
                assert get(service, "/health/live")[0] == 200
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.05)
        assert get(service, "/")[0] == 200
        status, body = get(service, "/health/ready")
        assert (status, json.loads(body)["status"]) == (503, "loading")
        status, body = get(service, "/v1/documents")
        assert (status, json.loads(body)["type"]) == (503, "urn:chapterverse:problem:loading")
        status, seconds = service.stop()
        assert status == 0, service.log.read_text(encoding="utf-8")
        assert seconds < 10


def test_a_second_signal_while_draining_changes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was accepted is answered, although SIGTERM comes again; new requests are refused."""
    monkeypatch.setenv("FAKE_QUESTION_SECONDS", "1.5")
    with serving(home, module=FAKE) as service:
        command = [
            *("curl", "-s", "-w", "\n%{http_code}", "-H", "Content-Type: application/json"),
            *("-d", '{"question": "Who?"}', f"http://127.0.0.1:{service.port}/v1/ask"),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asked:
            time.sleep(0.5)
            service.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            status, body = get(service, "/health/ready")
            assert (status, json.loads(body)["status"]) == (503, "draining")
            status, body = get(service, "/v1/documents")
            assert (status, json.loads(body)["type"]) == (503, "urn:chapterverse:problem:draining")
            service.process.send_signal(signal.SIGTERM)
            output = asked.communicate(timeout=20)[0]
        assert output.endswith("\n200")
        assert service.process.wait(20) == 0


def test_a_second_server_on_a_home_is_refused_by_name_of_the_first(home: Path) -> None:
    """One line with its process, address and start; the home is free again after a kill."""
    with serving(home, module=FAKE) as service:
        second = subprocess.run(
            [sys.executable, "-m", FAKE, "serve", "--port", "0"],
            cwd=ROOT,
            env=environment(home),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        told = json.loads((home / FILE_NAME).read_text(encoding="utf-8"))
        assert (second.returncode, second.stdout) == (1, "")
        (line,) = second.stderr.splitlines()
        assert f"is served already by process {service.process.pid}" in line
        assert f"at http://127.0.0.1:{service.port}, started {told['started']}" in line
        assert get(service, "/v1/documents")[0] == 200
        service.process.kill()
        service.process.wait()
    with serving(home, module=FAKE) as service:
        assert service.stop()[0] == 0
    assert (home / FILE_NAME).read_text(encoding="utf-8") == ""


def test_what_is_written_on_the_lock_is_no_longer_needed_than_the_lock(
    rag: Callable[..., Result], tmp_path: Path
) -> None:
    """A name that a killed server left behind keeps nobody out."""
    (tmp_path / FILE_NAME).write_text('{"pid": 1, "url": "http://nowhere", "started": "long ago"}')
    result = rag("serve", "--port", 0, home=tmp_path, RAG_EMBEDDER="/nowhere")
    assert result.exit_code == 1
    assert "No embedder at /nowhere" in result.stderr


def test_what_is_sent_does_not_wait_for_what_was_sent_before() -> None:
    """Connections are made without Nagle's delay: 40 ms a response, since its head goes first."""
    with (
        _listen("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
