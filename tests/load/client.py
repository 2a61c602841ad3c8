"""An HTTP client that costs little: one connection a request under way, kept for the next one."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's value."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a request; times are of `time.monotonic`, `due` is when it was to be sent.

    `status` is 0 where no whole response came: `error` says why, `begun` whether part of one came.
    """

    due: float
    sent: float
    done: float
    status: int
    error: str = ""
    begun: bool = False

    @property
    def seconds(self) -> float:
        """How long whoever wanted it then had to wait."""
        return self.done - self.due


class Client:
    """Sends requests to a service; those under way at once each have a connection of their own."""

    def __init__(self, port: int, *, seconds: float = 60.0) -> None:
        self._port: Final = port
        self._seconds: Final = seconds
        self._idle: Final[list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]] = []

    async def send(
        self, method: str, path: str, body: Any = None, *, due: float | None = None
    ) -> tuple[Outcome, Reply | None]:
        """Send a request and return what came of it; raises nothing of the network."""
        sent = time.monotonic()
        due = sent if due is None else due
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
        if data:
            head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        message = head.encode() + b"\r\n" + data
        progress = {"begun": False}
        try:
            async with asyncio.timeout(self._seconds):
                reply = await self._exchange(message, progress)
        except (OSError, EOFError, ValueError) as error:
            outcome = Outcome(
                due=due,
                sent=sent,
                done=time.monotonic(),
                status=0,
                error=repr(error),
                begun=progress["begun"],
            )
            return outcome, None
        outcome = Outcome(due=due, sent=sent, done=time.monotonic(), status=reply.status)
        return outcome, reply

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop()[1].close()

    async def _exchange(self, message: bytes, progress: dict[str, bool]) -> Reply:
        kept = bool(self._idle)
        reader, writer = self._idle.pop() if kept else await self._connect()
        if kept and (reader.at_eof() or writer.is_closing()):
            writer.close()
            return await self._exchange(message, progress)
        try:
            writer.write(message)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            progress["begun"] = True
            line, *lines = head.decode("latin-1").split("\r\n")[:-2]
            fields = (one.partition(":") for one in lines)
            headers = {name.lower(): value.strip() for name, _, value in fields}
            if headers.get("transfer-encoding") == "chunked":
                body = await _chunks(reader)
            else:
                body = await reader.readexactly(int(headers.get("content-length", "0")))
        except BaseException:
            writer.close()
            raise
        if headers.get("connection") == "close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        return Reply(status=int(line.split()[1]), headers=headers, body=body)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """Return a body that comes in chunks (RFC 9112, 7.1), without trailers."""
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body
