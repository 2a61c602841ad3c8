"""`POST /v1/ask/batch`: each question its own response or problem, as if it were asked alone."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from rag.api.app import create_app
from rag.errors import Busy
from rag.reading.sentence import SentenceReader
from tests.services import make_service

PATIENCE = 20.0
TEXT = "The owl hoots at night.\nThe cat sleeps on the sofa.\nA fox runs.\nThe hen clucks."

Client = TestClient[Litestar]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A client of a service that takes three questions a batch."""
    service = make_service(tmp_path, max_batch=3, request_seconds=3.0)
    with TestClient(create_app(service), raise_server_exceptions=False) as opened:
        assert opened.post("/v1/documents", json={"text": TEXT}).status_code == 201
        yield opened


def batch(client: Client, *questions: Any) -> Any:
    response = client.post("/v1/ask/batch", json={"questions": questions})
    assert response.status_code == 200, response.text
    return response.json()["results"]


def test_answers_are_those_of_single_questions(client: Client) -> None:
    """Byte for byte, apart from the timings, in the order given."""
    questions = [
        {"question": "What hoots?", "k": 3},
        {"question": "Where does the cat sleep?", "answers": 1, "min_confidence": 0.0},
        {"question": "What runs?", "filters": {"media_types": []}},
    ]
    results = batch(client, *questions)
    for question, result in zip(questions, results, strict=True):
        assert set(result) == {"response"}
        alone = client.post("/v1/ask", json=question).json()
        del alone["timings_ms"], result["response"]["timings_ms"]
        assert list(alone.items()) == list(result["response"].items())


def test_a_question_that_fails_leaves_the_others(client: Client) -> None:
    """An unknown collection is its question's problem, whole and with its place in the batch."""
    good = {"question": "What hoots?"}
    first, second, third = batch(client, good, good | {"collection": "no"}, good)
    assert "response" in first
    assert "response" in third
    assert set(second) == {"problem"}
    problem = second["problem"]
    assert (problem["status"], problem["type"]) == (404, "urn:chapterverse:problem:not-found")
    assert problem["pointer"] == "/questions/1"
    assert problem["instance"] == "/v1/ask/batch"


def test_faults_and_full_queues_are_problems_of_their_questions(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault tells nothing of the inside; what the models refuse is `busy`."""
    read = SentenceReader.read
    outcomes: list[Exception | None] = [ZeroDivisionError("secret"), None, Busy("Full.")]

    def failing(*args: Any) -> Any:
        error = outcomes.pop(0)
        if error is not None:
            raise error
        return read(*args)

    monkeypatch.setattr(SentenceReader, "read", failing)
    first, second, third = batch(client, *[{"question": "What hoots?"}] * 3)
    assert first["problem"]["type"] == "urn:chapterverse:problem:internal"
    assert "secret" not in str(first)
    assert "secret" in caplog.text
    assert second["response"]["answers"]
    assert (third["problem"]["status"], third["problem"]["detail"]) == (503, "Full.")


def test_what_there_is_no_time_for_is_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch ends in its time: what was answered is there, the rest is to be sent again."""
    read = SentenceReader.read
    ended = threading.Event()
    reads = 0

    def slow(*args: Any) -> Any:
        nonlocal reads
        reads += 1
        if reads == 2:
            assert ended.wait(PATIENCE)
        return read(*args)

    monkeypatch.setattr(SentenceReader, "read", slow)
    first, second, third = batch(client, *[{"question": "What hoots?"}] * 3)
    ended.set()
    assert first["response"]["answers"]
    for result in (second, third):
        assert result["problem"]["type"] == "urn:chapterverse:problem:busy"
        assert "time of the batch" in result["problem"]["detail"]
    assert reads == 2


def test_others_have_their_turn_between_two_questions(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question asked while the first of a batch is read comes before its third."""
    read = SentenceReader.read
    order: list[str] = []
    begun, asked = threading.Event(), threading.Event()
    submitted = client.app.dependencies["service"].dependency().models

    def noting(reader: SentenceReader, question: str, *args: Any) -> Any:
        order.append(question)
        if len(order) == 1:
            begun.set()
            assert asked.wait(PATIENCE)
        return read(reader, question, *args)

    monkeypatch.setattr(SentenceReader, "read", noting)
    with ThreadPoolExecutor(2) as threads:
        whole = threads.submit(batch, client, *[{"question": f"{n}?"} for n in (1, 2, 3)])
        assert begun.wait(PATIENCE)
        other = threads.submit(client.post, "/v1/ask", json={"question": "other?"})
        while submitted.waiting < 2:
            assert not other.done()
        asked.set()
        assert len(whole.result(PATIENCE)) == 3
        assert other.result(PATIENCE).status_code == 200
    assert order.index("other?") < order.index("3?")


@pytest.mark.parametrize(
    ("questions", "pointer", "detail"),
    [
        ([], "/questions", "length >= 1"),
        ([{"question": "x"}] * 101, "/questions", "length <= 100"),
        ([{"question": "x"}, {"question": "x", "k": 0}], "/questions/1/k", ">= 1"),
        ([{"question": "x"}, {"question": " "}], "/questions/1/question", "empty"),
        ([{"question": "x", "zz": 1}], "/questions/0/zz", "unknown field `zz`"),
        (
            [{"question": "x", "filters": {"published_to": "x"}}],
            "/questions/0/filters/published_to",
            "such as 2023-11-20",
        ),
        (["x"], "/questions/0", "`object`"),
    ],
)
def test_a_malformed_batch_is_refused_as_a_whole(
    client: Client, questions: Any, pointer: str, detail: str
) -> None:
    """400 with the place; nothing of it is answered."""
    response = client.post("/v1/ask/batch", json={"questions": questions})
    assert response.status_code == 400
    assert response.json()["pointer"] == pointer
    assert detail in response.json()["detail"]


def test_more_than_the_settings_allow_is_refused(client: Client) -> None:
    """413 naming the bound."""
    response = client.post("/v1/ask/batch", json={"questions": [{"question": "x"}] * 4})
    assert (response.status_code, "at most 3" in response.json()["detail"]) == (413, True)


def test_a_whole_number_may_be_written_with_a_point(client: Client) -> None:
    """2.0 is 2, as JSON Schema has it; 2.5 is no whole number."""
    (result,) = batch(client, {"question": "What hoots?", "k": 2.0})
    assert len(result["response"]["passages"]) == 2
    response = client.post("/v1/ask/batch", json={"questions": [{"question": "x", "k": 2.5}]})
    assert (response.status_code, response.json()["pointer"]) == (400, "/questions/0/k")
