"""The headers that every response carries, errors too, whoever made it.

They are those of OWASP's Secure Headers Project, but for `Strict-Transport-Security`, which is for
whoever ends TLS to promise.
"""

import base64
import hashlib
from collections.abc import Sequence
from typing import Final

from litestar.types import HTTPScope, Message, Receive, Send

from rag.api.layers import HttpApp

# What the page never uses; it does copy to the clipboard.
_UNUSED: Final = (
    *("accelerometer", "autoplay", "camera", "clipboard-read", "display-capture"),
    *("encrypted-media", "fullscreen", "geolocation", "gyroscope", "hid", "idle-detection"),
    *("magnetometer", "microphone", "midi", "payment", "picture-in-picture"),
    *("publickey-credentials-get", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking"),
)
_HEADERS: Final = (
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


def content_security_policy(*, scripts: Sequence[bytes] = (), styles: Sequence[bytes] = ()) -> str:
    """Return a policy: only own files take effect, and what a document itself holds of these.

    Those are allowed by their SHA-256 (CSP 3, 6.7.3.3).
    """
    script, style = (
        " ".join(["'self'", *map(_allowed, contents)]) for contents in (scripts, styles)
    )
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        # No script makes markup or code of a string, whatever it holds.
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _allowed(content: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"


# What a response may say itself: its policy, and how it may be kept. What says nothing of the
# latter is not kept: it may hold words of a document.
_UNLESS_SAID: Final = (
    (b"content-security-policy", content_security_policy().encode()),
    (b"cache-control", b"no-store"),
)


def with_headers(app: HttpApp) -> HttpApp:
    """Return an application that adds the headers to each response of another."""

    async def handle(scope: HTTPScope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message["headers"])
                said = {name.lower() for name, _ in given}
                rest = (header for header in _UNLESS_SAID if header[0] not in said)
                message["headers"] = [*given, *_HEADERS, *rest]
            await send(message)

        await app(scope, receive, sending)

    return handle
