"""`POST /v1/feedback`: verified against the store, kept for good, refused where it is wrong."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from rag.asgi import open_app
from rag.labels import Label, read_labels
from rag.settings import read_settings
from rag.training.data import read_examples
from tests import stores

Client = TestClient[Litestar]

TEXT = "The mill was built in 1911 by Ada Ness.\n\nIt burnt down in 1950.\n"
QUESTION = "When was the mill built?"


@pytest.fixture(scope="module")
def home(make_home: Callable[..., Path]) -> Path:
    return make_home(seeded=False)


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[Client]:
    """A client of a service that keeps 4,000 bytes of feedback at most."""
    settings = read_settings(stores.environment(home) | {"RAG_FEEDBACK_BYTES": "4000"})
    with TestClient(open_app(settings), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture(scope="module")
def document(client: Client) -> Any:
    """A document with two places to point at."""
    response = client.post("/v1/documents", json={"text": TEXT, "uri": "mill", "title": "Mill"})
    assert response.status_code == 201
    return response.json()["documents"][0]["document"]


@pytest.fixture(autouse=True)
def _no_feedback(home: Path) -> Iterator[None]:
    """Take the feedback of each test away, as a user may."""
    yield
    (home / "feedback.jsonl").unlink(missing_ok=True)


def span(document: Any, text: str) -> dict[str, Any]:
    start = TEXT.index(text)
    return {
        "document": document["id"],
        "start": start,
        "end": start + len(text),
        "quote": text,
        "version": document["version"],
    }


def kept(home: Path) -> list[Label]:
    return read_labels(home / "feedback.jsonl")


def body(verdict: str, **fields: Any) -> dict[str, Any]:
    return {"question": QUESTION, "generation": 1, "verdict": verdict, **fields}


def test_a_verdict_is_kept_as_a_label(client: Client, home: Path, document: Any) -> None:
    """201 with its id; the line has the passage, the answer in it, and where it comes from."""
    response = client.post("/v1/feedback", json=body("right", answer=span(document, "1911")))
    assert response.status_code == 201
    (label,) = kept(home)
    assert response.json() == {"status": "stored", "id": label.id}
    assert (label.question, label.verdict, label.source) == (QUESTION, "right", "feedback")
    assert (label.given, label.generation, label.collection) == ("1911", 1, "default")
    assert label.document is not None
    assert (label.document.uri, label.document.version) == ("mill", document["version"])
    (example,) = read_examples([home / "feedback.jsonl"])
    assert [gold.text for gold in example.answers] == ["1911"]
    assert example.context in TEXT


def test_a_right_span_is_the_answer(client: Client, home: Path, document: Any) -> None:
    """The one selected in the source, not the one given."""
    fields = {"answer": span(document, "1950"), "span": span(document, "in 1911")}
    assert client.post("/v1/feedback", json=body("span", **fields)).status_code == 201
    (label,) = kept(home)
    assert [gold.text for gold in label.answers or ()] == ["in 1911"]
    assert label.given == "1950"


def test_the_same_again_changes_nothing(client: Client, home: Path, document: Any) -> None:
    """200: a button pressed twice is one label; another verdict is another."""
    wrong = body("wrong", answer=span(document, "1950"))
    first = client.post("/v1/feedback", json=wrong)
    again = client.post("/v1/feedback", json=wrong)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {"status": "known", "id": first.json()["id"]}
    abstain = body("should_abstain", answer=span(document, "1950"))
    assert client.post("/v1/feedback", json=abstain).status_code == 201
    assert [label.verdict for label in kept(home)] == ["wrong", "should_abstain"]


def test_an_abstention_can_be_judged(client: Client, home: Path) -> None:
    """Without an answer: it was right to keep silent, or wrong to."""
    for verdict in ("right", "wrong"):
        assert client.post("/v1/feedback", json=body(verdict)).status_code == 201
    assert [label.answers for label in kept(home)] == [(), None]


@pytest.mark.parametrize(
    ("fields", "pointer", "detail"),
    [
        ({"verdict": "good"}, "/verdict", "good"),
        ({"verdict": None}, "/verdict", "null"),
        ({"question": " "}, "/question", "empty"),
        ({"question": "x" * 2001}, "/question", "2000"),
        ({"generation": -1}, "/generation", ">= 0"),
        ({"generation": 10**9}, "/generation", "there is no 1000000000 yet"),
        ({"generation": "1"}, "/generation", "`str`"),
        ({"verdict": "span"}, "/span", "needs the right answer"),
        ({"verdict": "should_abstain", "answer": None}, "/answer", "needs the `answer`"),
        ({"comment": "nice"}, "/comment", "unknown field"),
        ({"answer": {"document": "x"}}, "/answer", "missing required field"),
    ],
)
def test_a_wrong_field_is_named(
    client: Client, home: Path, fields: dict[str, Any], pointer: str, detail: str
) -> None:
    """400 with a JSON pointer, and nothing is kept."""
    response = client.post("/v1/feedback", json=body("right") | fields)
    problem = response.json()
    assert (response.status_code, problem.get("pointer")) == (400, pointer)
    assert detail in problem["detail"]
    assert kept(home) == []


@pytest.mark.parametrize("field", ["answer", "span"])
@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"quote": "1912"}, "are not this quote"),
        ({"start": 0}, "are not this quote"),
        ({"document": "0123456789abcdef"}, "0123456789abcdef"),
        ({"version": "sha256:" + "0" * 64}, "version"),
        ({"quote": ""}, "length >= 1"),
        ({"quote": "x" * 2001}, "length <= 2000"),
        ({"url": "x"}, "unknown field"),
    ],
)
def test_a_quote_that_is_not_in_the_store_is_refused(
    client: Client, document: Any, field: str, changed: dict[str, Any], detail: str
) -> None:
    """400 that names the place, for the answer as for the right span."""
    wrong = body("span", span=span(document, "1950")) | {field: span(document, "1911") | changed}
    problem = client.post("/v1/feedback", json=wrong).json()
    assert problem["status"] == 400
    assert problem["pointer"].startswith(f"/{field}")
    assert detail in problem["detail"]


def test_a_span_is_for_its_verdict_only(client: Client, document: Any) -> None:
    """Else it would be lost silently."""
    response = client.post("/v1/feedback", json=body("right", span=span(document, "1911")))
    assert (response.status_code, response.json()["pointer"]) == (400, "/span")


def test_a_full_file_is_told(client: Client, home: Path, document: Any) -> None:
    """413, whoever asks next; what is there stays."""
    statuses = [
        client.post(
            "/v1/feedback",
            json=body("right", answer=span(document, "1911")) | {"question": f"Number {n}?"},
        ).status_code
        for n in range(12)
    ]
    stored = statuses.count(201)
    assert statuses == [201] * stored + [413] * (12 - stored)
    assert 0 < stored < 12
    assert len(kept(home)) == stored
    assert (home / "feedback.jsonl").stat().st_size <= 4000
