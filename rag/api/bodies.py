"""JSON bodies: decoded strictly into their type, refused with the place and the reason."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, TypeVar

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException

from rag.errors import InvalidRequest

T = TypeVar("T")

_PLACE: Final = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_GOT_FLOAT: Final = re.compile(r"^Expected `int(?: \| null)?`, got `float`")
_EXACT: Final = 2.0**53
_UNKNOWN_FIELD: Final = re.compile(r"unknown field `(?P<field>.*)`$", re.DOTALL)
_FORBIDDEN: Final = re.compile("[\x00\ud800-\udfff]")


class JsonRequest(Request[Any, Any, Any]):
    """A request whose JSON goes straight into the type that its handler takes as `data`.

    The framework's own way decodes into plain values first and then takes "3" for 3.
    """

    async def json(self) -> Any:  # noqa: ANN401  (as in the class it extends)
        """Return the body as the handler's type; raise InvalidRequest where it is none."""
        kind = self.content_type[0]
        if kind != "application/json":
            raise HTTPException(
                f"Send application/json, not {kind or 'a body of no type'}.", status_code=415
            )
        field = self.route_handler.parsed_data_field
        return decode(await self.body(), Any if field is None else field.annotation)


def decode(body: bytes, type_: type[T]) -> T:
    """Return the value that a JSON body holds; raise InvalidRequest naming what is wrong in it."""
    if not body:
        raise InvalidRequest("A JSON body is required.")
    try:
        value = _decode(body, type_)
    except msgspec.ValidationError as error:
        raise _invalid(error) from error
    except UnicodeDecodeError as error:
        raise InvalidRequest("The body is not valid UTF-8.") from error
    except RecursionError as error:
        raise InvalidRequest("The JSON is nested too deeply.") from error
    except msgspec.DecodeError as error:
        # It calls an escaped lone surrogate truncated input.
        _refuse_forbidden(body)
        raise InvalidRequest(f"{error}.") from error
    if rb"\u0000" in body:
        _refuse_forbidden(body)
    return value


def _decode(body: bytes, type_: type[T]) -> T:
    """Decode a body; 3.0 is a whole number to JSON Schema, and so it is here."""
    try:
        return msgspec.json.decode(body, type=type_)
    except msgspec.ValidationError as error:
        if not _GOT_FLOAT.search(str(error)):
            raise
    return msgspec.convert(_with_whole_numbers(msgspec.json.decode(body)), type_)


def _with_whole_numbers(value: Any) -> Any:  # noqa: ANN401  (any JSON)
    if isinstance(value, dict):
        return {key: _with_whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_whole_numbers(item) for item in value]
    whole = isinstance(value, float) and value.is_integer() and abs(value) < _EXACT
    return int(value) if whole else value


def convert(fields: dict[str, Any], type_: type[T]) -> T:
    """Return the value that texts by their names hold; raise InvalidRequest naming what is wrong.

    A number may be a text here, as an address has no others.
    """
    try:
        return msgspec.convert(fields, type_, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(error) from error


def forbidden(*path: str | int) -> InvalidRequest:
    """Return the error of a text that holds what no text may."""
    pointer = pointer_to(*path)
    return InvalidRequest(
        f"{pointer}: the text holds a NUL or a lone surrogate, which no text may. Remove it.",
        pointer=pointer,
    )


def pointer_to(*parts: str | int) -> str:
    """Return the JSON pointer (RFC 6901) to a place in a body."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _invalid(error: msgspec.ValidationError) -> InvalidRequest:
    message, pointer = _explain(str(error))
    return InvalidRequest(message, pointer=pointer)


def _explain(message: str) -> tuple[str, str]:
    """Return the message and the pointer of what msgspec says of a value."""
    parts: list[str] = []
    if match := _PLACE.search(message):
        message = message[: match.start()]
        # Keys of mappings are given as [...], so the pointer ends at the mapping.
        parts = [part for part in re.split(r"[.\[\]]+", match["path"]) if part]
    if match := _UNKNOWN_FIELD.search(message):
        parts.append(match["field"])
    pointer = pointer_to(*parts)
    return f"{pointer}: {message}" if pointer else message, pointer


def _refuse_forbidden(body: bytes) -> None:
    """Raise InvalidRequest if a JSON text holds NULs or lone surrogates as escapes."""
    try:
        places = list(_forbidden(json.loads(body)))
    except (ValueError, RecursionError):
        return  # it is no JSON at all, which the caller says
    if places:
        raise forbidden(*places[0])


def _forbidden(value: object, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, str):
        if _FORBIDDEN.search(value):
            yield path
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _forbidden(item, *path, index)
    elif isinstance(value, dict):
        for key, item in value.items():
            if _FORBIDDEN.search(key):
                yield path
            yield from _forbidden(item, *path, key)
