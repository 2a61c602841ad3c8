"""Measure the page in Chromium: weight, first paint, and a document of two million characters.

`python tests/benchmarks/bench_page.py`: a service over the seeds and one large Markdown document,
which is stored with a single passage since only its text is read here. Next to the page's first
paint stands that of a page of one word, which is the browser's own share. On a machine that does
other work every time is too long.
"""

import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode

import httpx
import numpy as np
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from rag import catalog
from rag.chunks import Chunk
from rag.documents import Document
from rag.sources import read_bytes
from rag.store import NewDocument, SqliteStore

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
CHARACTERS = 2_000_000
NEEDLE = "The needle is number 73,004."
ROUNDS = 5
PAINTS = 15
VIEWPORT: ViewportSize = {"width": 1366, "height": 850}
EMPTY = b'<!doctype html><html lang="en"><title>Empty</title><p>Empty</p></html>'

WEIGHT = """() => performance.getEntries().filter(({ decodedBodySize, name }) => decodedBodySize
  && !name.includes("/v1/")).reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0)"""
PAINTED = """() => performance.getEntriesByName("first-contentful-paint").length > 0"""
# Milliseconds after the last byte of the document.
PAINT = """() => performance.getEntriesByName("first-contentful-paint")[0].startTime
  - performance.getEntriesByType("navigation")[0].responseEnd"""
LOADED = """() => Math.max(...performance.getEntriesByType("resource")
  .filter(({ name }) => name.endsWith(".js")).map(({ responseEnd }) => responseEnd))
  - performance.getEntriesByType("navigation")[0].responseEnd"""
# Cumulative layout shift, as of the Layout Instability API.
SHIFTS = """() => new Promise((resolve) => {
  let sum = 0;
  new PerformanceObserver((list) => {
    for (const { hadRecentInput, value } of list.getEntries()) sum += hadRecentInput ? 0 : value;
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => resolve(sum), 100);
})"""
# Milliseconds from the order to the frame in which the quote is in sight.
OPEN = """(hash) => new Promise((resolve) => {
  const began = performance.now();
  function look() {
    const mark = document.querySelector("#source mark")?.getBoundingClientRect();
    if (mark && mark.top > 0 && mark.bottom < innerHeight) resolve(performance.now() - began);
    else requestAnimationFrame(look);
  }
  location.hash = hash;
  requestAnimationFrame(look);
})"""
# Milliseconds between frames while three hundred half screens go by.
SCROLL = """() => new Promise((resolve) => {
  const text = document.querySelector("#source .text");
  const times = [];
  function step(now) {
    times.push(now);
    text.scrollBy(0, text.clientHeight / 2);
    if (times.length <= 300) requestAnimationFrame(step);
    else resolve(times.slice(1).map((time, at) => time - times[at]));
  }
  requestAnimationFrame(step);
})"""


def large_document() -> Document:
    """Return a Markdown document with a heading every few screens, the needle in its middle."""
    chance = random.Random(3)
    sentence = "the council met again and spoke about water roads schools bread winter light 😀"
    words = sentence.split()
    parts, length = [], 0
    while length < CHARACTERS - 1000:
        heading = f"## Section {len(parts)}\n\n" if len(parts) % 12 == 0 else ""
        needle = f"{NEEDLE} " if len(parts) == 1500 else ""
        parts.append(f"{heading}{needle}{' '.join(chance.choices(words, k=120))}.\n\n")
        length += len(parts[-1])
    (document,) = read_bytes("".join(parts).encode(), name="large.md", uri="bench:large.md")
    return document


def store(document: Document, *, directory: Path) -> None:
    """Put the document into a collection, with its beginning as its only passage."""
    text = document.text[:100]
    passage = Chunk(
        id=0,
        document=document.id,
        start=0,
        end=len(text),
        text=text,
        section=(),
        page=None,
        tokens=30,
    )
    row = np.zeros((1, 384), dtype=np.float32)
    row[0, 0] = 1
    opened = SqliteStore(directory, fingerprint=None, create=False)
    opened.put([NewDocument(document=document, chunks=[passage], vectors=row)])
    opened.close()


@contextmanager
def serving(home: Path, document: Document) -> Iterator[str]:
    """Give the address of a service over the seeds and the document."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAG_")}
    environment["RAG_HOME"] = str(home)
    command = [sys.executable, "-m", "rag.cli"]
    seeds = sorted(map(str, SEEDS.glob("*.md")))
    quiet = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*command, "ingest", *seeds], check=True, **quiet)
    store(document, directory=catalog.directory_of(home, "default"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([*command, "serve", "--port", str(port)], **quiet) as process:
        try:
            while True:
                if process.poll() is not None:
                    raise SystemExit(f"the service ended with {process.returncode}")
                try:
                    if httpx.get(f"{url}/health/ready").status_code == httpx.codes.OK:
                        break
                except httpx.TransportError:
                    pass  # it does not listen yet
                time.sleep(0.2)
            yield url
        finally:
            process.terminate()


class _Empty(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(EMPTY)))
        self.end_headers()
        self.wfile.write(EMPTY)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving_nothing() -> Iterator[str]:
    """Give the address of a page of one word."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Empty) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def measure_paint(browser: Browser, url: str) -> None:
    """Print when the page is painted first, in turns with an empty one; nothing is kept."""
    paints: list[float] = []
    empties: list[float] = []
    modules: list[float] = []
    shifts: list[float] = []
    with window(browser, url):
        pass  # the service has found its examples from now on
    with serving_nothing() as empty:
        for _ in range(PAINTS):
            with browser.new_context(viewport=VIEWPORT) as context:
                page = context.new_page()
                page.goto(empty)
                page.wait_for_function(PAINTED)
                empties.append(page.evaluate(PAINT))
            with window(browser, url) as page:
                paints.append(page.evaluate(PAINT))
                modules.append(page.evaluate(LOADED))
                shifts.append(page.evaluate(SHIFTS))
    print(f"first contentful paint, median of {PAINTS}, in milliseconds after the HTML")
    for name, times in (("the page", paints), ("an empty page", empties)):
        print(f"  {name:31} {statistics.median(times):.0f} ({min(times):.0f} to {max(times):.0f})")
    print(f"last module has come              {statistics.median(modules):.0f} ms after the HTML")
    print(f"cumulative layout shift           {max(shifts):.3f} at most")


@contextmanager
def window(browser: Browser, url: str) -> Iterator[Page]:
    """Give a window that has the page open and nothing of it kept from before."""
    context = browser.new_context(viewport=VIEWPORT)
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("#collection .citation")
    page.wait_for_load_state("networkidle")
    yield page
    context.close()


def measure(browser: Browser, url: str, document: Document) -> None:
    """Print a line a measurement, medians of some rounds."""
    start = document.text.index(NEEDLE)
    query = urlencode({"version": f"sha256:{document.sha256}"})
    first = f"#/d/{document.id}/{start}-{start + len(NEEDLE)}?{query}"
    second = f"#/d/{document.id}/{start - 90_000}-{start - 89_980}?{query}"
    colds, warms, frames, weight = [], [], [], 0
    for _ in range(ROUNDS):
        with window(browser, url) as page:
            weight = page.evaluate(WEIGHT)
            colds.append(page.evaluate(OPEN, first))
            page.wait_for_selector(".verified.valid")
            page.evaluate("document.querySelector('#source mark').remove()")
            warms.append(page.evaluate(OPEN, second))
            frames += page.evaluate(SCROLL)
    frames.sort()
    print(f"weight before the first question  {weight:,} bytes, as they are after decompression")
    print(f"{len(document.text):,} characters open at their citation")
    print(f"  for the first time              {statistics.median(colds):.0f} ms")
    print(f"  at another one                  {statistics.median(warms):.0f} ms")
    print(
        f"  scrolled through                {statistics.median(frames):.1f} ms a frame, "
        f"95% under {frames[int(len(frames) * 0.95)]:.0f}, longest {frames[-1]:.0f}"
    )


def main() -> None:
    """Serve, open a browser, measure."""
    document = large_document()
    path = shutil.which("chromium")
    if path is None:
        raise SystemExit("there is no chromium on this machine: install it to measure the page")
    with (
        tempfile.TemporaryDirectory() as directory,
        serving(Path(directory) / "home", document) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        measure_paint(browser, url)
        measure(browser, url, document)
        browser.close()


if __name__ == "__main__":
    main()
