"""Requests below the level of client libraries, which mend paths and send bodies unasked."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from litestar import Litestar
from litestar.testing import TestClient

PATIENCE = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A response; the values of a header that came several times are joined by a comma."""

    status: int
    headers: dict[str, str]
    body: bytes


class BodyRead(Exception):
    """The application asked for a body that it should not have looked at."""


def ask_raw(
    opened: TestClient[Litestar],
    method: str,
    path: str,
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = b"",
    server: tuple[str, int] = ("203.0.113.1", 80),
    client: tuple[str, int] = ("203.0.113.9", 50_000),
) -> Answered:
    """Return the response of an open client's application, in the client's event loop.

    With the body None, reading it raises `BodyRead`.
    """

    async def answer() -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        done = asyncio.Event()
        parts = [] if body is None else [body]

        async def receive() -> dict[str, Any]:
            if body is None:
                raise BodyRead
            if parts:
                return {"type": "http.request", "body": parts.pop(), "more_body": False}
            await done.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        given = {"host": "service.test", "content-type": "application/json"}
        given |= {name.lower(): value for name, value in (headers or {}).items()}
        given["content-length"] = str(5 if body is None else len(body))
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in given.items()],
            "server": server,
            "client": client,
        }
        await opened.app(scope, receive, send)  # type: ignore[arg-type]
        done.set()
        return sent

    start, *rest = opened.blocking_portal.call(answer)
    found: dict[str, str] = {}
    for name, value in start["headers"]:
        key = name.decode("latin-1").lower()
        found[key] = ", ".join(filter(None, [found.get(key), value.decode("latin-1")]))
    content = b"".join(message.get("body", b"") for message in rest)
    return Answered(status=start["status"], headers=found, body=content)


@contextmanager
def serving(app: Litestar) -> Iterator[int]:
    """Serve an application on a free port of this machine, and give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


def send_raw(port: int, request: bytes) -> bytes:
    """Return all that a server of this machine answers until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(request)
        received = b""
        while part := connection.recv(65_536):
            received += part
        return received
