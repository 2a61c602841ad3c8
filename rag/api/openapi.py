"""The OpenAPI document: the framework's, with the wire's own schemas in it."""

from dataclasses import dataclass
from typing import Any, Final

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

from rag.api import contract, problems, schemas


class WholeDocument(JsonRenderPlugin):
    """Serves the document with all that the framework does not know; `keys`: they are needed."""

    def __init__(self, *, path: str, keys: bool) -> None:
        super().__init__(path=path)
        self._keys: Final = keys

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the document as JSON."""
        return super().render(request, contract.complete(openapi_schema, keys=self._keys))


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
            additional_properties=False,
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


EVENTS: Final = {
    200: ResponseSpec(
        str,
        description="The events `hits`, `answer` for each, `done`, or `problem`.",
        generate_examples=False,
        media_type="text/event-stream",
    )
}
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
