"""Between calls and HTTP: what is sent, what comes back, and when to try again."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

import httpx
import msgspec

from rag.api import schemas
from rag.client.calls import Call
from rag.client.errors import JobFailed, ServiceError, error_of, problem_of

T = TypeVar("T")
Event: TypeAlias = schemas.Hits | schemas.Answer | schemas.Done

ADDRESS: Final = "http://127.0.0.1:8000"
TIMEOUT: Final = 120.0

_TYPES: Final = {"hits": schemas.Hits, "answer": schemas.Answer, "done": schemas.Done}
_AGAIN: Final = {429, 503}
_TOO_LONG: Final = "urn:chapterverse:problem:timeout"


def headers_of(key: str | None) -> dict[str, str]:
    """Return the headers of every request."""
    return {} if key is None else {"Authorization": f"Bearer {key}"}


@contextmanager
def request_of(call: Call[Any]) -> Iterator[dict[str, Any]]:
    """Give a call as httpx takes it; a file is open meanwhile, and read as it is sent."""
    request: dict[str, Any] = {"method": call.method, "url": call.path, "params": call.parameters}
    with ExitStack() as stack:
        if call.file is not None:
            opened = stack.enter_context(call.file.open("rb"))
            request["files"] = {"file": (call.file.name, opened)}
            request["data"] = msgspec.to_builtins(call.body)
        elif call.body is not None:
            request["content"] = msgspec.json.encode(call.body)
            request["headers"] = {"Content-Type": "application/json"}
        yield request


def value_of(call: Call[T], response: httpx.Response) -> T:
    """Return what a call returns; raise ServiceError where the service did not do it."""
    if response.status_code not in call.statuses:
        raise error_in(response)
    if call.returns is type(None):
        return None
    if call.returns is str:
        return response.content.decode()  # type: ignore[return-value]
    type_: Any = call.returns
    if call.returns == schemas.DocumentsAdded | schemas.Job:
        type_ = schemas.Job if response.status_code == 202 else schemas.DocumentsAdded
    value: T = msgspec.json.decode(response.content, type=type_)
    return value


def error_in(response: httpx.Response) -> ServiceError:
    """Return the error that a response is, which has been read."""
    told = response.headers.get("retry-after", "")
    return error_of(
        problem_of(response.status_code, response.content),
        retry_after=float(told) if told.isdecimal() else None,
    )


@dataclass(slots=True)
class Retries:
    """When a call is tried again: at most `left` times, and for `patience` seconds in all.

    Only what the service says to try again, after the time it names: it has done nothing then. What
    took too long is not, for it would again.
    """

    left: int
    patience: float

    def delay(self, call: Call[Any], response: httpx.Response) -> float | None:
        """Return the seconds to wait before the next try, None if there is to be none."""
        told = response.headers.get("retry-after", "")
        if response.status_code in call.statuses or response.status_code not in _AGAIN:
            return None
        if not told.isdecimal() or not self.left or float(told) > self.patience:
            return None
        if problem_of(response.status_code, response.content).type == _TOO_LONG:
            return None
        self.left -= 1
        self.patience -= float(told)
        return float(told)


class Events:
    """Turns the lines of a stream into its events."""

    def __init__(self) -> None:
        self.done = False
        self._name = ""

    def take(self, line: str) -> Event | None:
        """Return the event that a line completes, if any; raise ServiceError for a problem."""
        field, _, value = line.partition(": ")
        if field == "event":
            self._name = value
        elif field == "data" and self._name == "problem":
            raise error_of(msgspec.json.decode(value, type=schemas.Problem))
        elif field == "data" and self._name in _TYPES:
            self.done = self._name == "done"
            event: Event = msgspec.json.decode(value, type=_TYPES[self._name])
            return event
        return None


class Waiting:
    """The wait for a job, which looks at it ever more seldom, for `seconds` at most."""

    def __init__(self, *, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._pause = 0.1

    def pause(self, job: schemas.Job) -> float | None:
        """Return the seconds until the next look, None where the job is done."""
        if job.status == "done":
            return None
        if job.status in {"failed", "cancelled"}:
            raise JobFailed(job)
        if time.monotonic() > self._until:
            raise TimeoutError(f"The job {job.id} is still {job.status}. Look at it later.")
        self._pause = min(2 * self._pause, 5.0)
        return self._pause
