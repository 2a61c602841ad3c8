"""What happens while a question is answered, told to whoever observes the request."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Literal, Protocol

Stage = Literal["retrieve", "read", "answer", "load_embedder", "load_reader"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a question: the texts of its answers, or the reason why there are none.

    `confidence` is the best answer's, given or withheld; None where nothing was found to answer.
    """

    question: str
    answers: tuple[str, ...]
    confidence: float | None
    abstention: str | None


class Observer(Protocol):
    """Is told of a request's stages and outcomes, on the threads where they happen."""

    def stage(self, name: Stage) -> AbstractContextManager[object]:
        """Return what is entered around a stage."""
        ...

    def outcome(self, outcome: Outcome) -> None:
        """Take note of what became of a question."""
        ...


_OBSERVERS: Final[ContextVar[tuple[Observer, ...]]] = ContextVar("observers", default=())


@contextmanager
def observed_by(observers: Sequence[Observer]) -> Iterator[None]:
    """Tell observers of all that happens inside, and in copies of its context."""
    token = _OBSERVERS.set(tuple(observers))
    try:
        yield
    finally:
        _OBSERVERS.reset(token)


@contextmanager
def stage(name: Stage) -> Iterator[None]:
    """Tell the observers that a stage goes on inside."""
    with ExitStack() as stack:
        for observer in _OBSERVERS.get():
            stack.enter_context(observer.stage(name))
        yield


def tell(outcome: Outcome) -> None:
    """Tell the observers what became of a question."""
    for observer in _OBSERVERS.get():
        observer.outcome(outcome)
