"""A request to an ASGI application whose client does as the test says."""

import asyncio
import json
from typing import Any

from litestar.types import Message


class Exchange:
    """One request, sent in parts, and what has come back of the response."""

    def __init__(
        self, app: Any, method: str, path: str, *, headers: dict[str, str] | None = None
    ) -> None:
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []
        self.begun = asyncio.Event()
        self.asked_for_body = False
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [
                (name.lower().encode(), value.encode())
                for name, value in {"host": "localhost", **(headers or {})}.items()
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> Message:
        self.asked_for_body = True
        return await self._incoming.get()

    async def _send(self, message: Message) -> None:
        self.sent.append(message)
        self.begun.set()
        await asyncio.sleep(0)

    def give(self, body: bytes = b"", *, more: bool = False) -> None:
        """Send a part of the body."""
        self._incoming.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def leave(self) -> None:
        """Go away."""
        self._incoming.put_nowait({"type": "http.disconnect"})

    async def end(self, *, seconds: float = 20.0) -> None:
        """Wait until the application has done with it."""
        async with asyncio.timeout(seconds):
            await self.task

    @property
    def status(self) -> int:
        """The status of the response."""
        return int(self.sent[0]["status"])  # type: ignore[typeddict-item]

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the response."""
        return {
            name.decode().lower(): value.decode()
            for name, value in self.sent[0]["headers"]  # type: ignore[typeddict-item]
        }

    @property
    def body(self) -> bytes:
        """What has come of the body."""
        return b"".join(message.get("body", b"") for message in self.sent[1:])  # type: ignore[misc]

    @property
    def kind(self) -> str:
        """The kind of the problem that the response is."""
        assert self.headers["content-type"] == "application/problem+json"
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        return str(problem["type"]).removeprefix("urn:chapterverse:problem:")


def post(app: Any, path: str, body: Any) -> Exchange:
    """Send a whole JSON request."""
    data = json.dumps(body).encode()
    headers = {"content-type": "application/json", "content-length": str(len(data))}
    exchange = Exchange(app, "POST", path, headers=headers)
    exchange.give(data)
    return exchange


def get(app: Any, path: str, method: str = "GET") -> Exchange:
    """Send a request without a body."""
    exchange = Exchange(app, method, path)
    exchange.give()
    return exchange
