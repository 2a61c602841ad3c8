"""What the routes need of the application behind them."""

from dataclasses import dataclass

from rag.answering import Answerer
from rag.api.worker import Worker
from rag.bootstrap import COLLECTION
from rag.errors import NotFound
from rag.indexing import Indexer
from rag.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One collection's store, the ways to ask and change it, and the threads they run on.

    `models` runs what answers questions and `writes` what takes in documents, one call at a time
    each; `store` is read on `reads`, so that a document can be looked at while models are busy.
    """

    store: Store
    answerer: Answerer
    indexer: Indexer
    models: Worker
    writes: Worker
    reads: Worker
    upload_bytes: int

    def close(self) -> None:
        """Finish what runs, then close the store."""
        for worker in (self.models, self.writes, self.reads):
            worker.close()
        self.store.close()


def check_collection(name: str) -> None:
    """Raise NotFound for a collection that does not exist."""
    if name != COLLECTION:
        raise NotFound(f"There is no collection {name!r}. This service has {COLLECTION!r}.")
