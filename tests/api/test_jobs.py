"""Uploads as jobs: what was acknowledged is taken in, once and whole, whatever happens between."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from rag.api.app import create_app
from rag.errors import Busy, Conflict, DamagedStore, NotFound, StoreFull
from rag.home import Home
from rag.jobs import Job, JobQueue, JobRunner, Progress, Upload
from rag.jobs.job import Outcome
from tests.services import FakeOpening, make_service

Client = TestClient[Litestar]

PATIENCE = 30.0
LARGE = b"A line of many.\n" * 100  # more than the 1,000 bytes above which this service queues
ROOT = Path(__file__).resolve().parents[2]


class Gate:
    """Holds up the embedding of documents of more than one chunk until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, texts: Any) -> None:
        """Wait, if these are many texts."""
        if len(texts) > 1:
            self.reached.set()
            assert self.opened.wait(PATIENCE)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def client(tmp_path: Path, gate: Gate) -> Iterator[Client]:
    """A client of a service whose large uploads wait at the gate."""
    opening = FakeOpening(tmp_path)
    opening.before_embedding = gate
    app = create_app(make_service(tmp_path, opening))
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened
        gate.opened.set()


def send(client: Client, name: str, content: bytes, **params: Any) -> Any:
    return client.post("/v1/documents", files={"file": (name, content)}, params=params)


def ended(client: Client, id_: str) -> Any:
    """Return a job once it has come to its end."""
    deadline = time.monotonic() + PATIENCE
    while True:
        job = client.get(f"/v1/jobs/{id_}").json()
        if job["finished"] is not None:
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.01)


def uris(client: Client) -> list[str]:
    listed = client.get("/v1/documents").json()
    return [document["uri"] for document in listed["documents"]]


def test_a_large_upload_is_acknowledged_and_then_taken_in(
    client: Client, gate: Gate, tmp_path: Path
) -> None:
    """202 with the job's place; it runs, is done, its bytes are dropped, its document is there."""
    response = send(client, "a.txt", LARGE)
    assert response.status_code == 202
    job = response.json()
    assert response.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["status"], job["name"], job["bytes"]) == ("waiting", "a.txt", len(LARGE))
    assert (tmp_path / "uploads" / job["id"]).read_bytes() == LARGE
    assert gate.reached.wait(PATIENCE)
    running = client.get(f"/v1/jobs/{job['id']}").json()
    assert running["status"] == "running"
    assert (running["chunks_done"], running["chunks_total"]) == (0, 100)
    assert uris(client) == []
    gate.opened.set()
    done = ended(client, job["id"])
    assert (done["status"], done["error"], done["documents"]) == ("done", None, 1)
    assert done["generation"] == client.get("/v1/index").json()["generation"] == 1
    assert uris(client) == ["upload:a.txt"]
    assert list((tmp_path / "uploads").iterdir()) == []
    assert client.get("/v1/jobs").json()["jobs"] == [done]


def test_small_uploads_and_questions_do_not_wait_for_a_large_one(
    client: Client, gate: Gate
) -> None:
    """While a job is under way others are taken in, found and asked."""
    job = send(client, "large.txt", LARGE).json()
    assert gate.reached.wait(PATIENCE)
    assert send(client, "small.txt", b"The yak drinks lemonade.").status_code == 201
    asked = client.post("/v1/ask", json={"question": "What does the yak drink?"}).json()
    assert "lemonade" in asked["answers"][0]["text"]
    gate.opened.set()
    assert ended(client, job["id"])["status"] == "done"


def test_who_sends_decides_whether_to_wait(client: Client, gate: Gate) -> None:
    """`wait=false` makes a job of a small one, a text too; `wait=true` waits for a large one."""
    gate.opened.set()
    small = send(client, "small.txt", b"Ants march.", wait=False)
    text = client.post("/v1/documents?wait=false", json={"text": "Bees dance.", "uri": "note:b"})
    assert (small.status_code, text.status_code) == (202, 202)
    for response in (small, text):
        assert ended(client, response.json()["id"])["status"] == "done"
    assert send(client, "large.txt", LARGE, wait=True).status_code == 201
    assert uris(client) == ["note:b", "upload:large.txt", "upload:small.txt"]
    assert send(client, "small.txt", b"Ants march.", wait=True).status_code == 200
    assert send(client, "small.txt", b"x", wait="perhaps").status_code == 400


def test_a_later_version_is_not_overtaken_by_an_earlier_one(client: Client, gate: Gate) -> None:
    """What follows a waiting job of its uri waits behind it, so that the last one sent stays."""
    first = send(client, "a.txt", LARGE)
    assert gate.reached.wait(PATIENCE)
    second = send(client, "a.txt", b"The last version.", wait=True)
    assert (first.status_code, second.status_code) == (202, 202)
    elsewhere = send(client, "b.txt", b"Another file.")
    assert elsewhere.status_code == 201
    gate.opened.set()
    assert ended(client, second.json()["id"])["status"] == "done"
    id_ = next(
        document["id"]
        for document in client.get("/v1/documents").json()["documents"]
        if document["uri"] == "upload:a.txt"
    )
    assert client.get(f"/v1/documents/{id_}/text").text == "The last version."


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.pdf", b"no pdf", "damaged"),
        ("a.xyz", b"x", ".xyz"),
        ("a.jsonl", b'{"text": "Ants march."}\n{"text": ', "line 2"),
    ],
)
def test_a_file_that_cannot_be_read_fails_whole(
    client: Client, tmp_path: Path, name: str, content: bytes, error: str
) -> None:
    """The job keeps the reason; nothing of the file is stored and its bytes are dropped."""
    failed = ended(client, send(client, name, content, wait=False).json()["id"])
    assert failed["status"] == "failed"
    assert error in failed["error"]
    assert (failed["generation"], failed["documents"]) == (None, None)
    assert uris(client) == []
    assert list((tmp_path / "uploads").iterdir()) == []


def test_a_job_that_waits_can_be_cancelled_and_one_that_runs_cannot(
    client: Client, gate: Gate, tmp_path: Path
) -> None:
    """204 drops it with its bytes, and it never runs; 409 for one whose turn has come; 404 else."""
    running = send(client, "a.txt", LARGE).json()["id"]
    assert gate.reached.wait(PATIENCE)
    waiting = send(client, "b.txt", LARGE).json()["id"]
    assert client.delete(f"/v1/jobs/{waiting}").status_code == 204
    assert client.get(f"/v1/jobs/{waiting}").json()["status"] == "cancelled"
    assert [file.name for file in (tmp_path / "uploads").iterdir()] == [running]
    for id_, status in ((waiting, 409), (running, 409), ("0" * 16, 404), ("..", 404)):
        assert client.delete(f"/v1/jobs/{id_}").status_code == status
    gate.opened.set()
    assert ended(client, running)["status"] == "done"
    assert client.delete(f"/v1/jobs/{running}").status_code == 409
    assert uris(client) == ["upload:a.txt"]


def test_too_many_waiting_uploads_are_refused(client: Client, gate: Gate, tmp_path: Path) -> None:
    """503 saying when to retry (four are allowed here); nothing of the refused one stays."""
    sent = [send(client, f"{number}.txt", LARGE).json()["id"] for number in range(4)]
    assert gate.reached.wait(PATIENCE)
    refused = send(client, "more.txt", LARGE)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
    assert {file.name for file in (tmp_path / "uploads").iterdir()} == set(sent)
    gate.opened.set()
    assert [ended(client, id_)["status"] for id_ in sent] == ["done"] * 4


def test_a_collection_with_waiting_uploads_is_not_deleted(client: Client, gate: Gate) -> None:
    """409 until they are through."""
    job = send(client, "a.txt", LARGE).json()["id"]
    assert client.delete("/v1/collections/default").status_code == 409
    gate.opened.set()
    ended(client, job)
    assert client.delete("/v1/collections/default").status_code == 200


def test_an_upload_into_no_collection_is_refused_at_once(client: Client) -> None:
    """404 rather than a job that must fail."""
    files = {"file": ("a.txt", LARGE)}
    response = client.post("/v1/documents", files=files, data={"collection": "no"})
    assert response.status_code == 404


def test_a_service_that_ends_puts_its_job_back_and_the_next_one_finishes_it(
    tmp_path: Path,
) -> None:
    """The job under way is interrupted between two groups, then done by the next service."""
    gate = Gate()
    opening = FakeOpening(tmp_path)
    opening.before_embedding = gate
    with TestClient(create_app(make_service(tmp_path, opening))) as client:
        job = send(client, "a.txt", b"A line of many.\n" * 600).json()["id"]
        assert gate.reached.wait(PATIENCE)
        threading.Timer(0.2, gate.opened.set).start()
    queue = JobQueue(tmp_path, capacity=4)
    assert queue.get(job).status == "interrupted"
    queue.close()
    with TestClient(create_app(make_service(tmp_path))) as client:
        assert ended(client, job)["status"] == "done"
        assert uris(client) == ["upload:a.txt"]


def upload(name: str = "a.txt", data: bytes = b"Ants march.") -> Upload:
    return Upload(collection="default", kind="file", name=name, uri=f"upload:{name}", data=data)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    opened = JobQueue(tmp_path, capacity=100, keep=5)
    yield opened
    opened.close()


def test_jobs_come_in_order_and_the_last_finished_are_remembered(queue: JobQueue) -> None:
    """First in, first out; of the finished the latest five are known, open ones always."""
    ids = [queue.add(upload(f"{n}.txt")).id for n in range(9)]
    for id_ in ids[:8]:
        job = queue.take()
        assert job is not None
        assert (job.id, job.status) == (id_, "running")
        queue.finish(job, Outcome(generation=1, documents=1))
    assert [job.id for job in queue.latest(limit=100)] == [*reversed(ids[3:])]
    with pytest.raises(NotFound, match="forgotten"):
        queue.get(ids[0])
    assert [job.id for job in queue.open_jobs("default")] == ids[8:]
    assert queue.open_jobs("other") == []


def test_an_upload_that_was_altered_on_disk_is_not_taken_in(
    queue: JobQueue, tmp_path: Path
) -> None:
    """Other bytes than those that came, or none, are an error that says what to do."""
    job = queue.add(upload())
    assert queue.data(job) == b"Ants march."
    file = tmp_path / "uploads" / job.id
    file.write_bytes(b"Ants March.")
    with pytest.raises(DamagedStore, match="altered on disk"):
        queue.data(job)
    file.unlink()
    with pytest.raises(DamagedStore, match="Send it again"):
        queue.data(job)


def test_an_altered_job_is_refused(queue: JobQueue, tmp_path: Path) -> None:
    """A row that is not as it was written, and a file that is no database."""
    job = queue.add(upload())
    file = tmp_path / "jobs.sqlite"
    with apsw.Connection(str(file)) as connection:
        connection.execute("UPDATE jobs SET content = replace(content, 'a.txt', 'b.txt')")
    with pytest.raises(DamagedStore, match=r"jobs\.sqlite is damaged: the job"):
        queue.get(job.id)
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(DamagedStore, match=r"jobs\.sqlite is damaged"):
        JobQueue(tmp_path, capacity=1)


def test_without_room_nothing_is_acknowledged(tmp_path: Path) -> None:
    """StoreFull below the floor of free space; no file and no job is left."""
    queue = JobQueue(tmp_path, capacity=1, min_free_bytes=10**18)
    with pytest.raises(StoreFull, match="RAG_MIN_FREE_BYTES"):
        queue.add(upload())
    assert queue.latest(limit=10) == []
    assert list((tmp_path / "uploads").iterdir()) == []
    queue.close()


def test_a_failing_sync_acknowledges_nothing(
    queue: JobQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the bytes cannot be put on the disk there is no job, and the next upload works."""

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", fail)
        with pytest.raises(StoreFull, match="no room on the disk"):
            queue.add(upload())
    assert queue.latest(limit=10) == []
    assert list((tmp_path / "uploads").iterdir()) == []
    assert queue.get(queue.add(upload()).id).status == "waiting"


def test_what_is_left_over_goes_and_what_waits_stays(queue: JobQueue, tmp_path: Path) -> None:
    """A start drops bytes of no open job and takes up again what another process had begun."""
    first, second = queue.add(upload("a.txt")), queue.add(upload("b.txt"))
    assert queue.take() is not None
    (tmp_path / "uploads" / "left").write_bytes(b"x")
    queue.recover()
    assert {file.name for file in (tmp_path / "uploads").iterdir()} == {first.id, second.id}
    assert [queue.get(job.id).status for job in (first, second)] == ["interrupted", "waiting"]
    taken = queue.take()
    assert taken is not None
    assert taken.id == first.id
    with pytest.raises(Conflict, match="running"):
        queue.cancel(first.id)


def test_the_queue_is_bounded(tmp_path: Path) -> None:
    """As many as its capacity may be open; one that is finished makes room."""
    queue = JobQueue(tmp_path, capacity=1)
    queue.add(upload())
    with pytest.raises(Busy, match="1 uploads are waiting"):
        queue.add(upload("b.txt"))
    job = queue.take()
    assert job is not None
    queue.fail(job, "No.")
    assert queue.add(upload("b.txt")).status == "waiting"
    queue.close()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_fault_fails_its_job_and_the_next_one_runs(
    queue: JobQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The job tells nothing of the inside, the log has it, and the thread goes on."""

    def work(job: Job, _: bytes, __: Progress) -> Outcome:
        if job.name == "bad.txt":
            raise ZeroDivisionError("secret")
        return Outcome(generation=1, documents=1)

    bad, good = queue.add(upload("bad.txt")), queue.add(upload("good.txt"))
    runner = JobRunner(tmp_path, queue, work=work)
    runner.start()
    wait_for(lambda: queue.get(good.id).status == "done")
    assert queue.get(bad.id).status == "failed"
    assert "secret" not in (queue.get(bad.id).error or "")
    assert "ZeroDivisionError: secret" in caplog.text
    runner.close()


def test_of_two_processes_one_works_and_the_other_takes_over(
    queue: JobQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second runner over the same home does nothing until the first has ended."""
    monkeypatch.setattr("rag.jobs.runner._POLL", 0.01)
    by: list[str] = []

    def worker(name: str) -> JobRunner:
        def work(_: Job, __: bytes, ___: Progress) -> Outcome:
            by.append(name)
            return Outcome(generation=1, documents=1)

        return JobRunner(tmp_path, queue, work=work)

    first, second = worker("first"), worker("second")
    first.start()
    for number in range(3):
        queue.add(upload(f"{number}.txt"))
        first.wake()
        second.wake()
        wait_for(lambda: not queue.open_jobs("default"))
        if not number:
            second.start()
    assert by == ["first"] * 3
    first.close()
    queue.add(upload("last.txt"))
    wait_for(lambda: not queue.open_jobs("default"))
    assert by == ["first"] * 3 + ["second"]
    second.close()


def start_child(home: Path, *, first: int, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.api.jobs_child", str(home), str(first), str(count)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_nothing_acknowledged_is_lost_by_kills_and_nothing_is_done_twice(tmp_path: Path) -> None:
    """Killed five times at random moments: every acknowledged upload is there, each once.

    A document that were added twice would have made two generations.
    """
    chance = random.Random(4)
    acknowledged: list[str] = []
    count = 40
    for round_ in range(5):
        with start_child(tmp_path, first=round_ * count, count=count) as process:
            assert process.stdout is not None
            before = chance.randrange(1, count)
            acknowledged += [process.stdout.readline().strip() for _ in range(before)]
            time.sleep(chance.random() * 0.02)
            process.kill()
            acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    acknowledged = [id_ for id_ in acknowledged if id_ != "idle"]
    assert len(acknowledged) >= 5
    with start_child(tmp_path, first=0, count=0) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "idle\n"
        process.kill()
    queue = JobQueue(tmp_path, capacity=1)
    jobs = [queue.get(id_) for id_ in acknowledged]
    everything = queue.latest(limit=1000)
    queue.close()
    assert {job.status for job in jobs} == {"done"}
    assert {job.status for job in everything} == {"done"}
    home = Home(tmp_path, FakeOpening(tmp_path))
    with home.store("default").snapshot() as snapshot:
        snapshot.verify()
        stored = {summary.uri: summary.chunks for summary in snapshot.summaries(limit=10_000)}
        assert stored == dict.fromkeys((job.uri for job in everything), 2)
        assert snapshot.generation == len(everything) >= len(acknowledged)
    home.close()
    assert list((tmp_path / "uploads").iterdir()) == []
