"""Whether questions are answered: by asking one, ahead of those that wait."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from rag.api.worker import Worker
from rag.errors import NotFound, RagError, StoreError
from rag.home import Home
from rag.settings import DEFAULT_COLLECTION

_LOG: Final = logging.getLogger(__name__)

# A ready service answers a question within this time, seconds, that is put ahead of all others.
_PATIENCE: Final = 5.0
# For how long the answer holds: however many ask after it, the models have one more question.
_FRESH: Final = 1.0


class WarmUp:
    """A question to the models, over the collection that could be asked last.

    That is the default one at first. Raises RagError where no collection can be asked; where it is
    another than before, that is logged.
    """

    def __init__(self, home: Home) -> None:
        self._home: Final = home
        self._collection = DEFAULT_COLLECTION
        self._lock: Final = threading.Lock()

    def __call__(self) -> None:
        """Ask."""
        with self._lock:
            try:
                self._home.engine(self._collection).answerer.warm_up()
            except (NotFound, StoreError) as error:
                self._collection = self._usable_but(self._collection, error)
                self._home.engine(self._collection).answerer.warm_up()
                _LOG.warning("%s", error)

    def _usable_but(self, collection: str, error: RagError) -> str:
        for name in self._home.names():
            if name != collection and self._home.condition(name).state == "ready":
                return name
        raise error


class Readiness:
    """Asks a canary question when somebody wants to know; those who ask meanwhile share it.

    It takes no place from others, and goes before them: to have much to do is not to be stuck.
    """

    def __init__(self, models: Worker, ask: Callable[[], object]) -> None:
        self._models: Final = models
        self._ask: Final = ask
        self._canary: asyncio.Task[object] | None = None
        self._since = 0.0

    def warm_up(self) -> None:
        """Ask here and now, which loads what is not loaded yet; raise RagError as it does."""
        self._ask()

    async def reason(self) -> str:
        """Return why questions are not answered, "" if they are; takes five seconds at most."""
        canary = self._canary
        if canary is None or (canary.done() and time.monotonic() > self._since + _FRESH):
            self._since = time.monotonic()
            canary = asyncio.create_task(self._models.run(self._ask, ahead=True))
            self._canary = canary
        left = self._since + _PATIENCE - time.monotonic()
        await asyncio.wait([canary], timeout=max(left, 0.0))
        if not canary.done():
            return f"A question has not been answered within {_PATIENCE:.0f} seconds."
        if canary.cancelled():
            return "The service is being stopped."
        error = canary.exception()
        if error is None:
            return ""
        if isinstance(error, RagError):
            return str(error)
        raise error
