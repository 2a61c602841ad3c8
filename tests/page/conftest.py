"""A real service over the seeds and a real browser; `PAGE_URL` names one that runs already."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Page,
    Request,
    expect,
    sync_playwright,
)

from tests.page.invented import give_examples

SEEDS: Final = Path(__file__).resolve().parents[2] / "seeds"
READY_SECONDS: Final = 180
PATIENCE_MS: Final = 20_000
FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RECORD_VIOLATIONS: Final = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


@pytest.fixture(scope="session")
def chromium() -> str:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on this machine: install it to test the page")
    return path


def _await_ready(url: str, *, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the service ended with {process.returncode}: {log.read_text()}")
        try:
            if httpx.get(f"{url}/health/ready", timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass  # it does not listen yet
        time.sleep(0.1)
    pytest.fail(f"the service was not ready after {READY_SECONDS} s: {log.read_text()}")


@pytest.fixture(scope="session")
def service_url(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a service over the seeds."""
    assert chromium
    if given := os.environ.get("PAGE_URL"):
        yield given.rstrip("/")
        return
    home = tmp_path_factory.mktemp("page")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAG_")}
    environment["RAG_HOME"] = str(home / "index")
    command = [sys.executable, "-m", "rag.cli"]
    seeds = sorted(map(str, SEEDS.glob("*.md")))
    subprocess.run([*command, "ingest", *seeds], env=environment, check=True, timeout=300)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, log = f"http://127.0.0.1:{port}", home / "serve.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*command, "serve", "--port", str(port)],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            _await_ready(url, process=process, log=log)
            yield url
        finally:
            process.terminate()


@pytest.fixture(scope="module")  # its event loop must not outlive the module: others have their own
def browser(chromium: str) -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def strays() -> list[str]:
    """Collect what no test may leave behind: requests to other origins, errors of scripts."""
    return []


@pytest.fixture
def page(browser: Browser, service_url: str, strays: list[str]) -> Iterator[Page]:
    """Open a window that is not yet at the page; it must keep its origin and its policy."""
    context = browser.new_context(base_url=service_url, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(RECORD_VIOLATIONS)
    page = context.new_page()
    give_examples(page)  # finding them keeps the models busy, anew after each change of documents

    def watch(request: Request) -> None:
        if not request.url.startswith((f"{service_url}/", "data:")):
            strays.append(request.url)

    def threw(error: Error) -> None:
        strays.append(f"uncaught: {error}")

    def printed(message: ConsoleMessage) -> None:
        # Chromium reports every failed request as an error; these tests make some fail on purpose.
        if message.type == "error" and "Failed to load resource" not in message.text:
            strays.append(f"console: {message.text}")

    page.on("request", watch)
    page.on("pageerror", threw)
    page.on("console", printed)
    yield page
    violations = page.evaluate("window.violations ?? []")
    context.close()
    assert violations == []
    assert strays == []


@pytest.fixture
def barriers(page: Page) -> Callable[[], list[str]]:
    """Return a function that names the rules of axe-core which the page breaks, and where."""

    def find() -> list[str]:
        page.wait_for_function("() => document.getAnimations().length === 0")
        page.evaluate(AXE_SCRIPT)  # evaluated, not inserted: the page's policy stays as it is
        found = page.evaluate("axe.run().then(({violations}) => violations)")
        return [f"{it['id']}: {node['target']}" for it in found for node in it["nodes"]]

    return find
