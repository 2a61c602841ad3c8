"""Questions in the query of an address, taken as strictly as bodies are."""

from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from rag.api import bodies, schemas
from rag.errors import InvalidRequest

_PLAIN: Final = ("question", "answers", "k", "min_confidence", "collection")
_LISTS: Final = ("documents", "media_types")
_DAYS: Final = ("published_from", "published_to")
_METADATA: Final = "metadata"
NAMES: Final = (*_PLAIN, *_LISTS, *_DAYS, _METADATA)


def question_in(query: bytes) -> schemas.AskRequest:
    """Return the question that a query string puts; raise InvalidRequest naming what is wrong.

    What is a list in a body is repeated; `metadata` is `key=value`.
    """
    fields: dict[str, Any] = {}
    filters: dict[str, Any] = {}
    for name, value in _pairs(query):
        if "\0" in value:
            raise bodies.forbidden(name)
        if name in _LISTS:
            filters.setdefault(name, []).append(value)
        elif name == _METADATA:
            key, separator, wanted = value.partition("=")
            if not separator or key in filters.setdefault(_METADATA, {}):
                raise InvalidRequest(
                    f"/metadata: Expected `key=value`, each key once, got {value!r}",
                    pointer="/metadata",
                )
            filters[_METADATA][key] = wanted
        elif name in _DAYS:
            filters[name] = value
        else:
            fields[name] = value
    if filters:
        fields["filters"] = filters
    return bodies.convert(fields, schemas.AskRequest)


def parameters() -> list[dict[str, Any]]:
    """Return the OpenAPI descriptions of the parameters, from those of a question in a body."""
    _, schemas_ = msgspec.json.schema_components([schemas.AskRequest])
    asked, filters = (schemas_[name]["properties"] for name in ("AskRequest", "Filters"))
    described = []
    for name in NAMES:
        schema = dict(asked.get(name) or filters[name])
        if "anyOf" in schema:  # null, which is to leave it out here
            schema = dict(schema["anyOf"][0])
        if name == _METADATA:
            item = {"type": "string", "pattern": "=", "examples": ["publisher=NATO"]}
            schema = {"type": "array", "items": item}
            schema["description"] = "`key=value`: the exact value that a key must have."
        parameter = {"name": name, "in": "query", "required": name == "question"}
        if description := schema.pop("description", ""):
            parameter["description"] = description
        described.append(parameter | {"schema": schema})
    return described


def _pairs(query: bytes) -> list[tuple[str, str]]:
    """Return names and values in their order, those that stand once only once."""
    try:
        pairs = parse_qsl(query.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidRequest("The query is not valid UTF-8.") from error
    names = [name for name, _ in pairs]
    for name in dict.fromkeys(names):
        if name not in NAMES:
            raise InvalidRequest(f"There is no query parameter `{name}` here.")
        if names.count(name) > 1 and name not in {*_LISTS, _METADATA}:
            raise InvalidRequest(
                f"/{name}: Expected once, got several", pointer=bodies.pointer_to(name)
            )
    return pairs
