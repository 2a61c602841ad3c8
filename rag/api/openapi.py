"""The OpenAPI document: the framework's, with the wire's own schemas in it."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import (
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    Reference,
    RequestBody,
    Schema,
)

from rag.api import problems, schemas

_STRUCTS: Final = [
    item
    for item in vars(schemas).values()
    if isinstance(item, type) and issubclass(item, msgspec.Struct) and item is not msgspec.Struct
]


class WireSchemas(JsonRenderPlugin):
    """Replaces the framework's schemas, which lack descriptions and bounds of 0, by msgspec's."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the document as JSON."""
        _, components = msgspec.json.schema_components(
            _STRUCTS, ref_template="#/components/schemas/{name}"
        )
        known = openapi_schema["components"]["schemas"]
        return super().render(
            request,
            openapi_schema
            | {"components": openapi_schema["components"] | {"schemas": known | components}},
        )


@dataclass
class AddOperation(Operation):
    """Documents the two kinds of body that one route takes."""

    def __post_init__(self) -> None:
        """Describe the bodies, which the framework cannot know from the handler's signature."""
        file = Schema(
            type=OpenAPIType.STRING,
            content_media_type="application/octet-stream",
            description="The file; the end of its name tells its kind.",
        )
        form = Schema(
            type=OpenAPIType.OBJECT,
            properties={"file": file, "collection": Schema(type=OpenAPIType.STRING)},
            required=["file"],
        )
        text = Reference(ref="#/components/schemas/DocumentRequest")
        self.request_body = RequestBody(
            required=True,
            content={
                "multipart/form-data": OpenAPIMediaType(schema=form),
                "application/json": OpenAPIMediaType(schema=text),
            },
        )


def problem(description: str) -> ResponseSpec:
    """Return the description of a problem that a route may answer."""
    return ResponseSpec(
        schemas.Problem,
        description=description,
        generate_examples=False,
        media_type=problems.MEDIA_TYPE,
    )


INVALID: Final = {400: problem("The request is invalid; `pointer` names the field.")}
UNKNOWN: Final = {404: problem("No such document or collection.")}
TOO_LARGE: Final = {413: problem("The body exceeds the limit.")}
NOT_JSON: Final = {415: problem("The body is of another media type than JSON.")}
BUSY: Final = {
    503: problem(
        "Too many requests wait already (`Retry-After` says when to retry), or the index is stale "
        "or damaged (`type` and `detail` say so)."
    )
}
FULL: Final = {507: problem("There is too little room on the disk to add anything.")}
