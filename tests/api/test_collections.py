"""Several collections of one service: each a store of its own, none a filter on another."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from rag.api.app import create_app
from rag.home import Home
from tests import stores
from tests.services import FakeOpening, fingerprint, make_service

Client = TestClient[Litestar]

CATS = "The cat Mimi sleeps on the red sofa."
DOGS = "The dog Rex sleeps in the blue shed."
QUESTION = "Where does it sleep?"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A client of a service with the collections `default` and `other`."""
    with TestClient(create_app(make_service(tmp_path)), raise_server_exceptions=False) as opened:
        assert opened.post("/v1/collections", json={"name": "other"}).status_code == 201
        yield opened


def add(client: Client, text: str, *, collection: str, uri: str = "note:1") -> Any:
    response = client.post(
        "/v1/documents", json={"text": text, "uri": uri, "collection": collection}
    )
    assert response.status_code in {200, 201}, response.text
    return response.json()["documents"][0]


def texts(client: Client, collection: str) -> list[str]:
    """Return all that a search of a collection can find."""
    found = []
    for retriever in ("hybrid", "dense", "lexical"):
        fields = {"question": "sleeps Mimi Rex", "k": 100, "retriever": retriever}
        response = client.post("/v1/search", json=fields | {"collection": collection})
        assert response.status_code == 200
        found += [hit["text"] for hit in response.json()["hits"]]
    return sorted(set(found))


def test_the_same_uri_in_two_collections_is_two_documents(client: Client) -> None:
    """Adding to one neither replaces nor shows anything in the other."""
    cats = add(client, CATS, collection="default")
    dogs = add(client, DOGS, collection="other")
    assert (cats["status"], dogs["status"]) == ("added", "added")
    assert cats["document"]["id"] == dogs["document"]["id"]
    assert texts(client, "default") == [CATS]
    assert texts(client, "other") == [DOGS]
    for collection, text in (("default", CATS), ("other", DOGS)):
        asked = client.post("/v1/ask", json={"question": QUESTION, "collection": collection})
        quotes = [c["quote"] for a in asked.json()["answers"] for c in a["citations"]]
        assert quotes
        assert all(quote in text for quote in quotes)
        path = f"/v1/documents/{cats['document']['id']}"
        assert client.get(f"{path}/text", params={"collection": collection}).text == text
        detail = client.get(path, params={"collection": collection}).json()
        assert detail["document"]["characters"] == len(text)
        listed = client.get("/v1/documents", params={"collection": collection}).json()
        assert [d["version"] for d in listed["documents"]] == [detail["document"]["version"]]


def test_each_collection_counts_its_own_generations(client: Client) -> None:
    """Writes to one leave the generation of the other where it is."""
    for number in range(3):
        add(client, f"{CATS} {number}", collection="other")
    add(client, CATS, collection="default")
    generations = {
        name: client.get("/v1/index", params={"collection": name}).json()["generation"]
        for name in ("default", "other")
    }
    assert generations == {"default": 1, "other": 3}


def test_a_document_is_deleted_from_its_own_collection_alone(client: Client) -> None:
    """The one of the same id in another stays; the deleted one is in no answer any more."""
    id_ = add(client, CATS, collection="default")["document"]["id"]
    add(client, DOGS, collection="other")
    path = f"/v1/documents/{id_}"
    assert client.delete(path, params={"collection": "other"}).status_code == 204
    assert client.get(path, params={"collection": "other"}).status_code == 404
    assert client.delete(path, params={"collection": "other"}).status_code == 404
    assert texts(client, "other") == []
    assert texts(client, "default") == [CATS]
    assert client.get(path).status_code == 200


def test_a_citation_holds_in_its_own_collection_alone(client: Client) -> None:
    """What is valid in one is of a version that the other never had, and says so there."""
    document = add(client, CATS, collection="default")["document"]
    add(client, DOGS, collection="other")
    only_here = add(client, CATS, collection="default", uri="note:2")["document"]
    citations = [
        {"document": d["id"], "version": d["version"], "start": 4, "end": 12, "quote": "cat Mimi"}
        for d in (document, only_here)
    ]

    def verified(collection: str) -> list[str]:
        body = {"citations": citations, "collection": collection}
        response = client.post("/v1/citations/verify", json=body)
        return [result["status"] for result in response.json()["results"]]

    assert verified("default") == ["valid", "valid"]
    assert verified("other") == ["unknown", "unknown"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/documents"),
        ("GET", "/v1/documents/1"),
        ("GET", "/v1/documents/1/text"),
        ("DELETE", "/v1/documents/1"),
        ("GET", "/v1/index"),
    ],
)
def test_an_unknown_collection_is_not_found_and_not_made(
    client: Client, tmp_path: Path, method: str, path: str
) -> None:
    """404 naming it and no other, whatever is asked; no file comes into being."""
    before = sorted(tmp_path.rglob("*"))
    for name in ("no", "No", "../default", "default/", "", "a" * 65, "é", "-a"):
        response = client.request(method, path, params={"collection": name})
        assert response.status_code == 404
        assert response.json()["type"] == "urn:chapterverse:problem:not-found"
        assert repr(name) in response.json()["detail"]
        assert "other" not in response.json()["detail"]
    assert sorted(tmp_path.rglob("*")) == before


def test_what_can_name_no_collection_is_refused(client: Client, tmp_path: Path) -> None:
    """400 pointing at the name; no directory is made anywhere."""
    before = sorted(tmp_path.rglob("*"))
    for name in ("", "A", "../x", "a" * 65, "a b", "a\n", ".a", "_a", "é"):
        response = client.post("/v1/collections", json={"name": name})
        assert (response.status_code, response.json()["pointer"]) == (400, "/name")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_collection_is_made_once_and_no_more_than_are_allowed(client: Client) -> None:
    """409 for a second one of its name and for one too many (four in this service)."""
    add(client, CATS, collection="default")
    again = client.post("/v1/collections", json={"name": "other"})
    assert (again.status_code, again.json()["type"]) == (409, "urn:chapterverse:problem:conflict")
    for name in ("third", "fourth"):
        assert client.post("/v1/collections", json={"name": name}).status_code == 201
    refused = client.post("/v1/collections", json={"name": "fifth"})
    assert refused.status_code == 409
    assert "RAG_COLLECTIONS" in refused.json()["detail"]
    listed = client.get("/v1/collections").json()["collections"]
    assert [item["name"] for item in listed] == ["default", "fourth", "other", "third"]
    assert [item["documents"] for item in listed] == [1, 0, 0, 0]
    assert {item["state"] for item in listed} == {"ready"}


@pytest.mark.files_only
def test_a_deleted_collection_is_kept_aside_whole(client: Client, tmp_path: Path) -> None:
    """Its documents are found no more, its files lie in the home as they were; others stay."""
    add(client, CATS, collection="default")
    add(client, DOGS, collection="other")
    deleted = client.delete("/v1/collections/other")
    assert deleted.status_code == 200
    kept = tmp_path / deleted.json()["kept"]
    assert kept.parent == tmp_path / "deleted"
    with apsw.Connection(str(kept / "store.sqlite")) as connection:
        assert connection.execute("SELECT text FROM bodies").get == DOGS
    assert client.get("/v1/documents", params={"collection": "other"}).status_code == 404
    assert client.delete("/v1/collections/other").status_code == 404
    assert texts(client, "default") == [CATS]
    # A new one of the same name has nothing of it, and does nothing to it.
    assert client.post("/v1/collections", json={"name": "other"}).status_code == 201
    assert texts(client, "other") == []
    add(client, CATS, collection="other")
    assert client.delete("/v1/collections/other").json()["kept"] != deleted.json()["kept"]
    assert len(list((tmp_path / "deleted").iterdir())) == 2


def test_a_collection_that_is_brought_back_is_as_it_was(client: Client, tmp_path: Path) -> None:
    """What the answer to a deletion says can be undone can be undone."""
    add(client, DOGS, collection="other")
    kept = client.delete("/v1/collections/other").json()["kept"]
    assert client.get("/v1/documents", params={"collection": "other"}).status_code == 404
    stores.bring_back(tmp_path, kept=kept, name="other")
    assert texts(client, "other") == [DOGS]


def test_the_index_tells_what_it_holds_and_is_made_with(client: Client) -> None:
    """Counts of documents, chunks and characters; models, chunking and fingerprint; times."""
    client.post("/v1/collections", json={"name": "small", "chunk_tokens": 50})
    add(client, f"{CATS}\n{DOGS}", collection="small")
    add(client, "é😀", collection="small", uri="note:2")
    index = client.get("/v1/index", params={"collection": "small"}).json()
    assert index.pop("updated") >= "2026"
    assert index == {
        "collection": "small",
        "state": "ready",
        "reason": "",
        "generation": 2,
        "documents": 2,
        "chunks": 3,
        "characters": len(CATS) + len(DOGS) + 3,
        "embedder": {"name": "fake", "version": f"sha256:{'0' * 64}"},
        "reader": "sentence",
        "chunking": {"max_tokens": 50, "overlap_tokens": 0},
        "fingerprint": fingerprint(50),
        "stored_fingerprint": fingerprint(50),
        "created": "2026-01-31T12:00:00+00:00",
    }


def fill(home: Path, **collections: int) -> None:
    """Make a home with a document in each collection, made with the chunk sizes given."""
    for name, size in collections.items():
        opening = FakeOpening(home, chunk_tokens=size)
        if name != "default":
            opening.create(name, chunk_tokens=size)
        opened = Home(home, opening)
        store = opened.store(name)
        assert store.fingerprint == fingerprint(size)
        opened.close()


def test_a_stale_collection_says_how_to_mend_it_and_others_work(tmp_path: Path) -> None:
    """503 naming the command on every request; its index is told of all the same."""
    home = tmp_path / "home"
    home.mkdir()
    fill(home, default=100, other=100)
    # The environment's settings change: they are not those of `other`, which has its own.
    opening = FakeOpening(home, chunk_tokens=200)
    with TestClient(create_app(make_service(home, opening))) as client:
        for response in (
            client.post("/v1/ask", json={"question": QUESTION}),
            client.post("/v1/documents", json={"text": CATS}),
            client.get("/v1/documents"),
        ):
            assert response.status_code == 503
            assert response.json()["type"] == "urn:chapterverse:problem:stale-index"
            assert "rag reindex --collection default" in response.json()["detail"]
        index = client.get("/v1/index").json()
        assert (index["state"], index["documents"], index["generation"]) == ("stale", 0, 0)
        assert "rag reindex --collection default" in index["reason"]
        assert index["fingerprint"] == fingerprint(200)
        assert index["stored_fingerprint"] == fingerprint(100)
        add(client, CATS, collection="other")
        assert texts(client, "other") == [CATS]


def test_a_damaged_collection_is_told_and_others_work(tmp_path: Path) -> None:
    """503 with its own type; the index has no counts, for there is nothing to believe."""
    home = tmp_path / "home"
    home.mkdir()
    fill(home, default=200, other=200)
    stores.damage(home, "default")
    stores.write_recipe(home, "other", "{")
    opening = FakeOpening(home)
    opening.create("sound", chunk_tokens=None)
    with TestClient(create_app(make_service(home, opening))) as client:
        for name in ("default", "other"):
            fields = {"question": QUESTION, "collection": name}
            response = client.post("/v1/ask", json=fields)
            assert response.status_code == 503
            assert response.json()["type"] == "urn:chapterverse:problem:damaged-store"
            way_out = "rag snapshot restore" if stores.in_files() else "Restore a backup"
            assert way_out in response.json()["detail"]
        index = client.get("/v1/index").json()
        assert (index["state"], index["generation"], index["documents"]) == ("damaged", None, None)
        states = {
            c["name"]: c["state"] for c in client.get("/v1/collections").json()["collections"]
        }
        assert states == {"default": "damaged", "other": "damaged", "sound": "ready"}
        add(client, CATS, collection="sound")
        assert texts(client, "sound") == [CATS]


def test_a_collection_is_opened_once_by_many_at_once(tmp_path: Path) -> None:
    """Threads that ask for one at the same time get the same, and it stays open."""
    opening = FakeOpening(tmp_path)
    home = Home(tmp_path, opening)
    found: list[Any] = []
    call: Callable[[], None] = lambda: found.append(home.engine("default"))  # noqa: E731
    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({id(engine) for engine in found}) == 1
    assert opening.opened == ["default"]
    home.close()
