"""`GET /v1/examples`: found by asking, once for each generation, on nobody's account."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from rag.api.app import create_app
from rag.api.logs import QUESTIONS
from rag.api.service import Service
from rag.errors import Busy
from rag.reading.sentence import SentenceReader
from tests.services import make_service

PATIENCE = 20.0
OWL = {"text": "The owl hoots at night.", "title": "What hoots at night?", "uri": "note:a"}
CAT = {"text": "The cat sleeps on the sofa.", "title": "Where sleeps the cat?", "uri": "note:b"}
DOG = {"text": "Dogs.", "title": "Nobody knows this?", "uri": "note:c"}
BOTH = ["What hoots at night?", "Where sleeps the cat?"]

Client = TestClient[Litestar]


class Asked(list[str]):
    """The questions that were read; `before` is called with each, and may raise."""

    before: Callable[[str], None] = staticmethod(lambda _: None)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Have the reader find nothing where nobody knows."""
    asked = Asked()
    read = SentenceReader.read

    def reading(self: SentenceReader, question: str, chunks: Any) -> Any:
        asked.append(question)
        asked.before(question)
        return [] if "Nobody" in question else read(self, question, chunks)

    monkeypatch.setattr(SentenceReader, "read", reading)
    return asked


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return make_service(tmp_path)


@pytest.fixture
def client(service: Service, asked: Asked) -> Iterator[Client]:
    """A client of a service with three documents, two of which answer their titles."""
    assert asked == []
    with TestClient(create_app(service), raise_server_exceptions=False) as opened:
        for document in (OWL, CAT, DOG):
            assert opened.post("/v1/documents", json=document).status_code == 201
        yield opened


def examples(client: Client) -> Any:
    response = client.get("/v1/examples")
    assert response.status_code == 200, response.text
    return response.json()


def test_examples_are_the_questions_that_are_answered(client: Client, asked: Asked) -> None:
    """Every candidate is asked, those without an answer are left out; no other is made up."""
    given = examples(client)
    assert sorted(given.pop("questions")) == BOTH
    assert given == {"generation": client.get("/v1/index").json()["generation"]}
    assert asked == [*BOTH, "Nobody knows this?"]


def test_a_collection_without_any_has_none(tmp_path: Path) -> None:
    """An empty list, also where there are no documents; an unknown collection is a 404."""
    with TestClient(create_app(make_service(tmp_path))) as client:
        assert examples(client)["questions"] == []
        assert client.get("/v1/examples", params={"collection": "no"}).status_code == 404


def test_they_are_found_once_for_each_generation(client: Client, asked: Asked) -> None:
    """Asked again nothing is read; after a change all is found anew."""
    first = examples(client)
    asked.clear()
    assert examples(client) == first
    assert asked == []
    (owl, *_) = client.get("/v1/documents").json()["documents"]
    assert client.delete(f"/v1/documents/{owl['id']}").status_code == 204
    second = examples(client)
    assert second["questions"] == BOTH[1:]
    assert second["generation"] > first["generation"]


def test_requests_at_the_same_time_share_the_work(client: Client, asked: Asked) -> None:
    """While one finds them, another waits for the same; each candidate is read once."""
    reading, go_on = threading.Event(), threading.Event()

    def wait(_: str) -> None:
        reading.set()
        assert go_on.wait(PATIENCE)

    asked.before = wait
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(examples, client)
        assert reading.wait(PATIENCE)
        second = pool.submit(examples, client)
        go_on.set()
        assert first.result(PATIENCE) == second.result(PATIENCE)
    assert len(asked) == 3


def test_what_fails_is_not_kept(client: Client, asked: Asked) -> None:
    """A full queue is an ordinary 503; the next request begins anew."""

    def refuse(_: str) -> None:
        raise Busy("Full.", retry_after=7)

    asked.before = refuse
    response = client.get("/v1/examples")
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")
    assert response.json()["type"] == "urn:chapterverse:problem:busy"
    asked.before = lambda _: None
    assert sorted(examples(client)["questions"]) == BOTH


def test_work_for_a_generation_that_is_past_is_given_up(
    client: Client, service: Service, asked: Asked
) -> None:
    """Where documents change meanwhile the other candidates are not read for nothing."""
    (_, cat, _) = client.get("/v1/documents").json()["documents"]

    def change(question: str) -> None:
        if question == BOTH[0]:
            service.home.store("default").delete(cat["id"])

    asked.before = change
    examples(client)
    assert len(asked) == 2  # the first one still read the generation that it had begun with
    asked.before = lambda _: None
    assert examples(client)["questions"] == BOTH[:1]


def test_they_are_nobodys_questions(
    client: Client, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the metrics nor the log of questions have them; a question asked is in both."""

    def counted() -> list[str]:
        lines = client.get("/metrics").text.splitlines()
        return [
            it for it in lines if it.startswith(("chapterverse_questions", "chapterverse_stage"))
        ]

    caplog.set_level("INFO", logger=QUESTIONS.name)
    before = counted()
    examples(client)
    assert len(asked) == 3
    assert counted() == before
    assert not [it for it in caplog.records if it.name == QUESTIONS.name]
    client.post("/v1/ask", json={"question": "What hoots?"})
    assert counted() != before
    assert [it for it in caplog.records if it.name == QUESTIONS.name]
