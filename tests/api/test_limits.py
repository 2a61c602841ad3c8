"""Limits: each holds where it is set, and tells what it is."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from rag.answering import WIDEST
from rag.api.app import create_app
from rag.api.protection import DEFAULT_RATE, Protection, protect
from rag.errors import DamagedKeys, SettingsError
from rag.keys import KeyFile
from rag.settings import read_settings
from tests.api.raw import PATIENCE, Answered, ask_raw
from tests.services import FakeOpening, make_service

ADDRESS = ("198.51.100.7", 40_000)


@contextmanager
def serving(
    home: Path, *, rate: int = 0, failures: int = 0, keys: KeyFile | None = None
) -> Iterator[TestClient[Litestar]]:
    """Give a client of a service with bounds."""
    protection = Protection(keys=keys, rate=rate, failures=failures, hosts=(), origins=())
    with TestClient(create_app(make_service(home), protection=protection)) as client:
        yield client


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time that is counted in, in seconds, which a test moves on."""
    now = [1_000_000.0]
    monkeypatch.setattr("limits.aio.storage.memory.time.time", lambda: now[0])
    return now


def fields(answered: Answered) -> tuple[int, int]:
    """Return how many requests remain, and for how many seconds, by the header fields."""
    match = re.fullmatch(r'"requests";r=(\d+);t=(\d+)', answered.headers["ratelimit"])
    assert match is not None, answered.headers["ratelimit"]
    return int(match[1]), int(match[2])


def test_a_key_has_so_many_requests_a_minute(tmp_path: Path, clock: list[float]) -> None:
    """Each answer tells how many remain; beyond, 429 with the time, to the moment; others go on."""
    keys = KeyFile(tmp_path)
    one, other = (f"Bearer {keys.create(name, scopes=['ask'])[1]}" for name in "ab")
    with serving(tmp_path, rate=3, keys=keys) as client:

        def ask(key: str, path: str = "/v1/collections", method: str = "GET") -> Answered:
            return ask_raw(client, method, path, headers={"authorization": key})

        assert [fields(ask(one)) for _ in range(2)] == [(2, 60), (1, 60)]
        clock[0] += 20
        last = ask(one, "/nope")  # what is not there counts too
        assert (last.status, fields(last)) == (404, (0, 40))
        assert last.headers["ratelimit-policy"] == '"requests";q=3;w=60'
        assert "retry-after" not in last.headers
        refused = ask_raw(client, "POST", "/v1/ask", headers={"authorization": one}, body=None)
        assert (refused.status, fields(refused)) == (429, (0, 40))
        assert refused.headers["retry-after"] == "40"
        assert json.loads(refused.body)["type"] == "urn:chapterverse:problem:rate-limited"
        assert refused.headers["content-security-policy"]
        assert ask(other).status == 200
        for path in ("/", "/page/main.js", "/health/live", "/health/ready"):
            answered = ask(one, path)
            assert (answered.status, "ratelimit" in answered.headers) == (200, False)
        clock[0] += 39.9
        assert ask(one).headers["retry-after"] == "1"
        clock[0] += 0.2
        assert fields(ask(one)) == (2, 60)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("198.51.100.7", "198.51.100.7", True),
        ("198.51.100.7", "198.51.100.8", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:198.51.100.7", "198.51.100.7", True),
        ("", "", True),
    ],
)
def test_without_keys_an_address_has_so_many_requests(
    tmp_path: Path, *, first: str, second: str, same: bool
) -> None:
    """One machine counts once, however it is written; one line of IPv6 is one."""
    with serving(tmp_path, rate=1) as client:
        assert ask_raw(client, "GET", "/v1/jobs", client=(first, 1)).status == 200
        answered = ask_raw(client, "GET", "/v1/jobs", client=(second, 2))
        assert answered.status == (429 if same else 200)


def test_without_a_bound_nothing_is_counted(tmp_path: Path) -> None:
    """No field tells of one."""
    with serving(tmp_path) as client:
        answered = [ask_raw(client, "GET", "/v1/jobs") for _ in range(50)]
    assert {each.status for each in answered} == {200}
    assert not any("ratelimit" in each.headers for each in answered)


def test_failed_attempts_of_an_address_are_bounded(tmp_path: Path, clock: list[float]) -> None:
    """401 up to the bound, then 429; other addresses, and a valid key from this one, go on."""
    keys = KeyFile(tmp_path)
    valid = f"Bearer {keys.create('a', scopes=['ask'])[1]}"
    with serving(tmp_path, rate=100, failures=2, keys=keys) as client:

        def ask(key: str, client_: tuple[str, int] = ADDRESS) -> Answered:
            headers = {"authorization": key}
            return ask_raw(client, "GET", "/v1/index", headers=headers, client=client_, body=None)

        assert [ask(f"Bearer cvk_{n}").status for n in range(4)] == [401, 401, 429, 429]
        refused = ask("")
        assert (refused.status, refused.headers["retry-after"]) == (429, "60")
        assert "www-authenticate" not in refused.headers
        assert ask("", ("198.51.100.8", 1)).status == 401
        ok = ask_raw(client, "GET", "/v1/index", headers={"authorization": valid}, client=ADDRESS)
        assert ok.status == 200
        clock[0] += 60
        assert ask("").status == 401


def settings(home: Path, **given: str) -> Any:
    return read_settings({"RAG_HOME": str(home)} | given)


@pytest.mark.parametrize(
    ("address", "given", "keys", "rate"),
    [
        ("127.0.0.1", {}, False, 0),
        ("127.8.8.8", {}, False, 0),
        ("::1", {}, False, 0),
        ("127.0.0.1", {"RAG_RATE": "5"}, False, 5),
        ("127.0.0.1", {"RAG_KEYS": "on"}, True, DEFAULT_RATE),
        ("127.0.0.1", {"RAG_HOSTS": "rag.example.org"}, True, DEFAULT_RATE),
        ("127.0.0.1", {"RAG_HOSTS": "rag.example.org", "RAG_KEYS": "off"}, False, DEFAULT_RATE),
        ("0.0.0.0", {}, True, DEFAULT_RATE),  # noqa: S104
        ("::", {}, True, DEFAULT_RATE),
        ("192.168.1.5", {}, True, DEFAULT_RATE),
        ("0.0.0.0", {"RAG_KEYS": "off"}, False, DEFAULT_RATE),  # noqa: S104
        ("0.0.0.0", {"RAG_RATE": "0"}, True, 0),  # noqa: S104
        (None, {}, True, DEFAULT_RATE),
        (None, {"RAG_KEYS": "off"}, False, DEFAULT_RATE),
    ],
)
def test_protection_follows_the_address_unless_it_is_set(
    tmp_path: Path, *, address: str | None, given: dict[str, str], keys: bool, rate: int
) -> None:
    """Keys are off on this machine only; who is not sure where he listens needs them."""
    file = KeyFile(tmp_path)
    key, presented = file.create("a", scopes=["ask"])
    protection = protect(settings(tmp_path, **given), address=address)
    assert (protection.keys is not None, protection.rate) == (keys, rate)
    assert (protection.failures > 0) == (rate > 0)
    if protection.keys is not None:
        assert protection.keys.find(presented) == key
        file.revoke(key.id)
        with pytest.raises(SettingsError, match=r"rag keys create NAME.*RAG_KEYS=off"):
            protect(settings(tmp_path, **given), address=address)
        file.path.write_bytes(b"{")
        with pytest.raises(DamagedKeys):
            protect(settings(tmp_path, **given), address=address)


def test_settings_cannot_raise_what_the_contract_says(tmp_path: Path) -> None:
    """Their highest values are the bounds of the OpenAPI document, which are the defaults."""
    default = settings(tmp_path)
    assert (default.max_question, default.max_k, default.max_answers) == (
        WIDEST.question,
        WIDEST.k,
        WIDEST.answers,
    )
    for name in ("QUESTION", "K", "ANSWERS", "BATCH"):
        highest = getattr(default, f"max_{name.lower()}")
        with pytest.raises(SettingsError, match=f"RAG_MAX_{name} .* {highest}"):
            settings(tmp_path, **{f"RAG_MAX_{name}": str(highest + 1)})


def test_bodies_and_uploads_have_bounds_of_their_own(tmp_path: Path) -> None:
    """413 naming the bound that holds: an upload may be larger than another body."""
    service = make_service(tmp_path, FakeOpening(tmp_path), body_bytes=1_000, upload_bytes=5_000)
    with TestClient(create_app(service)) as client:
        question = client.post("/v1/ask", json={"question": "x", "padding": "x" * 1_000})
        assert question.status_code == 413
        assert "1,000 bytes" in question.json()["detail"]
        text = {"text": "Owls hoot. " * 200, "uri": "note:owls"}
        assert client.post("/v1/documents?wait=true", json=text).status_code == 201
        large = client.post("/v1/documents", json={"text": "x" * 5_000})
        assert large.status_code == 413
        assert "5,000 bytes" in large.json()["detail"]


def test_a_full_collection_takes_no_more(tmp_path: Path) -> None:
    """409 at once, and a job that fails with the same words; what is there can be replaced."""
    opening = FakeOpening(tmp_path, max_documents=1)
    with TestClient(create_app(make_service(tmp_path, opening))) as client:

        def add(uri: str, wait: str) -> Any:
            body = {"text": f"Owls hoot in {uri}.", "uri": uri}
            return client.post(f"/v1/documents?wait={wait}", json=body)

        assert add("note:a", "true").status_code == 201
        refused = add("note:b", "true")
        assert refused.status_code == 409
        assert refused.json()["type"] == "urn:chapterverse:problem:conflict"
        job = add("note:b", "false")
        assert job.status_code == 202
        deadline = time.monotonic() + PATIENCE
        while (state := client.get(job.headers["location"]).json())["status"] != "failed":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert state["error"] == refused.json()["detail"]
        assert "RAG_MAX_DOCUMENTS" in state["error"]
        assert client.get("/v1/documents").json()["total"] == 1
        assert add("note:a", "true").status_code == 200
