"""Example questions of collections, found once for each generation and kept in memory."""

import asyncio
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import Final

from litestar import get
from litestar.di import NamedDependency

from rag.answering import Answered
from rag.api import openapi
from rag.api.access import Access
from rag.api.collections import CollectionQuery
from rag.api.schemas import Examples
from rag.api.worker import Worker
from rag.examples import MIN_CONFIDENCE, Candidate, Selection, candidates_in
from rag.home import Home
from rag.settings import DEFAULT_COLLECTION


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    identity: str
    generation: int
    task: asyncio.Task[Examples]


class ExampleQuestions:
    """Finds the examples of a home's collections; to be used on the event loop.

    Candidates are read on `reads` and asked on `models`, each in a call of its own, so that others
    have their turn between.
    """

    def __init__(self, home: Home, *, models: Worker, reads: Worker) -> None:
        self._home: Final = home
        self._models: Final = models
        self._reads: Final = reads
        self._found: Final[dict[str, _Found]] = {}

    async def of(self, collection: str) -> Examples:
        """Return a collection's examples, those being found already or found earlier if any.

        Raises what finding them raises, such as Busy; then nothing is kept.
        """
        identity, generation = await self._reads.run(lambda: self._state(collection))
        found = self._found.get(collection)
        if found is None or (found.identity, found.generation) != (identity, generation):
            # Outside of the request: others may wait for it too, it has no deadline, and nobody
            # observes it, for these are nobody's questions.
            task = asyncio.create_task(self._find(collection), context=Context())
            found = _Found(identity=identity, generation=generation, task=task)
            self._found[collection] = found
            task.add_done_callback(partial(self._ended, collection))
        return await asyncio.shield(found.task)

    async def _find(self, collection: str) -> Examples:
        generation, candidates = await self._reads.run(lambda: self._candidates(collection))
        selection = Selection(candidates)
        while (candidate := selection.next()) is not None:
            answered = await self._models.run(partial(self._ask, collection, candidate))
            if answered.found.generation != generation:
                break  # whoever asks now begins anew
            selection.take(candidate, answered)
        return Examples(generation=generation, questions=selection.questions())

    def _state(self, collection: str) -> tuple[str, int]:
        with self._home.store(collection).snapshot() as snapshot:
            return snapshot.identity, snapshot.generation

    def _candidates(self, collection: str) -> tuple[int, list[Candidate]]:
        with self._home.store(collection).snapshot() as snapshot:
            return snapshot.generation, candidates_in(snapshot)

    def _ask(self, collection: str, candidate: Candidate) -> Answered:
        answerer = self._home.engine(collection).answerer
        return answerer.ask(
            candidate.question,
            answers=1,
            min_confidence=max(MIN_CONFIDENCE, answerer.min_confidence),
            on_found=lambda _: self._models.checkpoint(),
        )

    def _ended(self, collection: str, task: asyncio.Task[Examples]) -> None:
        failed = task.cancelled() or task.exception() is not None
        found = self._found.get(collection)
        if failed and found is not None and found.task is task:
            del self._found[collection]


@get(
    "/v1/examples",
    summary="Get example questions",
    scope="ask",
    responses=openapi.UNKNOWN | openapi.BUSY,
    query=("collection",),
)
async def get_examples(
    examples: NamedDependency[ExampleQuestions],
    access: NamedDependency[Access],
    collection: CollectionQuery = DEFAULT_COLLECTION,
) -> Examples:
    """Return up to four questions that the collection answers now.

    Finding them takes as long as a dozen questions, once for each generation.
    """
    access.require(collection)
    return await examples.of(collection)
