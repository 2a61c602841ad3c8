"""The contract as a page to read: made of the OpenAPI document, without scripts."""

import json
import shlex
from functools import lru_cache
from importlib import resources
from typing import Any, Final

import jinja2
from litestar import MediaType, Request, Response, get
from litestar.di import NamedDependency
from markdown_it import MarkdownIt
from markupsafe import Markup

from rag.api import contract

_FILES: Final = resources.files(__name__.rpartition(".")[0])
_HEADERS: Final = {"Cache-Control": "no-cache"}
_ADDRESS: Final = "http://127.0.0.1:8000"


@get("/docs", scope="ask", media_type=MediaType.HTML, include_in_schema=False, sync_to_thread=True)
def show_contract(request: Request[Any, Any, Any], keys: NamedDependency[bool]) -> Response[str]:
    """Return the page."""
    document = contract.complete(request.app.openapi_schema.to_schema(), keys=keys)
    return Response(_rendered(json.dumps(document)), headers=_HEADERS)


@get("/docs/docs.css", scope="ask", include_in_schema=False, sync_to_thread=False)
def show_style() -> Response[bytes]:
    """Return the page's style."""
    style = (_FILES / "docs.css").read_bytes()
    return Response(style, media_type="text/css", headers=_HEADERS)


@lru_cache(maxsize=1)
def _rendered(document: str) -> str:
    """Return the page of a document, which stays the same while a service runs."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")

    def blocks(text: str) -> Markup:
        return Markup(markdown.render(text))  # noqa: S704  (html is escaped)

    def words(text: str) -> Markup:
        return Markup(markdown.renderInline(text))  # noqa: S704  (html is escaped)

    environment.filters |= {"markdown": blocks, "words": words, "pretty": _pretty, "kind": _kind}
    environment.globals["curl"] = _curl
    template = environment.from_string((_FILES / "docs.html").read_text(encoding="utf-8"))
    whole: dict[str, Any] = json.loads(document)
    operations = [
        operation | {"path": path, "method": method.upper()}
        for path, methods in whole["paths"].items()
        for method, operation in methods.items()
    ]
    return template.render(document=whole, operations=operations)


def _pretty(value: object) -> str:
    """Return an example as it is shown: JSON indented, text as it is."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _kind(schema: dict[str, Any]) -> Markup:
    """Return what a schema takes in a few words, with links to the schemas it names."""
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    if options := schema.get("anyOf"):
        return Markup(" or ").join(map(_kind, options))
    if "enum" in schema and len(schema["enum"]) <= 8:
        return Markup(" | ").join(Markup("<code>{}</code>").format(v) for v in schema["enum"])
    if schema.get("type") == "array":
        return Markup("list of ") + _kind(schema.get("items", {}))
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return Markup("object of ") + _kind(schema["additionalProperties"])
    bounds = [
        f"{word} {schema[key]}"
        for key, word in (
            *(("minimum", "from"), ("maximum", "to"), ("minLength", "length from")),
            *(("maxLength", "length to"), ("pattern", "like")),
        )
        if key in schema
    ]
    return Markup("{}").format(" ".join([schema.get("type", "any"), *bounds]))


def _curl(operation: dict[str, Any]) -> str:
    """Return a command that asks for the operation's example."""
    path, query = operation["path"], []
    for parameter in operation.get("parameters", ()):
        if "example" not in parameter:
            continue
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
        else:
            query.append(f"--data-urlencode {shlex.quote(_pair(parameter))}")
    words = ["curl -s", *([] if operation["method"] in {"GET", "POST"} else [_method(operation)])]
    lines = [f"{' '.join(words)} {shlex.quote(_ADDRESS + path)}"]
    lines += ["-G", *query] if query else []
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if "example" in body:
        text = json.dumps(body["example"], ensure_ascii=False)
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(text)}"]
    return " \\\n  ".join(lines)


def _method(operation: dict[str, Any]) -> str:
    return f"-X {operation['method']}"


def _pair(parameter: dict[str, Any]) -> str:
    return f"{parameter['name']}={parameter['example']}"
