"""The application and the layers around it, which see every request before the framework does."""

from collections.abc import Awaitable, Callable, Sequence
from functools import reduce
from typing import Any, Final, TypeAlias, cast

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import (
    HTTPScope,
    LifeSpanReceive,
    LifeSpanScope,
    LifeSpanSend,
    Receive,
    Scope,
    Send,
)

HttpApp: TypeAlias = Callable[[HTTPScope, Receive, Send], Awaitable[None]]
Layer: TypeAlias = Callable[[HttpApp], HttpApp]


class Application(Litestar):
    """A Litestar application inside layers, the first of which is the outermost.

    The framework's own middleware comes after its routing, so that no path which is not there (404)
    and no method which is not allowed (405) would pass through it.
    """

    def __init__(self, *, layers: Sequence[Layer], **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        inner: HttpApp = super().__call__
        self._layered: Final = reduce(lambda app, layer: layer(app), reversed(layers), inner)

    async def __call__(
        self,
        scope: Scope | LifeSpanScope,
        receive: Receive | LifeSpanReceive,
        send: Send | LifeSpanSend,
    ) -> None:
        """Take a request through the layers; what is no HTTP request is the framework's."""
        if scope["type"] != ScopeType.HTTP:
            await super().__call__(scope, receive, send)
            return
        await self._layered(cast("HTTPScope", scope), cast("Receive", receive), cast("Send", send))
