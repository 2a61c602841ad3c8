"""What a client raises when the service does not do what it was asked to."""

import msgspec

from rag.api.schemas import Job, Problem


class ServiceError(Exception):
    """The service refused or failed; `problem` says why. `retry_after` is in seconds, if told.

    What the connection itself fails with is raised as httpx has it.
    """

    def __init__(self, problem: Problem, *, retry_after: float | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.retry_after = retry_after


class InvalidRequest(ServiceError):
    """The request is wrong, or too large, or what was sent cannot be read."""


class Unauthorized(ServiceError):
    """There is no valid key."""


class Forbidden(ServiceError):
    """The key does not allow it."""


class NotFound(ServiceError):
    """There is nothing of this name, or not for this key."""


class Conflict(ServiceError):
    """It does not go together with what there is."""


class TooManyRequests(ServiceError):
    """The key's or address's rate is used up."""


class Unavailable(ServiceError):
    """The service cannot do it now."""


class JobFailed(Exception):
    """An upload was not taken in; `job` tells why."""

    def __init__(self, job: Job) -> None:
        super().__init__(job.error or f"The job {job.id} was {job.status}.")
        self.job = job


class StreamEnded(Exception):
    """A stream ended before all of it had come."""


_BY_STATUS: dict[int, type[ServiceError]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: InvalidRequest,
    415: InvalidRequest,
    422: InvalidRequest,
    429: TooManyRequests,
    503: Unavailable,
}


def error_of(problem: Problem, *, retry_after: float | None = None) -> ServiceError:
    """Return the error that a problem is."""
    return _BY_STATUS.get(problem.status, ServiceError)(problem, retry_after=retry_after)


def problem_of(status: int, body: bytes) -> Problem:
    """Return the problem in a body; of something between here and the service, one made of it."""
    try:
        return msgspec.json.decode(body, type=Problem)
    except msgspec.MsgspecError:
        text = body[:200].decode(errors="replace")
        return Problem(
            type="about:blank",
            title=f"Status {status}",
            status=status,
            detail=f"What answered with status {status} was not the service: {text}",
        )
