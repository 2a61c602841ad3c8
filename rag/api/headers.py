"""The headers that every response carries, errors too, whoever made it.

They are those of OWASP's Secure Headers Project, but for `Strict-Transport-Security`, which is for
whoever ends TLS to promise.
"""

from typing import Final

from litestar.types import HTTPScope, Message, Receive, Send

from rag.api.layers import HttpApp

_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    # No script makes markup or code of a string, whatever it holds.
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
# What the page never uses; it does copy to the clipboard.
_UNUSED: Final = (
    *("accelerometer", "autoplay", "camera", "clipboard-read", "display-capture"),
    *("encrypted-media", "fullscreen", "geolocation", "gyroscope", "hid", "idle-detection"),
    *("magnetometer", "microphone", "midi", "payment", "picture-in-picture"),
    *("publickey-credentials-get", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking"),
)
_HEADERS: Final = (
    (b"content-security-policy", _CSP.encode()),
    (b"cross-origin-embedder-policy", b"require-corp"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", ", ".join(f"{name}=()" for name in _UNUSED).encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-dns-prefetch-control", b"off"),
    (b"x-frame-options", b"DENY"),
    (b"x-permitted-cross-domain-policies", b"none"),
)
_NO_STORE: Final = (b"cache-control", b"no-store")


def with_headers(app: HttpApp) -> HttpApp:
    """Return an application that adds the headers to each response of another.

    What does not say how it may be kept is not kept: it may hold words of a document.
    """

    async def handle(scope: HTTPScope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message["headers"])
                says = any(name.lower() == b"cache-control" for name, _ in given)
                message["headers"] = [*given, *_HEADERS, *(() if says else (_NO_STORE,))]
            await send(message)

        await app(scope, receive, sending)

    return handle
