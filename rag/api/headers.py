"""The headers that every response carries, errors too, whoever made it."""

from typing import Final

from litestar.types import HTTPScope, Message, Receive, Send

from rag.api.layers import HttpApp

_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


def with_headers(app: HttpApp) -> HttpApp:
    """Return an application that adds the headers to each response of another."""

    async def handle(scope: HTTPScope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await app(scope, receive, sending)

    return handle
