"""The page: its files, each of which a browser keeps and asks whether it has changed.

What would keep a browser from painting, the style sheets and the script that index.html names, is
sent in it. So the first paint waits for one response, and there are files to edit all the same.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

from litestar import MediaType, Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from rag.api.headers import content_security_policy

_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
# Neither sheets for other media nor modules: these block nothing.
_STYLE: Final = re.compile(rb'<link rel="stylesheet" href="/page/([\w.]+)">')
_SCRIPT: Final = re.compile(rb'<script src="/page/([\w.]+)"></script>')


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
    known = {one.strip().removeprefix("W/") for one in _if_none_match(request).split(",")}
    if known & {file.headers["ETag"], "*"}:
        return Response(b"", status_code=304, media_type=file.media_type, headers=file.headers)
    return Response(file.content, media_type=file.media_type, headers=file.headers)


class _File(NamedTuple):
    content: bytes
    media_type: str
    headers: Mapping[str, str]


@cache  # a page is three dozen files, many of them asked for whenever it is opened
def _files() -> dict[str, _File]:
    # With line feeds only, as a browser has them when it compares a hash.
    contents = {
        file.name: file.read_text(encoding="utf-8").encode()
        for file in (resources.files("rag") / "page").iterdir()
        if PurePosixPath(file.name).suffix in _TYPES
    }
    whole, policy = _whole(contents["index.html"], contents=contents)
    contents["index.html"] = whole
    files = {}
    for name, content in contents.items():
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        # `no-cache` lets it be kept, and asks each time whether it is still the same.
        headers = {"Cache-Control": "no-cache", "ETag": tag}
        if name == "index.html":
            headers["Content-Security-Policy"] = policy
        files[name] = _File(content, _TYPES[PurePosixPath(name).suffix], headers)
    return files


def _whole(html: bytes, *, contents: Mapping[str, bytes]) -> tuple[bytes, str]:
    """Return the document with what it names put in, and the policy that allows just that."""
    styles = [contents[name.decode()] for name in _STYLE.findall(html)]
    scripts = [contents[name.decode()] for name in _SCRIPT.findall(html)]
    html = _STYLE.sub(lambda found: b"<style>%b</style>" % contents[found[1].decode()], html)
    html = _SCRIPT.sub(lambda found: b"<script>%b</script>" % contents[found[1].decode()], html)
    return html, content_security_policy(scripts=scripts, styles=styles)


def _if_none_match(request: Request[Any, Any, Any]) -> str:
    return str(request.headers.get("if-none-match", ""))
