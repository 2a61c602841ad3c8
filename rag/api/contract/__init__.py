"""The OpenAPI document as it is served: what the framework knows, made whole."""

import json
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec

from rag.api import problems, queries, schemas
from rag.api.contract.problem_types import MEANINGS

MEDIA_TYPE: Final = "application/problem+json"

_DESCRIPTION: Final = """\
Questions answered in the documents' own words: exact spans, each with a citation that can be \
checked, a calibrated confidence, or the reason why there is no answer.

Offsets are half-open, in Unicode code points of the document's text. Unknown fields and query \
parameters are refused. The same question, index and settings give the same answer. Paths begin \
with the version of the contract, `/v1`: within it fields may be added to responses, none is taken \
away or changes its meaning."""
_KEY: Final = (
    "A key, made by `rag keys create`. A service on a loopback address needs none unless it is set "
    "to (`RAG_KEYS`)."
)
_TAGS: Final = {
    "questions": "Answers with citations, and passages.",
    "documents": "What is answered from.",
    "citations": "Quotes checked against the documents, and what people say of answers.",
    "collections": "Indexes, each of its own documents.",
    "jobs": "Uploads that are taken in after they were acknowledged.",
    "health": "Whether the service is there; for these no key is needed.",
}
_TAG_OF: Final = {
    "/v1/ask": "questions",
    "/v1/search": "questions",
    "/v1/examples": "questions",
    "/v1/documents": "documents",
    "/v1/citations": "citations",
    "/v1/feedback": "citations",
    "/v1/index": "collections",
    "/v1/collections": "collections",
    "/v1/jobs": "jobs",
    "/health": "health",
}
_PARAMETERS: Final = {
    "document_id": "The id that answers, searches and lists give.",
    "job_id": "The id that the upload was answered with.",
    "name": "Name of the collection.",
    "limit": "At most this many.",
    "offset": "How many to leave out at the beginning.",
}
_STRUCTS: Final = [getattr(schemas, name) for name in schemas.__all__]
_SECONDS: Final = {"type": "integer", "minimum": 1}
_RETRY: Final = {
    "Retry-After": {"description": "Seconds to wait before the next try.", "schema": _SECONDS}
}
_ASK_FOR_KEY: Final = {
    "WWW-Authenticate": {"description": "`Bearer`.", "schema": {"const": "Bearer"}}
}
_REFUSALS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "401": ("No valid key was sent.", _ASK_FOR_KEY),
    "403": ("The key has not the scope of this route, or another site's page asked.", {}),
    "421": ("The service does not answer to this name (`Host`).", {}),
    "429": ("Too many requests of this key or address.", _RETRY),
}
_LATE: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "408": ("The body of the request did not come in time.", {})
}
_UNAVAILABLE: Final = (
    "The service is loading, is being stopped or has too much to do, the request takes too long, "
    "or the index is stale or damaged: `type` says which. `Retry-After` where trying again helps."
)


_EVENTS: Final = {
    "description": "The events, in the order `hits`, `answer`, ..., `done`; or `problem` instead "
    "of what would follow. Lines that begin with a colon mean nothing but that more is to come.",
    "content": {
        "text/event-stream": {
            "schema": {
                "description": "Each event; `data` is JSON.",
                "type": "object",
                "properties": {
                    "event": {"enum": ["hits", "answer", "done", "problem"]},
                    "data": {
                        "type": "string",
                        "contentMediaType": "application/json",
                        "contentSchema": {
                            "anyOf": [
                                {"$ref": f"#/components/schemas/{name}"}
                                for name in ("Hits", "Answer", "Done", "Problem")
                            ]
                        },
                    },
                },
                "required": ["event", "data"],
            }
        }
    },
}
_GIVEN: Final = {"type": "object"}
_VERDICTS: Final = [
    {
        "if": {"properties": {"verdict": {"const": "span"}}},
        "then": {"properties": {"span": _GIVEN}, "required": ["span"]},
        "else": {"properties": {"span": {"type": "null"}}},
    },
    {
        "if": {"properties": {"verdict": {"const": "should_abstain"}}},
        "then": {"properties": {"answer": _GIVEN}, "required": ["answer"]},
    },
]


def complete(document: dict[str, Any], *, keys: bool) -> dict[str, Any]:
    """Return the framework's document with schemas, refusals, examples and problems of the wire.

    With `keys` a request needs one.
    """
    _, components = msgspec.json.schema_components(
        _STRUCTS, ref_template="#/components/schemas/{name}"
    )
    components["Problem"]["properties"]["type"]["enum"] = [
        problems.TYPE_PREFIX + kind for kind in MEANINGS
    ]
    components["FeedbackRequest"] |= {"allOf": _VERDICTS}
    paths = document["paths"]
    return document | {
        "info": document["info"] | {"description": f"{_DESCRIPTION}\n\n{_problem_table()}"},
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": {
            path: {
                method: _operation(path, paths[path][method], keys=keys)
                for method in sorted(paths[path])
            }
            for path in sorted(paths)
        },
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": _KEY},
            },
        },
    }


@cache
def examples() -> dict[str, Any]:
    """Return requests and what the service answered them over `seeds/`, by operation."""
    text = (resources.files(__name__) / "examples.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _operation(path: str, given: dict[str, Any], *, keys: bool) -> dict[str, Any]:
    tag = next(tag for prefix, tag in _TAG_OF.items() if path.startswith(prefix))
    operation = given | {"tags": [tag], "responses": dict(given["responses"])}
    del operation["deprecated"]
    if path == "/v1/ask/stream":
        operation["parameters"] = queries.parameters()
        operation["responses"]["200"] = _EVENTS
    operation["security"] = [{"key": []}] if keys and tag != "health" else []
    _refusals(operation, tag)
    _examples(operation, examples().get(given["operationId"], {}))
    operation["responses"] = dict(sorted(operation["responses"].items()))
    return operation


def _refusals(operation: dict[str, Any], tag: str) -> None:
    """Add what the layers around the framework refuse."""
    responses = operation["responses"]
    if tag == "health":
        if operation["operationId"] == "ready":
            health = {"schema": {"$ref": "#/components/schemas/Health"}}
            description = "It is loading, is being stopped, or has not answered in time."
            content = {"application/json": health}
            responses["503"] = {"description": description, "content": content}
        responses["421"] = _problem(*_REFUSALS["421"])
        responses["403"] = _problem("Another site's page asked.", {})
        return
    late = _LATE if "requestBody" in operation else {}
    for status, (description, headers) in (_REFUSALS | late).items():
        responses[status] = _problem(description, headers)
    invalid = responses.get("400", {"description": "There is an unknown query parameter."})
    if "Problem" not in str(invalid):  # the framework's, which says what it would have sent
        invalid = _problem("A parameter is wrong, or there is an unknown one.", {})
    responses["400"] = invalid
    responses["503"] = _problem(_UNAVAILABLE, _RETRY)


def _problem(description: str, headers: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    response = {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}
    return response | ({"headers": headers} if headers else {})


def _examples(operation: dict[str, Any], example: dict[str, Any]) -> None:
    """Add a request and what came of it, and say what parameters mean that say it everywhere."""
    given = example.get("parameters", {})
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in _PARAMETERS:
            parameter.setdefault("description", _PARAMETERS[parameter["name"]])
        if parameter["name"] in given:
            parameter["example"] = given[parameter["name"]]
    if "request" in example:
        operation["requestBody"]["content"]["application/json"]["example"] = example["request"]
    if "response" in example:
        content = operation["responses"][str(example["status"])]["content"]
        next(iter(content.values()))["example"] = example["response"]


def _problem_table() -> str:
    rows = [
        f"| `{problems.TYPE_PREFIX}{kind}` | {', '.join(map(str, meaning.statuses))} | "
        f"{meaning.text} |"
        for kind, meaning in MEANINGS.items()
    ]
    return "\n".join(["| problem `type` | status | meaning |", "|---|---|---|", *rows])
