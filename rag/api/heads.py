"""HEAD, which is GET without the body, and OPTIONS, which tells the methods (RFC 9110, 9.3)."""

from typing import cast

from litestar.types import HTTPScope, Message, Receive, Send

from rag.api.layers import Application, HttpApp


def with_heads(app: HttpApp) -> HttpApp:
    """Return an application that answers HEAD as another one answers GET, but for the body.

    Of a path that several handlers share, the framework tells only the methods of the first.
    """

    async def handle(scope: HTTPScope, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            await app(scope, receive, _telling_methods(scope, send))
            return
        if scope["method"] != "HEAD":
            await app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        # In place, so that the layers around see the route that was found.
        scope["method"] = "GET"
        try:
            await app(scope, receive, sending)
        finally:
            scope["method"] = "HEAD"

    return handle


def _telling_methods(scope: HTTPScope, send: Send) -> Send:
    methods = cast("Application", scope["litestar_app"]).methods_of(scope["path"])

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message["headers"] if pair[0].lower() != b"allow"]
            told = [(b"allow", ", ".join(methods).encode())] if methods else []
            message["headers"] = [*kept, *told]
        await send(message)

    return sending
