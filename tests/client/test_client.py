"""The clients against the service: every call, in one round a person would make."""

import asyncio
import doctest
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

import rag.client
from rag.api import schemas
from rag.client import (
    AsyncClient,
    Client,
    Conflict,
    InvalidRequest,
    JobFailed,
    NotFound,
    ServiceError,
    StreamEnded,
    calls,
)

OWL = "What hoots at night?"


def test_the_examples_run(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's own examples give what they say, asked of this service."""
    examples = rag.client.__doc__ or ""
    assert "http://127.0.0.1:8000" in examples
    monkeypatch.setattr(rag.client, "__doc__", examples.replace("http://127.0.0.1:8000", address))
    failed, tried = doctest.testmod(rag.client)
    assert failed == 0
    assert tried >= 12


def test_an_answer_is_typed_and_its_citation_verifies(address: str, client: Client) -> None:
    """The struct is what the service sent; a citation goes back to be checked as it came."""
    response = client.ask(OWL, answers=2, k=3)
    assert isinstance(response, schemas.AskResponse)
    best = response.answers[0]
    assert best.text == "The owl hoots at night."
    sent = httpx.post(f"{address}/v1/ask", json={"question": OWL, "answers": 2, "k": 3}).json()
    del sent["timings_ms"]
    assert sent.items() <= msgspec.to_builtins(response).items()
    checked = client.verify([answer.citations[0] for answer in response.answers])
    assert [each.status for each in checked.results] == ["valid", "valid"]
    text = client.text(best.citations[0].document.id)
    assert text[best.citations[0].start : best.citations[0].end] == best.citations[0].quote


def test_a_stream_is_the_response_in_parts(client: Client) -> None:
    """Hits first, then the answers of `ask`, then done."""
    whole = client.ask(OWL, k=2)
    hits, *answers, done = client.stream(OWL, k=2)
    assert isinstance(hits, schemas.Hits)
    assert isinstance(done, schemas.Done)
    assert hits.passages == whole.passages
    assert answers == whole.answers
    assert done.abstention is None
    nothing = list(client.stream(OWL, filters=schemas.Filters(metadata={"a": "b=c"})))
    assert [type(event) for event in nothing] == [schemas.Hits, schemas.Done]


def test_filters_of_a_stream_are_those_of_a_question(client: Client) -> None:
    """Each filter finds the same passages by either way."""
    added = client.add_text(
        "A hen clucks.", uri="note:hen", metadata={"k": "a=b"}, published="2024-05-31"
    )
    assert isinstance(added, schemas.DocumentsAdded)
    id_ = added.documents[0].document.id
    for filters in (
        schemas.Filters(documents=[id_, "x"]),
        schemas.Filters(metadata={"k": "a=b"}),
        schemas.Filters(published_from="2024-05-31", published_to="2024-05-31"),
        schemas.Filters(media_types=["text/plain"]),
    ):
        (hits, *_) = client.stream("Hen?", filters=filters)
        assert isinstance(hits, schemas.Hits)
        assert hits.passages == client.search("Hen?", filters=filters).hits
    client.delete(id_)


def test_examples_are_questions_of_the_collection(client: Client) -> None:
    """A title that is a question is one as long as it is answered; without it there is none."""
    added = client.add_text("A hen clucks at six.", title="When clucks a hen?", uri="note:when")
    assert isinstance(added, schemas.DocumentsAdded)
    found = client.examples()
    assert isinstance(found, schemas.Examples)
    assert found.questions == ["When clucks a hen?"]
    assert found.generation == client.index().generation
    client.delete(added.documents[0].document.id)
    assert client.examples(collection="default").questions == []


def test_a_batch_has_a_result_for_each(client: Client) -> None:
    """Texts and whole requests alike; a problem is in its place."""
    results = client.batch([OWL, schemas.AskRequest(question=OWL, collection="no")]).results
    assert isinstance(results[0].response, schemas.AskResponse)
    assert results[0].problem is msgspec.UNSET
    assert isinstance(results[1].problem, schemas.Problem)
    assert results[1].problem.status == 404


def test_documents_come_and_go(client: Client, tmp_path: Path) -> None:
    """A file is added, listed, shown, replaced by another of its name, and deleted."""
    file = tmp_path / "büro.txt"
    file.write_text("The bureau opens at nine.", encoding="utf-8")
    added = client.add_file(file)
    assert isinstance(added, schemas.DocumentsAdded)
    document = added.documents[0].document
    assert (document.uri, added.documents[0].status) == ("upload:büro.txt", "added")
    assert client.text(document.id) == "The bureau opens at nine."
    assert document in client.documents(search="büro").documents
    assert client.document(document.id).document == document
    file.write_text("The bureau opens at ten.", encoding="utf-8")
    again = client.add_file(str(file))
    assert isinstance(again, schemas.DocumentsAdded)
    assert again.documents[0].status == "replaced"
    client.delete(document.id)
    with pytest.raises(NotFound, match="No document has the id"):
        client.document(document.id)


def test_a_large_file_becomes_a_job_that_can_be_waited_for(client: Client, tmp_path: Path) -> None:
    """The job is done when its text is searchable; one that cannot be read raises why."""
    file = tmp_path / "large.txt"
    file.write_text("A stork claps. " * 500)
    job = client.add_file(file)
    assert isinstance(job, schemas.Job)
    done = client.wait(job)
    assert (done.status, done.documents) == ("done", 1)
    assert client.job(job.id) == done
    assert done in client.jobs().jobs
    assert "stork" in client.search("stork claps", k=1).hits[0].text
    broken = tmp_path / "broken.txt"
    broken.write_text(" " * 2000)
    job = client.add_file(broken, wait=False)
    assert isinstance(job, schemas.Job)
    with pytest.raises(JobFailed) as caught:
        client.wait(job)
    assert caught.value.job.status == "failed"
    with pytest.raises(Conflict):
        client.cancel_job(job.id)


def test_collections_are_made_and_taken_away(client: Client) -> None:
    """A new one is listed, empty, asked apart from the others, and gone after."""
    assert client.create_collection("letters").documents == 0
    assert [each.name for each in client.collections().collections] == ["default", "letters"]
    client.add_text("A letter came.", collection="letters")
    assert client.index(collection="letters").documents == 1
    assert [hit.text for hit in client.search("came", collection="letters").hits] == [
        "A letter came."
    ]
    assert client.delete_collection("letters").name == "letters"
    with pytest.raises(NotFound):
        client.index(collection="letters")


def test_feedback_and_health(client: Client) -> None:
    """Said twice it is known; the service is ready."""
    said = schemas.FeedbackRequest(question=OWL, generation=1, verdict="wrong")
    assert [client.feedback(said).status for _ in range(2)] == ["stored", "known"]
    assert client.health().status == "ok"


def test_a_problem_is_an_error_that_carries_it(client: Client) -> None:
    """Type, pointer and status of the problem are there; the message is its detail."""
    with pytest.raises(InvalidRequest) as caught:
        client.ask(" ")
    assert caught.value.problem.type == "urn:chapterverse:problem:invalid-request"
    assert caught.value.problem.pointer == "/question"
    assert str(caught.value) == caught.value.problem.detail
    with pytest.raises(InvalidRequest):
        list(client.stream(" "))
    with pytest.raises(NotFound):
        client.document("a/../b?c#d")


def test_the_async_client_does_the_same(address: str, tmp_path: Path) -> None:
    """Each method of one is one of the other; several questions are under way at once."""

    async def main() -> None:
        async with AsyncClient(address) as client:
            whole = await client.ask(OWL, k=2)
            events = [event async for event in client.stream(OWL, k=2)]
            assert events[1:-1] == whole.answers
            asked = await asyncio.gather(*(client.ask(OWL, k=2) for _ in range(8)))
            assert {answered.answers[0].text for answered in asked} == {whole.answers[0].text}
            file = tmp_path / "async.txt"
            file.write_text("A crane dances. " * 500)
            job = await client.add_file(file)
            assert isinstance(job, schemas.Job)
            assert (await client.wait(job)).status == "done"
            with pytest.raises(NotFound):
                await client.index(collection="no")

    asyncio.run(main())
    names = [{name for name in vars(class_) if name[0] != "_"} for class_ in (Client, AsyncClient)]
    assert names[0] == names[1]


def scripted(*responses: httpx.Response) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """A transport that gives responses in order, and the requests that it got."""
    got: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        request.read()
        got.append(request)
        return responses[len(got) - 1]

    return httpx.MockTransport(handle), got


def refusal(status: int, *, after: str | None = None, kind: str = "busy") -> httpx.Response:
    problem = schemas.Problem(
        type=f"urn:chapterverse:problem:{kind}", title="No", status=status, detail="Not now."
    )
    headers = {} if after is None else {"Retry-After": after}
    return httpx.Response(status, content=msgspec.json.encode(problem), headers=headers)


HEALTHY = httpx.Response(200, json={"collections": []})


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the client waited, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr("rag.client.sync.time.sleep", waited.append)
    return waited


def test_what_is_put_off_is_tried_again_when_the_service_says(slept: list[float]) -> None:
    """503 and 429 with Retry-After, each after that time; the third try succeeds."""
    transport, got = scripted(refusal(503, after="2"), refusal(429, after="5"), HEALTHY)
    with Client(transport=transport, key="k") as client:
        assert client.collections().collections == []
    assert slept == [2.0, 5.0]
    assert [request.headers["authorization"] for request in got] == ["Bearer k"] * 3


@pytest.mark.parametrize(
    ("response", "retries"),
    [
        pytest.param(refusal(503), 4, id="no time told"),
        pytest.param(refusal(503, after="31"), 4, id="longer than the patience"),
        pytest.param(refusal(503, after="soon"), 4, id="no number"),
        pytest.param(refusal(503, after="1", kind="timeout"), 4, id="took too long"),
        pytest.param(refusal(503, after="1"), 0, id="no tries left"),
        pytest.param(refusal(500, after="1"), 4, id="a fault"),
        pytest.param(refusal(404, after="1"), 4, id="not found"),
    ],
)
def test_nothing_else_is_tried_again(
    response: httpx.Response, retries: int, slept: list[float]
) -> None:
    """One request, no wait, and the error at once."""
    transport, got = scripted(response)
    with Client(transport=transport, retries=retries) as client, pytest.raises(ServiceError):
        client.collections()
    assert (len(got), slept) == (1, [])


def test_tries_and_waiting_are_bounded(slept: list[float]) -> None:
    """No more tries than allowed, and no more seconds in all; then the error with the hint."""
    transport, got = scripted(*[refusal(503, after="1")] * 9)
    with Client(transport=transport, retries=3) as client:
        with pytest.raises(ServiceError) as caught:
            client.collections()
        assert caught.value.retry_after == 1.0
    assert (len(got), slept) == (4, [1.0] * 3)
    del slept[:]
    transport, got = scripted(*[refusal(429, after="4")] * 9)
    client = Client(transport=transport, retries=9, patience=10)
    with client, pytest.raises(ServiceError):
        client.collections()
    assert slept == [4.0, 4.0]


def test_a_file_is_sent_whole_at_each_try(tmp_path: Path, slept: list[float]) -> None:
    """A second try begins at the file's first byte again."""
    file = tmp_path / "a.txt"
    file.write_bytes(b"0123456789" * 100_000)
    done = httpx.Response(200, json={"generation": 1, "documents": []})
    transport, got = scripted(refusal(503, after="1"), done)
    with Client(transport=transport) as client:
        client.add_file(file)
    assert slept == [1.0]
    assert [request.content.count(b"0123456789") for request in got] == [100_000] * 2


def test_a_file_is_not_held_in_memory(tmp_path: Path) -> None:
    """What goes out goes out in parts far smaller than the file."""
    file = tmp_path / "a.txt"
    file.write_bytes(b"x" * 10_000_000)
    sizes: list[int] = []

    class Counting(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            stream: Any = request.stream
            sizes.extend(len(part) for part in stream)
            return httpx.Response(200, json={"generation": 1, "documents": []})

    with Client(transport=Counting()) as client:
        client.add_file(file)
    assert sum(sizes) > 10_000_000
    assert max(sizes) <= 1_000_000


def test_what_is_between_here_and_the_service_is_told(slept: list[float]) -> None:
    """A proxy's page is a problem with its status and its beginning."""
    transport, _ = scripted(httpx.Response(502, text="<html>Bad Gateway"))
    with Client(transport=transport) as client, pytest.raises(ServiceError) as caught:
        client.collections()
    assert caught.value.problem.status == 502
    assert "Bad Gateway" in str(caught.value)
    assert slept == []


def test_a_stream_that_is_cut_off_is_told() -> None:
    """Without `done` it is not whole; a problem in it is the error that it is."""
    hits = b'event: hits\ndata: {"question":"q","generation":1,"passages":[],"timings_ms":{}}\n\n'
    problem = b"event: problem\ndata: " + refusal(503).content + b"\n\n"
    for rest, error in [(b": wait\n\n", StreamEnded), (problem, ServiceError)]:
        transport, _ = scripted(httpx.Response(200, content=hits + rest))
        with Client(transport=transport) as client:
            events = client.stream("q")
            assert isinstance(next(events), schemas.Hits)
            with pytest.raises(error):
                next(events)


def test_every_route_of_the_contract_has_a_call() -> None:
    """Paths and methods of the calls are those of the OpenAPI document."""
    from tests.api import write_openapi

    document = msgspec.json.decode(write_openapi.FILE.read_bytes())
    documented = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    made = [
        *(calls.ask("q"), calls.stream("q"), calls.batch(["q"]), calls.search("q")),
        *(calls.add_text("t"), calls.documents(), calls.document("ID"), calls.text("ID")),
        *(calls.delete("ID"), calls.verify([]), calls.index(), calls.collections()),
        *(calls.create_collection("ID"), calls.delete_collection("ID"), calls.jobs()),
        *(calls.job("ID"), calls.cancel_job("ID"), calls.health(), calls.examples()),
        calls.feedback(schemas.FeedbackRequest(question="q", generation=1, verdict="right")),
    ]
    names = {"documents": "document_id", "jobs": "job_id", "collections": "name"}

    def template(path: str) -> str:
        for kind, name in names.items():
            path = path.replace(f"/{kind}/ID", f"/{kind}/{{{name}}}")
        return path

    assert {(call.method, template(call.path)) for call in made} == documented - {
        ("GET", "/health/live")
    }


def test_the_client_loads_nothing_of_the_service() -> None:
    """No model, framework, index or database comes with it."""
    code = (
        "import sys, rag.client; "
        "print(sorted({name.partition('.')[0] for name in sys.modules} & "
        "{'torch', 'transformers', 'litestar', 'faiss', 'numpy', 'apsw', 'openvino', 'tantivy'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
