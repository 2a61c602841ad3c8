"""Bounds on how often: requests a minute of one key or address, counted by `limits`."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter
from litestar.types import HTTPScope, Message, Receive, Send

from rag.api import problems
from rag.api.layers import HttpApp

_MINUTE: Final = 60
# What one holder of an IPv6 line usually has for himself.
_IPV6_PREFIX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What became of a request: whether it is allowed, and how many more would be now.

    `reset` is in how many seconds the minute ends, and with it what was counted.
    """

    name: str
    limit: int
    allowed: bool
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """Return the fields of draft-ietf-httpapi-ratelimit-headers-10; of a refusal also when."""
        fields = {
            "RateLimit-Policy": f'"{self.name}";q={self.limit};w={_MINUTE}',
            "RateLimit": f'"{self.name}";r={self.remaining};t={self.reset}',
        }
        return fields if self.allowed else fields | {"Retry-After": str(self.reset)}


class Rate:
    """At most `limit` uses a minute of whatever a use is counted for; 0 is no bound.

    A minute begins with the first use in it. All is counted on the event loop: the library's other
    storage clears up on a thread of its own, which its users can meet at it.
    """

    def __init__(self, name: str, *, limit: int) -> None:
        self._name: Final = name
        self._item: Final = RateLimitItemPerMinute(limit) if limit else None
        self._limiter: Final = FixedWindowRateLimiter(MemoryStorage())

    async def use(self, whose: str) -> Use | None:
        """Count a use and tell what became of it; None without a bound."""
        if self._item is None:
            return None
        allowed = await self._limiter.hit(self._item, self._name, whose)
        stats = await self._limiter.get_window_stats(self._item, self._name, whose)
        return Use(
            name=self._name,
            limit=self._item.amount,
            allowed=allowed,
            remaining=stats.remaining,
            reset=min(_MINUTE, max(1, math.ceil(stats.reset_time - time.time()))),
        )


def with_rate(
    rate: Rate, *, whose: Callable[[HTTPScope], str | None]
) -> Callable[[HttpApp], HttpApp]:
    """Return a layer that refuses what comes more often than a rate allows.

    `whose` tells for whom a request is counted, None that it is not.
    """

    def layer(app: HttpApp) -> HttpApp:
        async def handle(scope: HTTPScope, receive: Receive, send: Send) -> None:
            counted = whose(scope)
            use = None if counted is None else await rate.use(counted)
            if use is None:
                await app(scope, receive, send)
                return
            if not use.allowed:
                await problems.refuse(
                    scope,
                    send,
                    status=429,
                    kind="rate-limited",
                    detail=f"No more than {use.limit} requests a minute are answered. Try again in "
                    f"{use.reset} s.",
                    headers=use.headers(),
                )
                return
            fields = [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in use.headers().items()
            ]

            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], *fields]
                await send(message)

            await app(scope, receive, sending)

        return handle

    return layer


def address_of(scope: HTTPScope) -> str:
    """Return whom a request is from as far as its address tells: of IPv6 the network of 64 bits."""
    client = scope.get("client")
    host = client[0] if client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return f"{IPv6Address(int(address) >> _IPV6_PREFIX << _IPV6_PREFIX)}/{_IPV6_PREFIX}"
    return str(address)
