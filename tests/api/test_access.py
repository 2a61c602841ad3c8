"""Keys over HTTP: every route refuses all but the keys that may, and tells nothing of the rest."""

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, get
from litestar.enums import HttpMethod
from litestar.routes import HTTPRoute
from litestar.testing import TestClient

from rag.api.access import is_open
from rag.api.app import create_app
from rag.api.protection import Protection
from rag.errors import DamagedKeys
from rag.keys import SCOPES, KeyFile, Scope
from tests.api.raw import PATIENCE, Answered, ask_raw
from tests.services import FakeOpening, make_service

MINE, THEIRS, NOBODYS = "mine", "theirs", "nobody"
OWLS = "Owls hoot at night."
OPEN_PATHS = ["/", "/health/live", "/health/ready", "/page/{name}"]
FRAMEWORKS_OWN = ("/openapi.json", "/docs")


class World:
    """A service with keys and two collections, one of which no limited key reaches."""

    def __init__(self, home: Path) -> None:
        self.keys = KeyFile(home)
        self.opening = FakeOpening(home)
        self.admin = self.key(SCOPES)
        service = make_service(home, self.opening, job_bytes=10_000, queue=64)
        protection = Protection(keys=self.keys, rate=0, failures=0, hosts=(), origins=())
        self.app = create_app(service, protection=protection)
        self.client = TestClient(self.app)

    def key(self, scopes: Sequence[Scope], *, collections: Sequence[str] | None = None) -> str:
        """Return what the holder of a new key sends."""
        _, presented = self.keys.create("test", scopes=scopes, collections=collections)
        return f"Bearer {presented}"

    def ask(self, method: str, path: str, *, key: str | None, **request: Any) -> Answered:
        """Return the response to a request with a key."""
        headers = {} if key is None else {"authorization": key}
        return ask_raw(
            self.client, method, path, headers=headers | request.pop("headers", {}), **request
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """`mine` and `theirs` have a document and a finished job each."""
    world = World(tmp_path_factory.mktemp("access"))
    with world.client as client:
        client.headers["authorization"] = world.admin
        assert client.get("/v1/index").json()["documents"] == 0  # the default one is made
        for name in (MINE, THEIRS):
            assert client.post("/v1/collections", json={"name": name}).status_code == 201
            body = {"text": OWLS, "uri": f"note:{name}", "collection": name}
            assert client.post("/v1/documents", json=body).status_code == 201
            job = client.post("/v1/documents?wait=false", json=body)
            assert job.status_code == 202
            deadline = time.monotonic() + PATIENCE
            while client.get(f"/v1/jobs/{job.json()['id']}").json()["status"] != "done":
                assert time.monotonic() < deadline
                time.sleep(0.01)
        yield world


def routes(app: Litestar) -> list[tuple[str, str, str | None]]:
    """Return method, path and scope of every route, but for what tells the methods of a path."""
    return [
        (method, route.path_format, handler.opt.get("scope"))
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != HttpMethod.OPTIONS
    ]


def address(path: str) -> str:
    """Return a path with something in the place of its parameters."""
    return path.replace("{", "").replace("}", "")


def test_every_route_has_a_scope(world: World) -> None:
    """One of the three, or it is open; those are the health checks and the page, by path too."""
    found = routes(world.app)
    assert len(found) > 20
    for method, path, scope in found:
        assert scope in {*SCOPES, "open"}, f"{method} {path} needs a scope"
        assert (scope == "open") == is_open(address(path)) == (path in OPEN_PATHS), path


def without_dates(answered: Answered) -> Answered:
    """Return a response without what differs from one to the next in any case."""
    kept = {
        name: value
        for name, value in answered.headers.items()
        if name not in {"date", "x-request-id", "server-timing"}
    }
    return Answered(status=answered.status, headers=kept, body=answered.body)


def test_no_route_answers_without_a_valid_key(world: World) -> None:
    """401 with a challenge, the same whatever is wrong with the key, and no body is read."""
    revoked, expired = (
        world.keys.create("a", scopes=SCOPES),
        world.keys.create("b", scopes=SCOPES, lifetime=timedelta(microseconds=1)),
    )
    world.keys.revoke(revoked[0].id)
    assert expired[0].state(datetime.now(UTC)) == "expired"
    valid = world.admin.removeprefix("Bearer ")
    wrong = [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Basic {valid}",
        valid,
        f"Bearer {valid[:-1]}",
        f"Bearer {valid}x",
        f"Bearer x{valid}",
        f"Bearer {valid} {valid}",
        f"Bearer {valid},Bearer {valid}",
        "Bearer cvk_000000000000_" + "A" * 43,
        f"Bearer {valid[:-43]}{'A' * 43}",
        "Bearer \xff\xfe",
        f"Bearer {revoked[1]}",
        f"Bearer {expired[1]}",
    ]
    refused = 0
    for method, path, scope in routes(world.app):
        if scope == "open":
            continue
        answers = [
            without_dates(world.ask(method, address(path), key=key, body=None)) for key in wrong
        ]
        first = answers[0]
        assert (first.status, first.headers["www-authenticate"]) == (401, "Bearer"), path
        assert first.headers["content-type"] == "application/problem+json"
        assert first.headers["x-content-type-options"] == "nosniff"
        if method != "HEAD":
            assert json.loads(first.body)["type"] == "urn:chapterverse:problem:unauthorized"
        assert all(answer == first for answer in answers), path
        refused += len(answers)
    assert refused >= 300


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "HEAD", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/v1",
        "/v1/ask",
        "//",
        "//health/live",
        "/health",
        "/page",
        "/Health/live",
        "/pagex",
    ],
)
def test_what_is_not_there_is_not_told_without_a_key(world: World, method: str, path: str) -> None:
    """401, not 404 or 405: without a key nobody learns which routes there are."""
    assert world.ask(method, path, key=None, body=None).status == 401


def test_two_keys_at_once_are_none(world: World) -> None:
    """A request that carries a valid key and another one is refused."""
    headers = [("authorization", world.admin), ("authorization", world.admin)]
    assert world.client.get("/v1/index", headers=headers).status_code == 401


def test_the_word_before_a_key_is_in_any_case(world: World) -> None:
    """RFC 9110: the scheme is not case-sensitive, the key is."""
    key = world.admin.removeprefix("Bearer ")
    assert world.ask("GET", "/v1/index", key=f"bEARER {key}").status == 200
    assert world.ask("GET", "/v1/index", key=f"Bearer {key.upper()}").status == 401


def test_no_route_answers_a_key_without_its_scope(world: World) -> None:
    """403 that names the scope, and no body is read; admin may do all."""
    limited: dict[Scope, list[str]] = {
        scope: [world.key([other]) for other in SCOPES[:2] if other != scope] for scope in SCOPES
    }
    refused = 0
    for method, path, scope in routes(world.app):
        if scope == "open":
            continue
        for key in limited[scope]:
            answered = world.ask(method, address(path), key=key, body=None)
            assert answered.status == 403, path
            problem = json.loads(answered.body)
            assert problem["type"] == "urn:chapterverse:problem:forbidden"
            assert f"scope {scope}" in problem["detail"]
            refused += 1
    assert refused > 20
    assert world.ask("GET", "/v1/jobs", key=world.admin).status == 200
    assert world.ask("GET", "/v1/index", key=world.admin).status == 200


def test_a_route_without_a_scope_is_refused_to_everybody(tmp_path: Path) -> None:
    """Whoever forgets it has a route that nobody can use, keys or none."""

    @get("/v1/forgotten", sync_to_thread=False)
    def forgotten() -> str:
        return "secret"

    app = create_app(make_service(tmp_path))
    app.register(forgotten)
    with TestClient(app) as client:
        answered = ask_raw(client, "GET", "/v1/forgotten")
    assert (answered.status, b"secret" in answered.body) == (403, False)


def test_open_paths_need_no_key(world: World) -> None:
    """The health checks, the page and its files."""
    for path in ("/", "/page/main.js", "/health/live", "/health/ready"):
        assert world.ask("GET", path, key=None).status == 200
        assert world.ask("GET", path, key="Bearer nonsense").status == 200


CITATION = {"document": "d", "start": 0, "end": 4, "quote": "Owls"}
# A request that names a collection in its body, for each route that takes one there.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/ask"): {"question": "Who hoots?"},
    ("POST", "/v1/ask/batch"): {},
    ("POST", "/v1/search"): {"question": "Who hoots?"},
    ("POST", "/v1/documents"): {"text": "Cats purr.", "uri": "note:cats"},
    ("POST", "/v1/citations/verify"): {"citations": [CITATION]},
    ("POST", "/v1/feedback"): {"question": "Who?", "generation": 0, "verdict": "right"},
}
# What names none: lists of what a key reaches, and admin's, which reaches all.
WITHOUT_COLLECTION = {
    ("GET", "/v1/collections"),
    ("POST", "/v1/collections"),
    ("DELETE", "/v1/collections/{name}"),
    ("GET", "/v1/jobs"),
    ("GET", "/v1/jobs/{job_id}"),
    ("DELETE", "/v1/jobs/{job_id}"),
    ("GET", "/metrics"),
}
QUERIES = {"/v1/ask/stream": "question=Who%20hoots%3F"}


def naming(world: World, collection: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield a request to every route that takes a collection, naming this one."""
    document = world.client.get(f"/v1/documents?collection={THEIRS}").json()["documents"][0]["id"]
    handlers = {
        (method, route.path_format): handler
        for route in world.app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods - {HttpMethod.OPTIONS}
    }
    for (method, path), handler in handlers.items():
        if handler.opt.get("scope") == "open" or path.startswith(FRAMEWORKS_OWN):
            continue
        if (method, path) in WITHOUT_COLLECTION:
            continue
        target = path.replace("{document_id}", document)
        if "collection" in handler.opt.get("query", ()):
            query = "&".join(filter(None, [QUERIES.get(path), f"collection={collection}"]))
            yield method, target, {"query": query}
            continue
        body = BODIES[method, path] | {"collection": collection}
        if path == "/v1/ask/batch":
            body = {"questions": [BODIES["POST", "/v1/ask"] | {"collection": collection}] * 2}
        yield method, target, {"body": json.dumps(body).encode()}
    form = (
        f'--x\r\nContent-Disposition: form-data; name="collection"\r\n\r\n{collection}\r\n'
        '--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nCats.\r\n'
        "--x--\r\n"
    ).encode()
    headers = {"content-type": "multipart/form-data; boundary=x"}
    for wait in ("", "wait=true", "wait=false"):
        yield "POST", "/v1/documents", {"query": wait, "body": form, "headers": headers}


def unnamed(answered: Answered, *names: str) -> Answered:
    """Return a response without names, and without what differs in any case."""
    body = answered.body
    for name in names:
        body = body.replace(name.encode(), b"NAME")
    kept = without_dates(answered)
    return Answered(status=kept.status, headers=kept.headers, body=body)


def test_another_collection_is_as_good_as_none(world: World) -> None:
    """Whole responses are the same for one that exists and one that does not, on every route.

    The name stands in the body of some, which is read then, and before it no collection is touched.
    """
    assert len(THEIRS) == len(NOBODYS)  # so that lengths can be compared as they are
    key = world.key(["ask", "write"], collections=[MINE])
    compared = 0
    world.opening.opened.clear()
    existing, missing = list(naming(world, THEIRS)), list(naming(world, NOBODYS))
    world.opening.opened.clear()
    for (method, path, there), (_, _, gone) in zip(existing, missing, strict=True):
        one = unnamed(world.ask(method, path, key=key, **dict(there)), THEIRS)
        other = unnamed(world.ask(method, path, key=key, **dict(gone)), NOBODYS)
        assert one == other, path
        if path == "/v1/ask/batch":
            results = json.loads(one.body)["results"]
            assert [result["problem"]["status"] for result in results] == [404, 404]
        else:
            assert one.status == 404, path
            assert json.loads(one.body)["type"] == "urn:chapterverse:problem:not-found"
        assert MINE.encode() not in one.body
        compared += 1
    assert compared >= 12
    assert world.opening.opened == []
    assert world.client.get(f"/v1/documents?collection={THEIRS}").json()["total"] == 1


def test_a_collection_that_is_no_more_names_no_other(world: World) -> None:
    """404 to a key that was granted one that is gone; the message is that of one never granted."""
    granted = world.key(["ask"], collections=[NOBODYS])
    other = world.key(["ask"], collections=[MINE])
    answers = [
        without_dates(world.ask("GET", "/v1/index", key=key, query=f"collection={NOBODYS}"))
        for key in (granted, other, world.admin)
    ]
    assert answers[0].status == 404
    assert answers[0] == answers[1] == answers[2]


def test_lists_hold_what_a_key_reaches(world: World) -> None:
    """Collections and jobs of others are not in them, however few are asked for."""
    key = world.key(["ask", "write"], collections=[MINE])
    listed = json.loads(world.ask("GET", "/v1/collections", key=key).body)["collections"]
    assert [collection["name"] for collection in listed] == [MINE]
    every = json.loads(world.ask("GET", "/v1/collections", key=world.admin).body)["collections"]
    assert [collection["name"] for collection in every] == ["default", MINE, THEIRS]
    for query in ("", "limit=1"):
        jobs = json.loads(world.ask("GET", "/v1/jobs", key=key, query=query).body)["jobs"]
        assert [job["collection"] for job in jobs] == [MINE]
    jobs = json.loads(world.ask("GET", "/v1/jobs", key=world.admin).body)["jobs"]
    assert [job["collection"] for job in jobs] == [THEIRS, MINE]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_job_of_another_collection_is_as_good_as_none(world: World, method: str) -> None:
    """404, word for word that of an id which no job ever had; its own job can be seen."""
    key = world.key(["write"], collections=[MINE])
    jobs = json.loads(world.ask("GET", "/v1/jobs", key=world.admin).body)["jobs"]
    ids = {job["collection"]: job["id"] for job in jobs}
    none = "0" * len(ids[THEIRS])
    theirs = unnamed(world.ask(method, f"/v1/jobs/{ids[THEIRS]}", key=key), ids[THEIRS])
    assert theirs == unnamed(world.ask(method, f"/v1/jobs/{none}", key=key), none)
    assert theirs.status == 404
    own = world.ask(method, f"/v1/jobs/{ids[MINE]}", key=key)
    assert own.status == {"GET": 200, "DELETE": 409}[method]  # it is finished


def test_a_limited_key_does_in_its_collection_what_its_scopes_say(world: World) -> None:
    """It asks, adds, and deletes there; what it made is nowhere else."""
    key = world.key(["ask", "write"], collections=[MINE])

    def send(method: str, path: str, **request: Any) -> Answered:
        if "json" in request:
            request["body"] = json.dumps(request.pop("json")).encode()
        return world.ask(method, path, key=key, **request)

    body = {"text": "Foxes bark.", "uri": "note:foxes", "collection": MINE}
    added = json.loads(send("POST", "/v1/documents", json=body).body)["documents"][0]["document"]
    query = f"collection={MINE}"
    assert send("GET", f"/v1/documents/{added['id']}/text", query=query).body == b"Foxes bark."
    asked = send("POST", "/v1/ask", json={"question": "Who barks?", "collection": MINE})
    assert b"Foxes bark." in asked.body
    assert send("DELETE", f"/v1/documents/{added['id']}", query=query).status == 204
    assert send("GET", f"/v1/documents/{added['id']}", query=query).status == 404


def test_keys_made_and_revoked_while_the_service_runs_count_at_once(world: World) -> None:
    """From the next request on, without a restart."""
    other = KeyFile(world.keys.path.parent)
    key, presented = other.create("late", scopes=["ask"])
    for _ in range(2):
        assert world.ask("GET", "/v1/collections", key=f"Bearer {presented}").status == 200
    other.revoke(key.id)
    assert world.ask("GET", "/v1/collections", key=f"Bearer {presented}").status == 401


def test_damaged_keys_let_nobody_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """503 to valid keys too, without a word of where the file lies, which the log tells."""
    world = World(tmp_path)
    with world.client:
        check_damage(world, tmp_path, caplog)


def check_damage(world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = world.keys.path.read_bytes()
    world.keys.path.write_bytes(whole[:-20])
    with pytest.raises(DamagedKeys):
        world.keys.all()
    for method, path, scope in routes(world.app):
        answered = world.ask(method, address(path), key=world.admin, body=None)
        if scope != "open":
            assert answered.status == 503
            assert json.loads(answered.body)["type"] == "urn:chapterverse:problem:damaged-keys"
            assert str(tmp_path).encode() not in answered.body
    assert "keys.json is damaged" in caplog.text
    assert world.ask("GET", "/health/live", key=None).status == 200
    world.keys.path.write_bytes(whole)
    assert world.ask("GET", "/v1/jobs", key=world.admin).status == 200
    world.keys.path.unlink()
    assert world.ask("GET", "/v1/jobs", key=world.admin).status == 401
