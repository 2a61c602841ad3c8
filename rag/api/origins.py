"""Which names the service answers to, and which other sites' pages may use it.

A page of any site can make its reader's browser send requests to services on the reader's machine.
It reads their answers where its own name was made to lead there (DNS rebinding), so that a request
which arrives on a loopback address must call the service by a name of this machine. What else a
browser sends for a foreign page is refused by what it says of itself (Fetch Metadata, `Origin`).
"""

from collections.abc import Callable, Collection
from ipaddress import ip_address
from typing import Final

from litestar.types import HTTPScope, Message, Receive, Send

from rag.api import problems
from rag.api.layers import HttpApp, header

_LOOPBACK_NAMES: Final = {"localhost", "127.0.0.1", "[::1]"}
_READING: Final = {"GET", "HEAD", "OPTIONS"}
_PREFLIGHT_HEADERS: Final = (
    (b"access-control-allow-methods", b"GET, POST, DELETE"),
    (b"access-control-allow-headers", b"Authorization, Content-Type, X-Request-Id"),
    (b"access-control-max-age", b"600"),
)
_EXPOSED: Final = b"Location, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id"


def with_origins(
    *, hosts: Collection[str], origins: Collection[str]
) -> Callable[[HttpApp], HttpApp]:
    """Return a layer that refuses requests by other names and those of other sites' pages.

    `hosts` are names beside those of this machine, with or without a port; `origins` are sites, as
    in `Origin`, whose pages may do all that a key allows them. Neither ever sends cookies, so that
    none is told that it may.
    """

    def layer(app: HttpApp) -> HttpApp:
        async def handle(scope: HTTPScope, receive: Receive, send: Send) -> None:
            host = (header(scope, b"host") or "").lower()
            if not _known(host, scope, hosts):
                await problems.refuse(
                    scope,
                    send,
                    status=421,
                    kind="misdirected",
                    detail=f"The service is not known by the name {host!r}. Call it localhost, or "
                    "list the name in RAG_HOSTS.",
                )
                return
            origin = header(scope, b"origin")
            listed = origin is not None and origin.lower() in origins
            sending = _with_cors(send, origin=origin if listed else None) if origins else send
            if listed and _is_preflight(scope):
                start = {"type": "http.response.start", "status": 204}
                await sending(start | {"headers": list(_PREFLIGHT_HEADERS)})  # type: ignore[arg-type]
                await sending({"type": "http.response.body", "body": b"", "more_body": False})
                return
            if not listed and _is_foreign(scope, origin=origin, host=host):
                await problems.refuse(
                    scope,
                    sending,
                    status=403,
                    kind="foreign-origin",
                    detail="A page of another site may not do this. Who runs the service can list "
                    "its origin in RAG_ORIGINS.",
                )
                return
            await app(scope, receive, sending)

        return handle

    return layer


def _known(host: str, scope: HTTPScope, hosts: Collection[str]) -> bool:
    name, _, port = host.rpartition(":")
    if not name or not port.isascii() or not port.isdigit():
        name = host
    if name in _LOOPBACK_NAMES or name in hosts or host in hosts:
        return True
    return not hosts and not _is_loopback(scope)


def _is_loopback(scope: HTTPScope) -> bool:
    """Return whether a request arrived on a loopback address, whichever are listened on."""
    server = scope.get("server")
    try:
        address = ip_address(server[0] if server else "")
    except ValueError:  # a socket with a path
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _is_foreign(scope: HTTPScope, *, origin: str | None, host: str) -> bool:
    """Return whether a page of another site sends this; links from there may be followed."""
    reads = scope["method"] in _READING
    if not reads and origin is not None and origin.lower().partition("://")[2] != host:
        return True
    if header(scope, b"sec-fetch-site") != "cross-site":
        return False
    return not (reads and header(scope, b"sec-fetch-mode") == "navigate")


def _is_preflight(scope: HTTPScope) -> bool:
    asked = header(scope, b"access-control-request-method")
    return scope["method"] == "OPTIONS" and asked is not None


def _with_cors(send: Send, *, origin: str | None) -> Send:
    """Return what sends a response that tells whether a listed origin may read it."""
    added = [(b"vary", b"Origin")]
    if origin is not None:
        added += [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", _EXPOSED),
        ]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *added]
        await send(message)

    return sending
