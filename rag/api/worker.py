"""Threads for work that must not run on the event loop, each kind with a bounded queue."""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, Final, TypeVar

from rag.api.deadline import DEADLINE
from rag.errors import Busy

T = TypeVar("T")

_NEWEST: Final = 0.1  # what the newest call weighs in the mean time of one
_LONGEST_RETRY: Final = 60


class _Call:
    """A call that waits or runs; `wanted` until nobody waits for what it returns."""

    def __init__(self, function: Callable[[], Any], *, counted: bool) -> None:
        self.function: Final = function
        self.future: Final[Future[Any]] = Future()
        self.deadline: Final = DEADLINE.get()
        self.context: Final = copy_context()
        self.counted: Final = counted
        self.wanted = True

    @property
    def late(self) -> bool:
        """Whether its request's time is over."""
        return self.deadline is not None and self.deadline.passed


class Worker:
    """Runs what it is given in order, on one thread; at most `capacity` calls wait or run.

    With several `threads` calls are taken up in order, and as many run at once. A call whose
    request was cancelled, or has no time left, is dropped when its turn comes.
    """

    def __init__(self, name: str, *, capacity: int, threads: int = 1) -> None:
        self._name: Final = name
        self.capacity: Final = capacity
        self._count: Final = threads
        self._threads: Final[list[threading.Thread]] = []
        self._calls: Final[deque[_Call]] = deque()
        self._changed: Final = threading.Condition()
        self._running: Final = threading.local()
        self._waiting = 0
        self._seconds = 0.0
        self._closing = False

    @property
    def waiting(self) -> int:
        """How many calls wait or run."""
        return self._waiting

    @property
    def seconds(self) -> float:
        """The mean time that a call takes, the latest weighing most; 0 before the first."""
        return self._seconds

    @property
    def retry_after(self) -> int:
        """After how many seconds those that wait now are done, as far as can be told."""
        seconds = math.ceil(self._waiting * self._seconds / self._count)
        return min(max(seconds, 1), _LONGEST_RETRY)

    async def run(self, function: Callable[[], T], *, ahead: bool = False) -> T:
        """Return what a call returns, run on a thread; raise Busy if the queue is full.

        One that is to go `ahead` of the others takes no place from them and is never refused.
        """
        call = _Call(function, counted=not ahead)
        with self._changed:
            if self._closing:
                raise self._closed()
            if call.counted and self._waiting >= self.capacity:
                raise Busy(
                    f"{self._waiting} requests are waiting for {self._name} already. Try again "
                    "soon.",
                    retry_after=self.retry_after,
                )
            self._waiting += call.counted
            if len(self._threads) < self._count:
                self._start()
            (self._calls.appendleft if ahead else self._calls.append)(call)
            # A place is free again when the call has ended or was cancelled before its turn.
            call.future.add_done_callback(lambda _: self._leave(call))
            self._changed.notify()
        try:
            result: T = await asyncio.wrap_future(call.future)
        except asyncio.CancelledError:
            call.wanted = False
            raise
        return result

    def checkpoint(self) -> None:
        """Raise Busy where the call that runs on this thread has become useless.

        It has when its client has gone, its request's time is over, or the worker is to close.
        """
        call: _Call = self._running.call
        if self._closing:
            raise self._closed()
        if not call.wanted or call.late:
            raise self._late()

    def stop(self) -> None:
        """Begin to end: what waits is refused, what runs ends, at its next checkpoint if any."""
        with self._changed:
            self._closing = True
            waiting = list(self._calls)
            self._calls.clear()
            self._changed.notify_all()
        for call in waiting:
            if call.future.set_running_or_notify_cancel():
                call.future.set_exception(self._closed())

    def close(self) -> None:
        """Stop, and return when what runs has ended."""
        self.stop()
        for thread in self._threads:
            thread.join()

    def _start(self) -> None:
        number = len(self._threads) + 1
        thread = threading.Thread(target=self._work, name=f"{self._name} {number}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _leave(self, call: _Call) -> None:
        with self._changed:
            self._waiting -= call.counted
            if call in self._calls:  # cancelled: it must not lie about until its turn
                self._calls.remove(call)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._calls:
                    if self._closing:
                        return
                    self._changed.wait()
                call = self._calls.popleft()
            if call.future.set_running_or_notify_cancel():
                self._do(call)
            del call  # and what it holds, before the next one comes

    def _do(self, call: _Call) -> None:
        if call.late:
            call.future.set_exception(self._late())
            return
        self._running.call = call
        started = time.perf_counter()
        try:
            result = call.context.run(call.function)
        except BaseException as error:  # noqa: BLE001  (it reaches whoever waits for the call)
            call.future.set_exception(error)
            return
        finally:
            self._running.call = None
            seconds = time.perf_counter() - started
            if call.counted:
                before = self._seconds or seconds
                self._seconds = before + _NEWEST * (seconds - before)
        call.future.set_result(result)

    def _closed(self) -> Busy:
        return Busy(f"{self._name} is shutting down. Try again later.", retry_after=5)

    def _late(self) -> Busy:
        return Busy(
            f"The request's time was over before {self._name} had done it. Try again later.",
            retry_after=self.retry_after,
        )
