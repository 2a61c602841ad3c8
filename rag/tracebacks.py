"""Tracebacks without what exceptions say, which may be words of a question or a document."""

import traceback


def without_messages(error: BaseException) -> str:
    """Return the traceback of an error and of what led to it, each named by its type alone."""
    return "\n".join(_parts(error, seen=set()))


def _parts(error: BaseException, *, seen: set[int]) -> list[str]:
    seen.add(id(error))
    parts: list[str] = []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        link = "which caused:" if error.__cause__ else "while that was handled:"
        parts += [*_parts(before, seen=seen), link]
    parts += [line.rstrip("\n") for line in traceback.format_tb(error.__traceback__)]
    class_ = type(error)
    parts.append(
        class_.__qualname__
        if class_.__module__ == "builtins"
        else f"{class_.__module__}.{class_.__qualname__}"
    )
    if isinstance(error, BaseExceptionGroup):
        for number, inner in enumerate(error.exceptions, start=1):
            parts += [f"of its exceptions, number {number}:", *_parts(inner, seen=seen)]
    return parts
