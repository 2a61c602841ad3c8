"""Ctrl-C in commands that run for long: what was taken up is finished, no more begun."""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def stopped_by_interrupt() -> Iterator[threading.Event]:
    """Let the first Ctrl-C set the event that is given, and a second one end the process.

    An exception in the midst of a library's callback would be swallowed there.
    """
    stopped = threading.Event()

    def stop(_: int, __: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def until(stopped: threading.Event, items: Iterable[T]) -> Iterator[T]:
    """Yield the items until the event is set: what was taken up is finished, no more begun."""
    for item in items:
        if stopped.is_set():
            return
        yield item
