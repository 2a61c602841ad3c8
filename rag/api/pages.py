"""The page: its files, each of which a browser keeps and asks whether it has changed."""

import hashlib
from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

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
    file = _files().get(name)
    if file is None:
        raise NotFoundException
    # `no-cache` lets it be kept, and asks each time whether it is still the same.
    headers = {"Cache-Control": "no-cache", "ETag": file.tag}
    known = {one.strip().removeprefix("W/") for one in _if_none_match(request).split(",")}
    if known & {file.tag, "*"}:
        return Response(b"", status_code=304, media_type=file.media_type, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


class _File(NamedTuple):
    content: bytes
    media_type: str
    tag: str


@cache  # a page is two dozen files, each asked for whenever it is opened
def _files() -> dict[str, _File]:
    files = {}
    for file in (resources.files("rag") / "page").iterdir():
        media_type = _TYPES.get(PurePosixPath(file.name).suffix)
        if media_type is not None:
            content = file.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            files[file.name] = _File(content, media_type, tag)
    return files


def _if_none_match(request: Request[Any, Any, Any]) -> str:
    return str(request.headers.get("if-none-match", ""))
