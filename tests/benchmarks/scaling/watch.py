"""How long something takes, by the clock and of a processor."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How long something took, and how long it kept processors of this process busy, seconds."""

    seconds: float
    work: float


class Watch:
    """Adds up what runs under it."""

    def __init__(self) -> None:
        self.seconds = self.work = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count what is done inside."""
        began = time.perf_counter(), time.process_time()
        yield
        self.seconds += time.perf_counter() - began[0]
        self.work += time.process_time() - began[1]

    @property
    def taken(self) -> Taken:
        """What it was, until now."""
        return Taken(seconds=self.seconds, work=self.work)
