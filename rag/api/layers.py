"""The application and the layers around it, which see every request before the framework does."""

import re
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

_PARAMETER: Final = re.compile(r"\\\{[^}]*\\\}")  # of a template, escaped


def header(scope: HTTPScope, name: bytes) -> str | None:
    """Return the value of a header, whose name is in small letters; None unless it stands once."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0].decode("latin-1") if len(values) == 1 else None


class Application(Litestar):
    """A Litestar application inside layers, the first of which is the outermost.

    The framework's own middleware comes after its routing, so that no path which is not there (404)
    and no method which is not allowed (405) would pass through it.
    """

    def __init__(self, *, layers: Sequence[Layer], **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        inner: HttpApp = super().__call__
        self._layered: Final = reduce(lambda app, layer: layer(app), reversed(layers), inner)
        self._templates: Final = [
            (re.compile(_PARAMETER.sub("[^/]+", re.escape(route.path_format))), route.path_format)
            for route in self.routes
        ]

    def template_of(self, path: str) -> str | None:
        """Return the template of the route that a path leads to, whatever the method; None if none.

        Unlike a path it holds nothing of what was asked for.
        """
        plain = path.rstrip("/") or "/"
        return next((name for form, name in self._templates if form.fullmatch(plain)), None)

    def methods_of(self, path: str) -> list[str]:
        """Return the methods that a path takes, in the order of the alphabet; none if no path."""
        template = self.template_of(path)
        methods = (route.methods for route in self.routes if route.path_format == template)
        return sorted(next(methods, ()))

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
        request = cast("HTTPScope", scope)
        request["litestar_app"] = self  # for the layers; the framework would set it later
        await self._layered(request, cast("Receive", receive), cast("Send", send))
