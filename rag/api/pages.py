"""The page: its files, each of which a browser keeps and asks whether it has changed."""

import hashlib
from importlib import resources
from pathlib import PurePosixPath
from typing import Any, Final

from litestar import MediaType, Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


@get("/", media_type=MediaType.HTML, include_in_schema=False, scope="open", sync_to_thread=False)
def show_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return the page."""
    return page_file("index.html", request)


@get("/page/{name:str}", include_in_schema=False, scope="open", sync_to_thread=False)
def show_part(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return a file of the page."""
    return page_file(name, request)


def page_file(name: str, request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return one of the page's files, found by its name among them: no path reaches others.

    Nothing is sent again that the request has an entity tag of (RFC 9110, 13.1.2).
    """
    files = {file.name: file for file in (resources.files("rag") / "page").iterdir()}
    media_type = _TYPES.get(PurePosixPath(name).suffix)
    if name not in files or media_type is None:
        raise NotFoundException
    content = files[name].read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    # `no-cache` lets it be kept, and asks each time whether it is still the same.
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    known = {one.strip().removeprefix("W/") for one in _if_none_match(request).split(",")}
    if known & {tag, "*"}:
        return Response(b"", status_code=304, media_type=media_type, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


def _if_none_match(request: Request[Any, Any, Any]) -> str:
    return str(request.headers.get("if-none-match", ""))
