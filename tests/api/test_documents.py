"""Documents over HTTP: what is added is found at once, what is deleted is not."""

import hashlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

Client = TestClient[Litestar]

MIMI = "The cat Mimi sleeps on the red sofa."


@pytest.fixture
def added(client: Client) -> Iterator[list[str]]:
    """Ids of documents to delete after the test."""
    ids: list[str] = []
    yield ids
    for id_ in set(ids):
        client.delete(f"/v1/documents/{id_}")


def upload(client: Client, name: str, content: bytes, ids: list[str]) -> Any:
    response = client.post("/v1/documents", files={"file": (name, content)})
    if response.status_code < 300:
        ids += [item["document"]["id"] for item in response.json()["documents"]]
    return response


def test_a_text_is_found_by_the_next_question(
    client: Client, ask: Callable[..., Any], added: list[str]
) -> None:
    """201 with all that is known of it; the very next question answers from it."""
    given = {
        "text": MIMI,
        "title": "Cats",
        "uri": "note:cats",
        "published": "2024-02-29",
        "metadata": {"owner": "Ann"},
    }
    response = client.post("/v1/documents", json=given)
    assert response.status_code == 201
    (item,) = response.json()["documents"]
    document = item["document"]
    added.append(document["id"])
    assert item["status"] == "added"
    assert {key: document[key] for key in ("title", "uri", "published", "metadata")} == {
        key: given[key] for key in ("title", "uri", "published", "metadata")
    }
    assert (document["media_type"], document["characters"]) == ("text/plain", len(MIMI))
    answered = ask("Where does Mimi sleep?", answers=1)
    assert answered["generation"] == response.json()["generation"]
    assert "red sofa" in answered["answers"][0]["text"]
    assert answered["answers"][0]["citations"][0]["document"]["id"] == document["id"]


def test_an_upload_is_known_by_its_name(client: Client, added: list[str]) -> None:
    """The uri has the name without directories, the version is the digest of the bytes."""
    content = b"# Otters\r\n\r\nOtters hold hands while they sleep.\r\n"
    response = upload(client, "C:\\pets\\otters.md", content, added)
    assert response.status_code == 201
    document = response.json()["documents"][0]["document"]
    assert document["uri"] == "upload:otters.md"
    assert document["title"] == "Otters"
    assert document["version"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    text = client.get(f"/v1/documents/{document['id']}/text")
    assert text.content == content
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert text.headers["content-disposition"] == "attachment"


def test_the_same_again_is_unchanged_and_other_bytes_replace(
    client: Client, ask: Callable[..., Any], added: list[str]
) -> None:
    """200 and the same generation for the same bytes; other bytes take the place of the first."""
    first = upload(client, "zoo.txt", b"The zebra Zora lives in Basel.", added)
    again = upload(client, "zoo.txt", b"The zebra Zora lives in Basel.", added)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["documents"][0]["status"] == "unchanged"
    assert again.json()["generation"] == first.json()["generation"]
    other = upload(client, "zoo.txt", b"The zebra Zora lives in Vienna.", added)
    assert other.status_code == 201
    assert other.json()["documents"][0]["status"] == "replaced"
    id_ = other.json()["documents"][0]["document"]["id"]
    assert id_ == first.json()["documents"][0]["document"]["id"]
    answers = ask("Where does the zebra Zora live?", answers=20, min_confidence=0)["answers"]
    assert "Vienna" in answers[0]["text"]
    assert "Basel" not in "".join(answer["text"] for answer in answers)


def test_a_deleted_document_answers_nothing(
    client: Client, ask: Callable[..., Any], added: list[str]
) -> None:
    """204; then it is unknown everywhere and no passage or answer comes from it."""
    response = upload(client, "gone.txt", b"The yak Yuri drinks only lemonade.", added)
    id_ = response.json()["documents"][0]["document"]["id"]
    assert "lemonade" in ask("What does the yak Yuri drink?")["answers"][0]["text"]
    deleted = client.delete(f"/v1/documents/{id_}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    asked = ask("What does the yak Yuri drink?", k=20, answers=20, min_confidence=0)
    assert asked["generation"] > response.json()["generation"]
    assert id_ not in {passage["document"]["id"] for passage in asked["passages"]}
    assert "lemonade" not in str(asked["answers"])
    for path in ("", "/text"):
        assert client.get(f"/v1/documents/{id_}{path}").status_code == 404
    assert client.delete(f"/v1/documents/{id_}").status_code == 404
    body = {"citations": [{"document": id_, "start": 0, "end": 3, "quote": "The"}]}
    verified = client.post("/v1/citations/verify", json=body).json()
    assert verified["results"][0]["status"] == "unknown"


def test_a_file_of_records_gives_several_documents(client: Client, added: list[str]) -> None:
    """Each line of a .jsonl file is a document of its own."""
    lines = b'{"id": "a", "text": "Ants march."}\n{"id": "b", "text": "Bees dance."}\n'
    response = upload(client, "animals.jsonl", lines, added)
    assert response.status_code == 201
    uris = [item["document"]["uri"] for item in response.json()["documents"]]
    assert uris == ["upload:animals.jsonl#a", "upload:animals.jsonl#b"]


def test_a_batch_with_one_bad_record_changes_nothing(client: Client, added: list[str]) -> None:
    """A refused upload leaves no half of itself."""
    before = client.get("/v1/documents").json()
    response = upload(client, "bad.jsonl", b'{"text": "Ants march."}\n{"text": ', added)
    assert response.status_code == 422
    assert client.get("/v1/documents").json() == before


def test_the_list_is_by_uri_and_in_pages(client: Client) -> None:
    """Pages put together are the whole list; beyond the end a page is empty."""
    whole = client.get("/v1/documents").json()
    assert whole["total"] == len(whole["documents"]) == 5
    uris = [document["uri"] for document in whole["documents"]]
    assert uris == sorted(uris)
    paged = []
    for offset in range(0, 6, 2):
        page = client.get("/v1/documents", params={"limit": 2, "offset": offset}).json()
        assert page["total"] == 5
        paged += page["documents"]
    assert paged == whole["documents"]
    assert client.get("/v1/documents", params={"offset": 5}).json()["documents"] == []


def test_a_document_is_shown_with_its_structure(client: Client) -> None:
    """Sections cover the text in order; a Markdown file has no pages."""
    listed = client.get("/v1/documents").json()["documents"][0]
    detail = client.get(f"/v1/documents/{listed['id']}").json()
    assert detail["document"] == listed
    sections = detail["sections"]
    assert sections[0]["start"] == 0
    assert sections[-1]["end"] == listed["characters"]
    assert all(a["end"] == b["start"] for a, b in pairwise(sections))
    assert detail["pages"] == []


def test_a_search_finds_titles_and_uris_whatever_their_case(
    client: Client, added: list[str]
) -> None:
    """Only matches are listed and counted, in the same order; umlauts and forms fold too."""
    for name, title in (("one.txt", "STRASSE in Köln"), ("ÄRGER.txt", "Two"), ("b_%.txt", "Three")):
        given = {"text": MIMI + name, "title": title, "uri": f"note:{name}"}
        response = client.post("/v1/documents", json=given)
        added.append(response.json()["documents"][0]["document"]["id"])

    def found(search: str, **more: int) -> tuple[int, list[str]]:
        listed = client.get("/v1/documents", params={"search": search, **more}).json()
        return listed["total"], [document["uri"] for document in listed["documents"]]

    assert found("straße in köln") == (1, ["note:one.txt"])
    assert found("ärg") == (1, ["note:ÄRGER.txt"])
    assert found("_%") == (1, ["note:b_%.txt"])
    assert found("NOTE:") == (3, ["note:b_%.txt", "note:one.txt", "note:ÄRGER.txt"])
    assert found("note:", limit=1, offset=1) == (3, ["note:one.txt"])
    assert found("note:", offset=3) == (3, [])
    assert found("no such thing") == (0, [])
    assert found("\0") == (0, [])
    assert client.get("/v1/documents", params={"search": "x" * 201}).status_code == 400
