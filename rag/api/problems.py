"""Errors on the wire: problem details (RFC 9457), each with a type that stays the same."""

import logging
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import HTTPScope, Send

from rag import errors
from rag.api.schemas import Problem

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:chapterverse:problem:"

_LOG: Final = logging.getLogger(__name__)

# Each error this package raises has a status and a kind here; a test fails on one without.
STATUS: Final[dict[type[errors.RagError], tuple[int, str]]] = {
    errors.InvalidRequest: (400, "invalid-request"),
    errors.NotFound: (404, "not-found"),
    errors.Conflict: (409, "conflict"),
    errors.TooLarge: (413, "too-large"),
    errors.UnsupportedFormat: (415, "unsupported-format"),
    errors.BrokenFile: (422, "broken-file"),
    errors.EncryptedFile: (422, "encrypted-file"),
    errors.NoText: (422, "no-text"),
    errors.BeyondLimit: (422, "beyond-limit"),
    errors.UnreadableFile: (422, "unreadable-file"),
    errors.SourceError: (422, "source"),
    errors.Forbidden: (403, "forbidden"),
    errors.DamagedKeys: (503, "damaged-keys"),
    errors.Busy: (503, "busy"),
    errors.StaleIndex: (503, "stale-index"),
    errors.DamagedStore: (503, "damaged-store"),
    errors.StoreFull: (507, "store-full"),
    errors.Unreachable: (503, "store-unreachable"),
    errors.StoreError: (503, "store"),
    errors.ModelError: (503, "model"),
    errors.SettingsError: (500, "settings"),
    errors.RagError: (500, "internal"),
}
_HTTP_KINDS: Final = {
    400: "invalid-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
}
TITLES: Final = {
    "invalid-request": "The request is invalid",
    "not-found": "Not found",
    "conflict": "This does not go together with what there is",
    "unauthorized": "A key is needed",
    "forbidden": "This is not allowed",
    "foreign-origin": "Another site's page may not do this",
    "misdirected": "This service does not answer to this name",
    "rate-limited": "Too many requests",
    "damaged-keys": "The keys cannot be read",
    "method-not-allowed": "This method is not allowed here",
    "too-large": "Too large",
    "unsupported-media-type": "A body of this media type is not understood",
    "unsupported-format": "This kind of file cannot be read",
    "broken-file": "The file is damaged or not what its name says",
    "encrypted-file": "The file is encrypted",
    "no-text": "The file holds no text",
    "beyond-limit": "Reading the file takes more than is allowed",
    "unreadable-file": "The file cannot be read",
    "source": "The file cannot be taken in",
    "busy": "Too many requests at once",
    "loading": "The service is not ready yet",
    "draining": "The service is being stopped",
    "timeout": "This takes too long",
    "request-timeout": "The request did not come in time",
    "stale-index": "The index must be rebuilt",
    "damaged-store": "The index is damaged",
    "store-full": "There is no room to add to the index",
    "store-unreachable": "The server that keeps the index does not answer",
    "store": "The index cannot be used",
    "model": "A model cannot be used",
    "settings": "The service is configured wrongly",
    "internal": "Something went wrong",
}


def of(error: Exception, *, path: str, pointer: str = "") -> Problem:
    """Return the problem that an error raised in a handler is, and log what is ours.

    `pointer` is that of the part of the body which the error's own pointer begins at.
    """
    if not isinstance(error, errors.RagError):
        # A fault of this service: it tells nothing of its inside.
        _LOG.error("An unexpected error", exc_info=error)
        detail = "An unexpected error in the service. Its log says more."
        return _make(path, status=500, kind="internal", detail=detail)
    status, kind = next(STATUS[class_] for class_ in type(error).__mro__ if class_ in STATUS)
    if status >= 500 and not isinstance(error, errors.Busy):
        _LOG.error("%s", error)
    if isinstance(error, errors.InvalidRequest):
        pointer += error.pointer
    return _make(path, status=status, kind=kind, detail=str(error), pointer=pointer)


def from_rag_error(request: Request[Any, Any, Any], error: errors.RagError) -> Response[Problem]:
    """Turn an error of this package into its problem."""
    headers = {}
    if isinstance(error, errors.Busy | errors.Unreachable):
        headers["Retry-After"] = str(error.retry_after)
    return _respond(of(error, path=request.url.path), headers=headers)


def from_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """Turn an error of the framework into a problem: no such route, a parameter out of bounds."""
    status, headers = error.status_code, dict(error.headers or {})
    detail = error.detail
    if isinstance(error, ValidationException):
        detail = _explain(error)
    elif status == 404:
        detail = f"There is nothing at {request.url.path}."
    elif status == 405:
        detail = f"{request.method} is not allowed here, only {headers.get('allow', 'others')}."
    elif status == 413:
        limit = request.route_handler.resolve_request_max_body_size()
        detail = f"The body exceeds the limit of {limit:,} bytes."
    kind = _HTTP_KINDS.get(status, "internal")
    problem = _make(request.url.path, status=status, kind=kind, detail=detail)
    return _respond(problem, headers=headers)


def from_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Turn a fault of this service into a problem that tells nothing of its inside; log it."""
    return _respond(of(error, path=request.url.path))


def _explain(error: ValidationException) -> str:
    """Return what is wrong with the first parameter that is, or that the body is missing."""
    extra = error.extra if isinstance(error.extra, list) else []
    first = extra[0] if extra and isinstance(extra[0], dict) else {}
    key, message = str(first.get("key", "")), str(first.get("message") or error.detail)
    if key == "data" or message == "'data'":
        return "A JSON body is required."
    return f"{key}: {message}" if key else message


async def refuse(
    scope: HTTPScope,
    send: Send,
    *,
    status: int,
    kind: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Answer a request with a problem before the framework has seen it."""
    problem = _make(scope["path"], status=status, kind=kind, detail=detail)
    body = msgspec.json.encode(problem)
    sent = {"content-type": MEDIA_TYPE, "content-length": str(len(body))} | dict(headers or {})
    raw = [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()
    ]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    sent_body = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": sent_body, "more_body": False})


def _make(path: str, *, status: int, kind: str, detail: str, pointer: str = "") -> Problem:
    return Problem(
        type=TYPE_PREFIX + kind,
        title=TITLES[kind],
        status=status,
        detail=detail,
        instance=path,
        **({"pointer": pointer} if pointer else {}),
    )


def _respond(problem: Problem, *, headers: Mapping[str, str] | None = None) -> Response[Problem]:
    return Response(
        problem, status_code=problem.status, headers=dict(headers or {}), media_type=MEDIA_TYPE
    )
