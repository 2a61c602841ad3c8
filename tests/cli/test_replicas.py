"""Several services over one database: what one does the others know from the next request on."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from rag.api.app import create_app
from rag.api.protection import OPEN
from rag.catalogs import DatabaseCatalog
from rag.store.postgres import Server, Standby, migrate
from tests.api.raw import serving as served
from tests.postgres import (
    PostgresServer,
    follow,
    programs,
    running_server,
    running_standby,
)
from tests.services import FakeOpening, make_service

Start = Callable[..., subprocess.Popen[str]]
Serving = Callable[..., AbstractContextManager[list[httpx.Client]]]

ROUNDS: Final = 15
QUESTION: Final = "Where does the cat Mimi sleep?"


@contextmanager
def processes(start: Start, homes: list[Path], **settings: str) -> Iterator[list[httpx.Client]]:
    """Run `rag serve` over each home, from when all are ready; give a client of each."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(start("serve", "--port", 0, home=home, RAG_THREADS="1", **settings))
            for home in homes
        ]
        try:
            yield [
                stack.enter_context(httpx.Client(base_url=ready(process), timeout=60))
                for process in started
            ]
        finally:
            for process in started:
                process.kill()


@contextmanager
def stand_ins(homes: list[Path], *, store: str, read: str = "") -> Iterator[list[httpx.Client]]:
    """Run a service with stand-ins for the models over each home; give a client of each."""
    with ExitStack() as stack:
        clients = []
        for home in homes:
            reading = Server(read, primary=False, wait_seconds=1) if read else None
            catalog = DatabaseCatalog(
                Server(store), standby=reading and Standby(reading, lag_seconds=0)
            )
            service = make_service(home, FakeOpening(home, catalog=catalog), queue=64)
            port = stack.enter_context(served(create_app(service, protection=OPEN)))
            clients.append(
                stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60))
            )
        yield clients


@pytest.fixture(params=["stand-ins", pytest.param("rag serve", marks=pytest.mark.long)])
def serving(request: pytest.FixtureRequest, tmp_path: Path, start: Start) -> Serving:
    """Run so many services over a database: with stand-ins in this process, or `rag serve`."""

    @contextmanager
    def run(number: int, *, store: str, read: str = "") -> Iterator[list[httpx.Client]]:
        if request.param == "stand-ins":
            homes = [tmp_path / f"home {n}" for n in range(number)]
            with stand_ins(homes, store=store, read=read) as clients:
                yield clients
        else:
            make_home = request.getfixturevalue("make_home")
            homes = [make_home(seeded=False) for _ in range(number)]
            with processes(start, homes, RAG_STORE=store, RAG_STORE_READ=read) as clients:
                yield clients

    return run


def ready(process: subprocess.Popen[str]) -> str:
    """Wait for a service, see to it that its log is read, and return its address."""
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        if line.startswith("Ready: "):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return line.removeprefix("Ready: ").strip()
        lines.append(line)
    raise AssertionError("".join(lines))


def add(client: httpx.Client, text: str, *, uri: str, collection: str = "default") -> str:
    """Add a document and return its id."""
    document = {"text": text, "title": "Pets", "uri": uri, "collection": collection}
    response = client.post("/v1/documents", json=document)
    assert response.status_code == 201, response.text
    return str(response.json()["documents"][0]["document"]["id"])


def ask(client: httpx.Client, question: str = QUESTION, **fields: str) -> Any:
    """Return the response to a question."""
    response = client.post("/v1/ask", json={"question": question, "answers": 1, **fields})
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
def database(postgres_server: PostgresServer) -> str:
    """The url of a migrated database."""
    url = postgres_server.make_database()
    migrate(url)
    return url


def test_what_was_deleted_by_one_is_not_answered_by_another(
    serving: Serving, database: str
) -> None:
    """Under questions to both: an acknowledged write is seen by the very next request to either.

    No question that is put after a delete was acknowledged is answered from what was deleted.
    """
    gone: list[str] = []
    questions = 0
    done = threading.Event()
    with serving(2, store=database) as (one, other):
        add(one, "The dog Rex sleeps in the kitchen.", uri="file:rex")

        def keep_asking(client: httpx.Client) -> None:
            nonlocal questions
            while not done.is_set():
                before = list(gone)
                answered = str(ask(client))
                assert not [place for place in before if place in answered]
                questions += 1

        asking = [threading.Thread(target=keep_asking, args=(client,)) for client in (one, other)]
        failed: list[threading.ExceptHookArgs] = []
        hook, threading.excepthook = threading.excepthook, failed.append
        try:
            for thread in asking:
                thread.start()
            for n in range(ROUNDS):
                writer, reader = (one, other) if n % 2 else (other, one)
                place = f"basket number {1000 + n}"
                id_ = add(writer, f"The cat Mimi sleeps in {place}.", uri="file:mimi")
                assert place in str(ask(reader)["passages"])
                assert writer.delete(f"/v1/documents/{id_}").status_code == 204
                gone.append(place)
                assert place not in str(ask(reader))
        finally:
            done.set()
            for thread in asking:
                thread.join()
            threading.excepthook = hook
        assert not failed
        index = [client.get("/v1/index").json() for client in (one, other)]
        assert index[0]["generation"] == index[1]["generation"] == 1 + 2 * ROUNDS
    sys.stdout.write(f"{ROUNDS} deletes beside {questions} questions, 0 stale answers\n")


def test_collections_of_one_are_those_of_the_other(serving: Serving, database: str) -> None:
    """One that is made here is asked there at once, and gone there once it is deleted here.

    A second one of its name is another one, for both.
    """
    with serving(2, store=database) as (one, other):
        for text, writer, reader in (
            ("The cat Mimi sleeps on the red sofa.", one, other),
            ("The cat Mimi sleeps under the stove.", other, one),
        ):
            assert writer.post("/v1/collections", json={"name": "pets"}).status_code == 201
            assert reader.post("/v1/collections", json={"name": "pets"}).status_code == 409
            add(writer, text, uri="file:mimi", collection="pets")
            for client in (reader, writer):
                found = ask(client, collection="pets")
                assert [passage["text"] for passage in found["passages"]] == [text]
            assert reader.delete("/v1/collections/pets").status_code == 200
            for client in (writer, reader):
                refused = client.post("/v1/ask", json={"question": "Where?", "collection": "pets"})
                assert refused.status_code == 404


def test_a_service_outlives_the_servers_primary(serving: Serving) -> None:
    """The primary is killed: requests are 503 with the time to try again, until a standby is it.

    Nobody restarts the service, and what it had acknowledged is answered from then. Before, it
    reads from the standby.
    """
    directory = programs()
    if directory is None:
        pytest.skip("there is no server to be killed")
    with running_server(directory) as primary:
        url = primary.make_database()
        migrate(url)
        with running_standby(primary) as standby:
            primary.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            primary.execute("SELECT pg_reload_conf()")
            there = url.replace(f":{primary.port}/", f":{standby.port}/")
            both = url.replace(f":{primary.port}/", f":{primary.port},127.0.0.1:{standby.port}/")
            with serving(1, store=both, read=there) as (client,):
                add(client, "The cat Mimi sleeps on the red sofa.", uri="file:mimi")
                follow(primary, standby)
                assert "red sofa" in str(ask(client))
                assert used(client) > 0
                primary.kill()
                killed = time.monotonic()
                document = {"text": "The dog Rex sleeps in the kitchen.", "uri": "file:rex"}
                for body, path in ((document, "/v1/documents"), ({"question": "x"}, "/v1/ask")):
                    refused = client.post(path, json=body)
                    assert refused.status_code == 503, refused.text
                    problem = refused.json()
                    assert problem["type"] == "urn:chapterverse:problem:store-unreachable"
                    assert "ry again" in problem["detail"]
                    assert refused.headers["retry-after"] == "1"
                told = time.monotonic()
                assert client.get("/health/live").status_code == 200
                standby.promote()
                promoted = time.monotonic()
                while (response := client.post("/v1/documents", json=document)).status_code == 503:
                    assert time.monotonic() < promoted + 30
                assert response.status_code == 201
                back = time.monotonic()
                assert "red sofa" in str(ask(client))
                assert "kitchen" in str(ask(client, "Where does the dog Rex sleep?"))
    sys.stdout.write(
        f"two requests refused within {told - killed:.1f} s of the kill; written again "
        f"{back - promoted:.1f} s after the standby was promoted\n"
    )


def used(client: httpx.Client) -> float:
    """Return how many reads the standby has served."""
    name = 'chapterverse_store_reads_total{standby="used"} '
    (line,) = (one for one in client.get("/metrics").text.splitlines() if one.startswith(name))
    return float(line.removeprefix(name))
