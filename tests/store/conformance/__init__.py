"""What every store must do: one suite, run over each by a class that inherits it."""

from tests.store.conformance.contents import Contents
from tests.store.conformance.history import History
from tests.store.conformance.opening import Place
from tests.store.conformance.rechunking import Rechunking
from tests.store.conformance.refusals import Refusals

__all__ = ["Place", "StoreConformance"]


class StoreConformance(Contents, History, Refusals, Rechunking):
    """Has to be given a fixture `place`, which opens stores for one test."""
