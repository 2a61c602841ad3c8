"""Until when a request may take, for whatever is done for it."""

import time
from contextvars import ContextVar
from typing import Final


class Deadline:
    """A moment of `time.monotonic`, which may be moved."""

    def __init__(self, *, seconds: float) -> None:
        self.move(seconds=seconds)

    def move(self, *, seconds: float) -> None:
        """Put it so many seconds from now."""
        self.at = time.monotonic() + seconds

    @property
    def passed(self) -> bool:
        """Whether it is over."""
        return time.monotonic() >= self.at


DEADLINE: Final[ContextVar[Deadline | None]] = ContextVar("deadline", default=None)
"""The deadline of the request in whose context this runs, None for work without one."""
