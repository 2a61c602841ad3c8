"""Reads from a standby, as long as it holds what the primary holds."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from rag.store.postgres.server import Server
from rag.store.schema import Meta

# For how long one that failed is passed over, and how often it is told that it is behind.
_PAUSE_SECONDS: Final = 5.0
_TELLING_SECONDS: Final = 60.0

_LOG: Final = logging.getLogger(__name__)


class Standby:
    """A server that follows the primary, and whether reads may go there.

    A collection is read from it only where the row that binds all its others is the very one that
    the primary had `lag_seconds` ago or less; with 0 the primary is asked as each read begins. So
    nothing rests on clocks, on places in the servers' logs or on the address being that of the
    right standby: what is read there is what the primary held then, to the last bit.
    """

    def __init__(
        self, server: Server, *, lag_seconds: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.server: Final = server
        self.lag_seconds: Final = lag_seconds
        self.now: Final = now
        self._reads: Final[Counter[str]] = Counter({"standby": 0, "behind": 0, "away": 0})
        self._failed = now() - _PAUSE_SECONDS
        self._away = False
        self._told = now() - _TELLING_SECONDS
        self._lock: Final = threading.Lock()

    @property
    def reads(self) -> Mapping[str, int]:
        """How many reads went there, and to the primary as it was `behind` or `away`."""
        return self._reads

    def to_be_tried(self) -> bool:
        """Tell whether the standby may be asked; one that failed is left alone for a while."""
        if self.now() - self._failed >= _PAUSE_SECONDS:
            return True
        with self._lock:
            self._reads["away"] += 1
        return False

    def read(self) -> None:
        """Take note of a read that goes there."""
        with self._lock:
            self._reads["standby"] += 1
            back, self._away = self._away, False
        if back:
            _LOG.warning("%s is back: it is read from again.", self.server.place)

    def behind(self) -> None:
        """Take note of a read that goes to the primary, for this one holds something else."""
        with self._lock:
            self._reads["behind"] += 1
            now = self.now()
            tell = now - self._told >= _TELLING_SECONDS
            if tell:
                self._told = now
        if tell:
            _LOG.info(
                "%s is not where the primary is, so that it was not read from (%d times so far).",
                self.server.place,
                self._reads["behind"],
            )

    def lost(self, error: Exception) -> None:
        """Take note of a read that failed there."""
        with self._lock:
            self._reads["away"] += 1
            self._failed = self.now()
            new, self._away = not self._away, True
        if new:
            _LOG.warning("The primary is read from instead of %s: %s", self.server.place, error)


class Confirmed:
    """What the primary is known to have had of a collection not long ago; for several threads."""

    def __init__(self, *, seconds: float, now: Callable[[], float]) -> None:
        self._seconds: Final = seconds
        self.now: Final = now
        self._lock: Final = threading.Lock()
        self._state: Meta | None = None
        self._asked = now()

    def get(self) -> Meta | None:
        """Return it; None where it is too old or not known."""
        with self._lock:
            recent = self.now() - self._asked < self._seconds
            return self._state if recent else None

    def put(self, state: Meta | None, *, asked: float) -> None:
        """Keep what the primary has told, unless something later is known; None forgets it.

        `asked` is the time (`now`) before it was asked, or after it was changed.
        """
        with self._lock:
            if asked > self._asked:
                self._state, self._asked = state, asked
