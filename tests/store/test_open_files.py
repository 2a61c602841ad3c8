"""Where no more files can be opened: a clear error, the state before, and all goes on afterwards.

Each act is tried with no descriptor left, then with one, until it has as many as it needs.
"""

import errno
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import pytest

from rag import catalog, snapshots
from rag.errors import BeyondLimit, Busy, StoreError
from rag.jobs import Job, JobQueue, JobRunner, Progress, Upload
from rag.jobs.job import Outcome
from rag.sources.isolation import IsolatedParser
from rag.sources.limits import Limits
from rag.store import SqliteStore, Store
from tests.descriptors import descriptors_left, open_descriptors
from tests.fakes import make_document, ready
from tests.store.conformance.opening import content
from tests.store.faults import injected

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="asks /proc"),
    # What cannot be opened apsw tells Python's hook for unraisable errors, beside raising it.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ADVICE: Final = re.compile("limits? of open files")
MOST: Final = 40
PATIENCE: Final = 30.0
LIMITS: Final = Limits(seconds=15, memory=2**28, characters=1000, pages=100)
UPLOAD: Final = Upload(
    collection="default", kind="file", name="a.txt", uri="upload:a.txt", data=b"Ants march."
)

T = TypeVar("T")


def refused(act: Callable[[], T], *, after: Callable[[], object] = lambda: None) -> tuple[int, T]:
    """Act with ever more descriptors until that works; return how often it did not, and what came.

    Each failure says what to do and leaves nothing open; `after` looks at what is there then.
    """
    # Of a file that another connection has open SQLite keeps a descriptor or two to use again.
    most = open_descriptors() + 2
    for left in range(MOST):
        try:
            with descriptors_left(left):
                return left, act()
        except (StoreError, Busy) as error:
            message = str(error)
        assert ADVICE.search(message), message
        assert open_descriptors() <= most
        after()
    pytest.fail(f"not even with {MOST} descriptors")


def put(store: Store, n: int) -> int:
    return store.put(ready(make_document(f"line {n}\nline", uri=f"file:{n}")))


def texts(store: Store) -> list[str]:
    with store.snapshot() as snapshot:
        return [text for _, _, text, _, _ in content(snapshot).values()]


def test_a_store_is_made_and_opened_or_neither(tmp_path: Path) -> None:
    """A failure leaves no store, or the one there was."""
    directory = tmp_path / "index"
    failures, made = refused(lambda: SqliteStore(directory, fingerprint="f"))
    assert failures > 3  # the file, its journal or log, the directory
    assert put(made, 1) == 1
    made.close()
    assert {path.name for path in directory.iterdir()} == {"store.sqlite", "store.generation"}

    failures, opened = refused(lambda: SqliteStore(directory, fingerprint="f"))
    assert failures > 2
    assert texts(opened) == ["line 1", "line"]
    assert put(opened, 2) == 2
    opened.close()


def test_a_store_that_is_open_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Writing and reading need no other files; what cannot be noted beside it is later."""
    store = SqliteStore(tmp_path, fingerprint="f")
    put(store, 1)
    assert texts(store) == ["line 1", "line"]
    with descriptors_left(0), caplog.at_level(logging.WARNING):
        assert put(store, 2) == 2
        assert texts(store) == ["line 1", "line", "line 2", "line"]
        with store.snapshot() as held, pytest.raises(StoreError, match=ADVICE), store.snapshot():
            assert held.generation == 2
    assert "generation could not be noted" in caplog.text
    assert (tmp_path / "store.generation").read_bytes().split(b" ")[1] == b"1"
    assert put(store, 3) == 3
    assert (tmp_path / "store.generation").read_bytes().split(b" ")[1] == b"3"
    store.close()


def test_a_write_that_needs_another_connection_fails_clearly(tmp_path: Path) -> None:
    """After a sync that failed the next write has a new one, or is refused; reading goes on."""
    with injected() as plan:
        store = SqliteStore(tmp_path, fingerprint="f")
        put(store, 1)
        texts(store)
        plan.kinds, plan.at = frozenset({"sync"}), 1
        with pytest.raises(StoreError, match="was not changed"):
            put(store, 2)

        def unchanged() -> None:
            assert texts(store) == ["line 1", "line"]

        failures, generation = refused(lambda: put(store, 3), after=unchanged)
        assert failures > 0
        assert generation == 2
        assert texts(store) == ["line 1", "line", "line 3", "line"]
        store.close()


def test_a_snapshot_is_made_and_restored_whole_or_not_at_all(tmp_path: Path) -> None:
    """A failure shows no snapshot, and leaves the collection that was to be replaced."""
    directory = tmp_path / "collections" / "default"
    store = SqliteStore(directory, fingerprint="f")
    put(store, 1)

    def unchanged() -> None:
        assert snapshots.names(tmp_path) == []
        assert texts(store) == ["line 1", "line"]

    unchanged()
    failures, _ = refused(lambda: snapshots.create(tmp_path, name="a"), after=unchanged)
    assert failures > 3
    snapshots.verify(tmp_path, "a")
    put(store, 2)
    store.close()

    def as_before() -> None:
        opened = SqliteStore(directory, fingerprint="f")
        assert texts(opened) == ["line 1", "line", "line 2", "line"]
        opened.close()

    failures, _ = refused(lambda: snapshots.restore(tmp_path, "a", replace=True), after=as_before)
    assert failures > 1
    restored = SqliteStore(directory, fingerprint="f")
    assert texts(restored) == ["line 1", "line"]
    restored.close()
    for act in (snapshots.names, catalog.names):
        assert refused(lambda act=act: act(tmp_path))[0] > 0  # type: ignore[misc]


def test_a_collection_that_cannot_be_looked_at_is_not_called_damaged(tmp_path: Path) -> None:
    """Its settings are read again later; nobody is told to restore it."""
    place = tmp_path / "collections" / "a"
    place.mkdir(parents=True)
    recipe = '{"embedder": "minilm", "chunk_tokens": 50, "created": ""}'
    (place / catalog.FILE).write_text(recipe)
    failures, found = refused(lambda: catalog.recipe_of(tmp_path, "a"))
    assert failures > 0
    assert found is not None
    assert found.chunk_tokens == 50


def test_an_upload_is_acknowledged_or_refused(tmp_path: Path) -> None:
    """A queue is opened or not; an upload of which the sender hears an error is not there."""
    failures, queue = refused(lambda: JobQueue(tmp_path, capacity=4))
    assert failures > 1

    def empty() -> None:
        assert queue.latest(limit=9) == []
        assert list((tmp_path / "uploads").iterdir()) == []

    failures, job = refused(lambda: queue.add(UPLOAD), after=empty)
    assert failures > 0
    assert queue.latest(limit=9) == [job]
    failures, data = refused(lambda: queue.data(job))
    assert failures > 0
    assert data == UPLOAD.data
    queue.close()


def test_an_acknowledged_upload_waits_until_files_can_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a worker that cannot begin nor work that fails for now ends the job."""
    monkeypatch.setattr("rag.jobs.runner._POLL", 0.01)
    queue = JobQueue(tmp_path, capacity=4)
    (tmp_path / "jobs.lock").touch()
    job = queue.add(UPLOAD)
    raised = [StoreError("limit of open files"), Busy("limit of open files")]
    worked = threading.Event()

    def work(_: Job, data: bytes, __: Progress) -> Outcome:
        assert data == UPLOAD.data
        if raised:
            raise raised.pop()
        worked.set()
        return Outcome(generation=1, documents=1)

    runner = JobRunner(tmp_path, queue, work=work)
    with descriptors_left(0), caplog.at_level(logging.ERROR):
        runner.start()
        wait_for(lambda: "The jobs cannot begin" in caplog.text)
    assert worked.wait(PATIENCE)
    wait_for(lambda: queue.get(job.id).status == "done")
    assert caplog.text.count("The jobs cannot go on") >= 2
    runner.close()
    queue.close()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_process_that_reads_files_is_started_or_not() -> None:
    """Busy, which is no word against the file; nothing is left open; the next file is read."""
    parser = IsolatedParser(LIMITS)
    try:
        failures, found = refused(lambda: parser.read(b"Ants.", name="a.txt", uri="a"))
        assert failures > 3  # two pipes
        assert [document.text for document in found] == ["Ants."]
        with descriptors_left(0):  # it is there already
            assert parser.read(b"Bees.", name="b.txt", uri="b")[0].text == "Bees."
    finally:
        parser.close()


def test_a_file_beyond_the_limits_is_told_though_no_other_process_can_be_started(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The error is the file's own; that of the start is logged, and the next file tries again."""
    parser = IsolatedParser(LIMITS)
    try:
        assert parser.read(b"Ants.", name="a.txt", uri="a")[0].text == "Ants."
        with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
            # Not by descriptors: the pipes of the child that is ended are free again.
            patched.setattr("rag.sources.process.os.pipe", no_more)
            with pytest.raises(BeyondLimit):
                parser.read(b"word " * 1000, name="b.txt", uri="b")
            assert ADVICE.search(caplog.text)
            with pytest.raises(Busy, match=ADVICE):
                parser.read(b"Bees.", name="c.txt", uri="c")
        assert parser.read(b"Bees.", name="c.txt", uri="c")[0].text == "Bees."
    finally:
        parser.close()


def no_more() -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
