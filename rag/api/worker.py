"""Threads for work that must not run on the event loop, each with a bounded queue."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from rag.errors import Busy

T = TypeVar("T")


class Worker:
    """One thread that runs what it is given in order; at most `capacity` calls wait or run."""

    def __init__(self, name: str, *, capacity: int) -> None:
        self._name: Final = name
        self._executor: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._places: Final = threading.BoundedSemaphore(capacity)
        self._capacity: Final = capacity

    async def run(self, call: Callable[[], T]) -> T:
        """Return what `call` returns, run on the thread; raise Busy if the queue is full."""
        if not self._places.acquire(blocking=False):
            raise Busy(
                f"{self._capacity} requests are waiting for {self._name} already. Try again soon."
            )
        try:
            future = self._executor.submit(call)
        except RuntimeError as error:  # closed
            self._places.release()
            raise Busy(f"{self._name} is shutting down. Try again later.") from error
        # A place is free again when the call has ended or was cancelled before its turn.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let the running call end, drop the waiting ones and stop the thread."""
        self._executor.shutdown(wait=True, cancel_futures=True)
