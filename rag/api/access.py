"""Who may do what: each request has an `Access`, which its handler asks before it does anything."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, cast

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.enums import HttpMethod
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.types import HTTPScope, Receive, Send

from rag import catalog
from rag.api import problems
from rag.api.layers import HttpApp, header
from rag.api.rates import Rate, address_of
from rag.errors import DamagedKeys, Forbidden, StoreError
from rag.keys import SCOPES, Key, KeyFile, Scope

# What a handler carries as `scope`; without one it is refused to everybody.
RouteScope: TypeAlias = Scope | Literal["open"]

_UNAUTHORIZED: Final = (
    "A valid key is needed: send the header `Authorization: Bearer KEY`. Whoever runs the service "
    "makes keys: rag keys create."
)
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a request may do and reach.

    `key` is the public id of its key, None without one; `collections` is None where it may reach
    all.
    """

    key: str | None
    scopes: frozenset[Scope]
    collections: frozenset[str] | None

    def require(self, collection: str) -> None:
        """Raise the NotFound of an unknown collection unless this one may be reached."""
        if not self.reaches(collection):
            raise catalog.unknown(collection)

    def reaches(self, collection: str) -> bool:
        """Return whether a collection may be reached, whether or not there is one."""
        return self.collections is None or collection in self.collections


EVERYTHING: Final = Access(key=None, scopes=frozenset(SCOPES), collections=None)
NOTHING: Final = Access(key=None, scopes=frozenset(), collections=frozenset())


def of(scope: HTTPScope) -> Access:
    """Return what a request may do; nothing where no layer has decided it."""
    return cast("Access", scope.get("state", {}).get("access", NOTHING))


def provide(request: Request[Any, Any, Any]) -> Access:
    """Give a handler the access of its request."""
    return of(request.scope)


def is_open(path: str) -> bool:
    """Return whether a path needs no key: the health checks, the page and its parts."""
    return path == "/" or path.startswith(("/page/", "/health/"))


def with_access(keys: KeyFile | None, failures: Rate) -> Callable[[HttpApp], HttpApp]:
    """Return a layer that lets requests with a valid key pass; without `keys`, all of them.

    It decides before a body is read. Of an address from which more came without one than
    `failures` allows, the next ones are not looked at any more closely; a valid key always passes.
    """

    def layer(app: HttpApp) -> HttpApp:
        async def handle(scope: HTTPScope, receive: Receive, send: Send) -> None:
            if keys is None:
                _note(scope, EVERYTHING)
            elif is_open(scope["path"]):
                _note(scope, NOTHING)
            else:
                try:
                    key = keys.find(_presented(scope))
                except (DamagedKeys, StoreError) as error:
                    await _refuse_all(scope, send, error)
                    return
                if key is None:
                    await _refuse(scope, send, failures)
                    return
                _note(scope, _granted(key))
            await app(scope, receive, send)

        return handle

    return layer


def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Raise Forbidden unless the request's key has the scope of the route, which must have one."""
    if isinstance(handler, HTTPRouteHandler) and handler.http_methods == {HttpMethod.OPTIONS}:
        return  # the framework's own, which tells the methods of a path
    needed = handler.opt.get("scope")
    if needed == "open":
        return
    access = of(cast("HTTPScope", connection.scope))
    if needed not in access.scopes:
        has = ", ".join(scope for scope in SCOPES if scope in access.scopes) or "none"
        raise Forbidden(
            f"This needs a key with the scope {needed}; this one has {has}. Take another key, or "
            "have one made: rag keys create."
        )


def _granted(key: Key) -> Access:
    return Access(
        key=key.id,
        scopes=frozenset(SCOPES if "admin" in key.scopes else key.scopes),
        collections=None if key.collections is None else frozenset(key.collections),
    )


def _note(scope: HTTPScope, access: Access) -> None:
    scope.setdefault("state", {})["access"] = access


def _presented(scope: HTTPScope) -> str:
    """Return the key that a request carries, "" without one or with several."""
    kind, _, key = (header(scope, b"authorization") or "").partition(" ")
    return key.strip(" ") if kind.lower() == "bearer" else ""


async def _refuse(scope: HTTPScope, send: Send, failures: Rate) -> None:
    use = await failures.use(address_of(scope))
    if use is not None and not use.allowed:
        await problems.refuse(
            scope,
            send,
            status=429,
            kind="rate-limited",
            detail=f"Too many requests without a valid key. Try again in {use.reset} s.",
            headers=use.headers(),
        )
        return
    await problems.refuse(
        scope,
        send,
        status=401,
        kind="unauthorized",
        detail=_UNAUTHORIZED,
        headers={"WWW-Authenticate": "Bearer"},
    )


async def _refuse_all(scope: HTTPScope, send: Send, error: Exception) -> None:
    _LOG.error("%s", error)
    await problems.refuse(
        scope,
        send,
        status=503,
        kind="damaged-keys",
        detail="The service's keys cannot be read, so that nobody is let in. Its log says more.",
        headers={"Retry-After": "60"},
    )
