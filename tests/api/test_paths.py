"""Paths and file names that want to lead elsewhere: none does, as raw bytes on a socket."""

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from litestar import Litestar
from litestar.enums import HttpMethod
from litestar.routes import HTTPRoute

import rag
from rag.api.app import create_app
from tests.api.raw import send_raw, serving
from tests.services import FakeOpening, make_service

SECRET = b"the canary sings"
NAME = "canary.txt"
# Two dots and a slash, as they are and in every disguise that some server once took for them.
STEPS = (
    "../",
    "..\\",
    "%2e%2e/",
    "..%2f",
    "%2e%2e%2f",
    "%2E%2E%2F",
    "..%5c",
    "%2e%2e%5c",
    "%252e%252e%252f",
    "..%252f",
    "..%255c",
    "%25252e%25252e%25252f",
    "%c0%ae%c0%ae%c0%af",
    "%c0%ae%c0%ae/",
    "..%c0%af",
    "..%e0%80%af",
    "..%c1%9c",
    "%uff0e%uff0e%u2215",
    "%ef%bc%8e%ef%bc%8e%ef%bc%8f",
    "..%ef%bc%8f",
    "..%e2%88%95",
    "....//",
    "..././",
    "..;/",
    ".%00./",
    "..%00/",
    "..%0d%0a/",
    "..%09/",
    "%%32%65%%32%65%%32%66",
    "..%u2215",
    "./../",
    "..//",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A service in a directory, with canaries around it."""

    top: Path
    home: Path
    app: Litestar
    opening: FakeOpening

    def files(self) -> set[str]:
        """Return every file and directory, but for what the databases make beside themselves."""
        found = (path.relative_to(self.top).as_posix() for path in self.top.rglob("*"))
        return {path for path in found if not path.endswith(("-wal", "-shm", "-journal"))}

    def payloads(self) -> list[str]:
        """Return what is put where a name should stand, all different."""
        canary = self.top / NAME
        made = [step * depth + NAME for step in STEPS for depth in (1, 2, 3, 5)]
        for start in (Path(rag.__file__).parent / "page", self.home / "collections"):
            way = os.path.relpath(canary, start)
            made += [way, quote(way, safe=""), quote(quote(way, safe=""), safe="")]
            made += [way.replace("/", "\\"), quote(way.replace("/", "\\"), safe="")]
        for target in (
            str(canary),
            str(self.home / "keys.json"),
            "/etc/passwd",
            "/proc/self/environ",
        ):
            quoted = quote(target, safe="")
            made += [target, quoted, quote(quoted, safe=""), f"/{target}", f"file://{target}"]
            made += [f"file:{quoted}", f"x/../../../../../../../..{target}", f"x%2f..{quoted}"]
            made += [f"..%2f..%2f..%2f..%2f..%2f..%2f..%2f..{quoted}", quoted + "%00.css"]
        for name in ("keys.json", "jobs.sqlite", "collections", "default", "deleted", "uploads"):
            made += [f"../{name}", f"..%2f{name}", f"..%5c{name}"]
        made += [".", "..", "%2e", "%2e%2e", "%00", "~", "~root", "%7eroot%2fx", "C:%5cboot.ini"]
        made += [
            "%5c%5chost%5cshare",
            "%2f%2fhost%2fshare",
            "main.js%00",
            "main.js%2f..%2findex.html",
        ]
        made += ["main.js/../index.html", "main.js%00../../x", "%e2%80%ae", "a%0d%0aX-Evil:%201"]
        return list(dict.fromkeys(made))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Canaries lie above the home, in it, and beside what it holds."""
    top = tmp_path
    home = top / "one" / "two" / "home"
    home.mkdir(parents=True)
    opening = FakeOpening(home)
    app = create_app(make_service(home, opening, job_bytes=100_000, queue=500))
    directories = [top, top / "one", top / "one" / "two", home]
    for directory in (*directories, home / "collections", home / "deleted"):
        directory.mkdir(exist_ok=True)
        (directory / NAME).write_bytes(SECRET)
        (directory / "keys.json").write_bytes(SECRET)
    return Place(top=top, home=home, app=app, opening=opening)


def routes_with_parameters(app: Litestar) -> list[tuple[str, str]]:
    """Return method and path of each route that takes a part of its path from the client."""
    return [
        (method, route.path_format)
        for route in app.routes
        if isinstance(route, HTTPRoute) and "{" in route.path_format
        for handler in route.route_handlers
        for method in sorted(handler.http_methods - {HttpMethod.OPTIONS})
    ]


def test_no_path_leads_out(place: Place) -> None:
    """Of every payload on every route: 4xx, not a byte of a canary, no file made, moved or gone."""
    payloads = place.payloads()
    assert len(payloads) >= 200
    found = routes_with_parameters(place.app)
    assert len(found) >= 7
    with serving(place.app) as port:
        listed(port, "/v1/index")  # the default collection is there from now on
        before = place.files()
        for method, path in found:
            for payload in payloads:
                target = re.sub(r"\{\w+\}", lambda _, filled=payload: filled, path)
                request = (
                    f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                )
                answer = send_raw(port, request.encode())
                assert SECRET not in answer, request
                assert b"root:" not in answer, request
                assert re.match(rb"HTTP/1.1 4\d\d ", answer), (request, answer[:200])
                assert b"\nx-evil" not in answer.lower(), request
    assert place.files() == before
    for canary in place.top.rglob(NAME):
        assert canary.read_bytes() == SECRET


def test_no_file_name_leads_out(place: Place) -> None:
    """Uploads of these names, at once and as jobs, are kept under names that the service makes."""
    names = [*place.payloads(), "a\tb.txt", "é.txt", "\u202etxt.exe.txt", "x" * 5_000 + ".txt"]
    made: set[str] = set()

    def look(_: object) -> None:
        made.update(file.name for file in (place.home / "uploads").iterdir())

    place.opening.before_embedding = look
    stored = refused = 0
    with serving(place.app) as port:
        listed(port, "/v1/index")
        before = place.files()
        for number, name in enumerate(names):
            for wait in ("true", "false") if number % 4 == 0 else ("true",):
                body = b"".join(
                    (
                        b'--x\r\nContent-Disposition: form-data; name="file"; filename="',
                        name.encode().replace(b'"', b"%22"),
                        b'"\r\n\r\nOwls hoot.\r\n--x--\r\n',
                    )
                )
                head = (
                    f"POST /v1/documents?wait={wait} HTTP/1.1\r\nHost: localhost\r\n"
                    "Content-Type: multipart/form-data; boundary=x\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                )
                status = int(send_raw(port, head.encode() + body)[9:12])
                assert status in {200, 201, 202, 400, 415, 422}, (name, status)
                stored += status < 300
                refused += status >= 400
        while b'"waiting"' in (jobs := listed(port, "/v1/jobs?limit=1000")) or b'"running"' in jobs:
            time.sleep(0.05)
        documents = json.loads(listed(port, "/v1/documents?limit=1000"))["documents"]
    assert stored > 150
    assert refused > 0
    for document in documents:
        assert document["uri"].startswith("upload:")
        assert "/" not in document["uri"].removeprefix("upload:")
        assert "\\" not in document["uri"]
    assert made
    assert all(re.fullmatch("[0-9a-f]{16}", name) for name in made)
    assert place.files() == before
    for canary in place.top.rglob(NAME):
        assert canary.read_bytes() == SECRET


def listed(port: int, path: str) -> bytes:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    head, _, body = send_raw(port, request.encode()).partition(b"\r\n\r\n")
    assert b" 200 " in head
    return body
