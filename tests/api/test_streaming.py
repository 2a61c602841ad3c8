"""`GET /v1/ask/stream`: passages before they are read, then answers; nothing begun for nobody."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from rag.api import schemas
from rag.api.app import create_app
from rag.api.service import Service
from rag.errors import ModelError
from rag.reading.sentence import SentenceReader
from tests.api.raw import serving
from tests.services import make_service

PATIENCE = 20.0
TEXT = "The owl hoots at night.\nThe cat sleeps on the sofa.\nA fox runs."
QUESTION = {"question": "What hoots at night?", "k": 2, "min_confidence": 0.0}

Client = TestClient[Litestar]


def events_of(text: str) -> list[tuple[str, Any]]:
    """Read events as the standard of server-sent events has it, without comments."""
    events = []
    for block in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in block.split("\n") if line[:1] not in {"", ":"}
        )
        if fields:
            assert set(fields) == {"event", "data"}
            events.append((fields["event"], json.loads(fields["data"])))
    return events


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return make_service(tmp_path, queue=2)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    app = create_app(make_service(tmp_path_factory.mktemp("streaming")))
    with TestClient(app, raise_server_exceptions=False) as opened:
        added = opened.post("/v1/documents", json={"text": TEXT, "title": "Animals"})
        assert added.status_code == 201
        yield opened


class Gate:
    """Holds the reader up; counts how often it read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = threading.Event()
        self.may_read = threading.Event()
        self.reads = 0
        read = SentenceReader.read

        def held_up(reader: SentenceReader, *args: Any) -> Any:
            self.begun.set()
            assert self.may_read.wait(PATIENCE)
            self.reads += 1
            return read(reader, *args)

        monkeypatch.setattr(SentenceReader, "read", held_up)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch)
    yield gate
    gate.may_read.set()


@pytest.fixture
def address(service: Service) -> Iterator[str]:
    """The address of the service behind a real server."""
    with serving(create_app(service)) as port:
        found = f"http://127.0.0.1:{port}"
        assert httpx.post(f"{found}/v1/documents", json={"text": TEXT}).status_code == 201
        yield found


def test_a_stream_says_what_ask_says(client: Client) -> None:
    """Its parts, put together, are the response to the same question, in the order promised."""
    whole = client.post("/v1/ask", json=QUESTION).json()
    response = client.get("/v1/ask/stream", params=QUESTION)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    events = events_of(response.text)
    assert [name for name, _ in events] == ["hits", *["answer"] * len(whole["answers"]), "done"]
    assert len(whole["answers"]) == 2
    hits, done = events[0][1], events[-1][1]
    assert set(hits) == {"question", "generation", "passages", "timings_ms"}
    assert set(done) == {"question", "generation", "reader", "abstention", "timings_ms"}
    together = done | {
        "passages": hits["passages"],
        "answers": [data for name, data in events if name == "answer"],
    }
    del together["timings_ms"], whole["timings_ms"]
    assert together == whole


def test_an_abstention_has_no_answers_and_its_reason(client: Client) -> None:
    """With a filter that nothing meets there are no hits, no answer, and `done` says why."""
    (first, hits), (last, done) = events_of(
        client.get("/v1/ask/stream", params={"question": "x", "documents": "none"}).text
    )
    assert (first, hits["passages"], last) == ("hits", [], "done")
    assert done["abstention"]["reason"] == "no_passage"


def test_filters_in_the_address_are_those_of_a_body(client: Client) -> None:
    """Lists by repetition and `key=value`: each stream finds what the same search finds."""
    owl = client.get("/v1/documents").json()["documents"][0]["id"]
    text = {"text": "A hen clucks.", "metadata": {"farm": "a=b"}, "published": "2024-05-31"}
    assert client.post("/v1/documents", json=text).status_code == 201
    for query, filters in [
        ([("documents", owl), ("documents", "x")], {"documents": [owl, "x"]}),
        ([("metadata", "farm=a=b")], {"metadata": {"farm": "a=b"}}),
        ([("published_from", "2024-05-31")], {"published_from": "2024-05-31"}),
        ([("published_to", "2024-05-30")], {"published_to": "2024-05-30"}),
        ([("media_types", "text/plain")], {"media_types": ["text/plain"]}),
        ([("media_types", "text/html")], {"media_types": ["text/html"]}),
    ]:
        streamed = client.get(f"/v1/ask/stream?{urlencode([('question', 'What?'), *query])}")
        searched = client.post("/v1/search", json={"question": "What?", "filters": filters})
        assert events_of(streamed.text)[0][1]["passages"] == searched.json()["hits"]


@pytest.mark.parametrize(
    ("query", "pointer", "detail"),
    [
        ("", None, "missing required field `question`"),
        ("question=", "/question", "length >= 1"),
        ("question=%20", "/question", "empty"),
        (f"question={'x' * 2001}", "/question", "length <= 2000"),
        ("question=a%00b", "/question", "NUL"),
        ("question=%FF", None, "UTF-8"),
        ("question=%ED%A0%80", None, "UTF-8"),
        ("question=x&k=0", "/k", ">= 1"),
        ("question=x&k=101", "/k", "<= 100"),
        ("question=x&k=three", "/k", "`int`"),
        ("question=x&k=", "/k", "`int`"),
        ("question=x&k=1&k=1", "/k", "once"),
        ("question=x&answers=21", "/answers", "<= 20"),
        ("question=x&min_confidence=1.1", "/min_confidence", "<= 1.0"),
        ("question=x&min_confidence=nan", "/min_confidence", ">= 0.0"),
        ("question=x&published_to=20231120", "/filters/published_to", "such as 2023-11-20"),
        ("question=x&published_to=", "/filters/published_to", "such as 2023-11-20"),
        ("question=x&metadata=a", "/metadata", "key=value"),
        ("question=x&metadata=a=1&metadata=a=2", "/metadata", "each key once"),
        ("question=x&retriever=dense", None, "`retriever`"),
        ("question=x&filters=%7B%7D", None, "`filters`"),
    ],
)
def test_a_wrong_parameter_is_named(
    client: Client, query: str, pointer: str | None, detail: str
) -> None:
    """400 as for a body, before anything is sent: parameters are as strict."""
    response = client.get(f"/v1/ask/stream?{query}")
    problem = response.json()
    assert (response.status_code, problem["type"]) == (
        400,
        "urn:chapterverse:problem:invalid-request",
    )
    assert problem.get("pointer") == pointer
    assert detail in problem["detail"]


def test_an_unknown_collection_is_an_ordinary_problem(client: Client) -> None:
    """404, not an event."""
    response = client.get("/v1/ask/stream?question=x&collection=no")
    assert (response.status_code, response.json()["status"]) == (404, 404)


def test_passages_come_before_they_are_read(address: str, gate: Gate) -> None:
    """While the reader has not answered, `hits` is there already; the rest follows."""
    with httpx.stream("GET", f"{address}/v1/ask/stream", params=QUESTION) as response:
        received = response.iter_text()
        beginning = next(received)
        assert events_of(beginning)[0][0] == "hits"
        assert gate.reads == 0
        gate.may_read.set()
        names = [name for name, _ in events_of(beginning + "".join(received))]
    assert names == ["hits", "answer", "answer", "done"]
    assert gate.reads == 1


def test_comments_keep_a_slow_stream_alive(
    address: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While there is nothing to tell, a line comes that means nothing."""
    monkeypatch.setattr("rag.api.streaming._HEARTBEAT_SECONDS", 0.02)
    with httpx.stream("GET", f"{address}/v1/ask/stream", params=QUESTION) as response:
        received = response.iter_text()
        text = ""
        while text.count("\n: ") + text.startswith(": ") < 3:
            text += next(received)
        gate.may_read.set()
        text += "".join(received)
    assert [name for name, _ in events_of(text)] == ["hits", "answer", "answer", "done"]


def test_what_fails_after_the_passages_is_an_event(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of ours says what it is, a fault tells nothing of the inside; both are the end."""
    for error, kind, detail in [
        (ModelError("The reader is gone."), "model", "The reader is gone."),
        (ZeroDivisionError("secret"), "internal", "An unexpected error"),
    ]:

        def fail(*_: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(SentenceReader, "read", fail)
        response = client.get("/v1/ask/stream", params=QUESTION)
        assert response.status_code == 200
        (first, _), (last, problem) = events_of(response.text)
        assert (first, last) == ("hits", "problem")
        assert problem["type"] == f"urn:chapterverse:problem:{kind}"
        assert detail in problem["detail"]
        assert "secret" not in response.text
        assert set(problem) == set(schemas.Problem.__struct_fields__) - {"pointer"}
    assert "ZeroDivisionError: secret" in caplog.text


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_full_queue_is_an_ordinary_problem_that_says_when_to_retry(
    service: Service, address: str, gate: Gate
) -> None:
    """503 with Retry-After, at once, while two streams are being answered."""
    with (
        httpx.stream("GET", f"{address}/v1/ask/stream", params=QUESTION),
        httpx.Client() as second,
    ):
        assert gate.begun.wait(PATIENCE)
        waiting = threading.Thread(
            target=lambda: second.get(f"{address}/v1/ask/stream", params=QUESTION, timeout=PATIENCE)
        )
        waiting.start()
        wait_until(lambda: service.models.waiting == 2)
        response = httpx.get(f"{address}/v1/ask/stream", params=QUESTION)
        assert (response.status_code, response.json()["type"]) == (
            503,
            "urn:chapterverse:problem:busy",
        )
        assert int(response.headers["retry-after"]) >= 1
        gate.may_read.set()
        waiting.join(PATIENCE)


def test_what_has_not_begun_when_the_client_leaves_is_dropped(
    service: Service, address: str, gate: Gate
) -> None:
    """A stream that waits for its turn is taken out of the queue and never read."""
    with httpx.stream("GET", f"{address}/v1/ask/stream", params=QUESTION) as first:
        next(first.iter_raw())
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{address}/v1/ask/stream", params=QUESTION, timeout=0.3)
        wait_until(lambda: service.models.waiting == 1)
        gate.may_read.set()
    wait_until(lambda: service.models.waiting == 0)
    assert gate.reads == 1


def test_a_client_that_leaves_leaves_nothing_behind(
    service: Service, address: str, gate: Gate
) -> None:
    """When it goes while its passages are being read, its place is free as soon as that ends."""
    with httpx.stream("GET", f"{address}/v1/ask/stream", params=QUESTION) as response:
        assert next(response.iter_raw()).startswith(b"event: hits")
    wait_until(lambda: service.lifecycle.in_flight == 0)
    gate.may_read.set()
    wait_until(lambda: service.models.waiting == 0)
    whole = httpx.get(f"{address}/v1/ask/stream", params=QUESTION).text
    assert events_of(whole)[-1][0] == "done"


def test_a_stream_that_has_ended_holds_no_place(service: Service, address: str) -> None:
    """A connection that stays open for the next request does not count as one under way."""
    with httpx.Client() as client:
        for _ in range(3):
            response = client.get(f"{address}/v1/ask/stream", params=QUESTION)
            assert events_of(response.text)[-1][0] == "done"
        wait_until(lambda: service.lifecycle.in_flight == 0)
