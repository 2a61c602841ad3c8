"""The log: one line an event on standard error, without words of questions and documents.

Records of every library take the same way. What a record says beyond its template may hold such
words, and so may what an exception says: both are left out unless they are asked for, but for the
records of this package and of the server, which are written with that in mind. A record of ours
carries `fields`, and as `text` what is shown only to who asks for it:

    _LOG.info("request", extra={"fields": {"status": 200}, "text": {"question": "..."}})
"""

import logging
import sys
import threading
import traceback
from typing import IO, Final, Literal, cast

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from rag.tracebacks import without_messages

Form = Literal["json", "text", "off"]
Level = Literal["debug", "info", "warning", "error"]

# Those whose records hold no words but those of this program and of addresses.
_TRUSTED: Final = ("rag", "vectors", "uvicorn")
_LOG: Final = logging.getLogger(__name__)

QUESTIONS: Final = logging.getLogger("rag.questions")
"""Logs each question and its answers, where such words are wanted."""


def configure_logging(*, form: Form | None, level: Level, text: bool) -> None:
    """Send all records to standard error; with None as `form` as text to a terminal, else as JSON.

    `text` lets words of questions and documents in.
    """
    if form is None:
        form = "text" if sys.stderr.isatty() else "json"
    root = logging.getLogger()
    if form == "off":
        root.handlers = [logging.NullHandler()]
        return
    root.handlers = [log_handler(sys.stderr, form=form, text=text)]
    least: int = logging.getLevelName(level.upper())
    # What other libraries tell of their inside is of use to nobody who runs a service.
    root.setLevel(max(least, logging.WARNING))
    for name in _TRUSTED:
        logging.getLogger(name).setLevel(least)
    QUESTIONS.setLevel(logging.INFO if text else logging.CRITICAL)
    logging.captureWarnings(capture=True)
    threading.excepthook = _log_end_of_thread


def log_handler(stream: IO[str], *, form: Literal["json", "text"], text: bool) -> logging.Handler:
    """Return what writes records to a stream, a line each."""
    last: Processor = (
        structlog.processors.JSONRenderer(serializer=_json)
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            use_get_message=False,
            pass_foreign_args=True,
            foreign_pre_chain=[
                _with_text if text else _without_text,
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    return handler


def _with_text(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    record = cast("logging.LogRecord", event["_record"])
    event["event"] = _said_by(record, event)
    event.update(getattr(record, "fields", {}))
    event.update(getattr(record, "text", {}))
    if found := _exception(event):
        event["exception"] = "".join(traceback.format_exception(found)).rstrip("\n")
    return event


def _without_text(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    record = cast("logging.LogRecord", event["_record"])
    if record.name.partition(".")[0] in _TRUSTED:
        event["event"] = _said_by(record, event)
        event.update(getattr(record, "fields", {}))
    else:
        template = str(record.msg) if event["positional_args"] else "(withheld)"
        event.update(event=template, at=f"{record.pathname}:{record.lineno}")
    if found := _exception(event):
        event["exception"] = without_messages(found)
    return event


def _said_by(record: logging.LogRecord, event: EventDict) -> str:
    args = event["positional_args"]
    return str(record.msg) % args if args else str(record.msg)


def _exception(event: EventDict) -> BaseException | None:
    """Take the exception out of an event, so that nothing else shows it."""
    del event["positional_args"]
    found = event.pop("exc_info", None)
    return found[1] if found else None


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_type is not SystemExit:
        _LOG.error("A thread ended by an unexpected error", exc_info=ended.exc_value)


def _json(event: EventDict, **_: object) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
