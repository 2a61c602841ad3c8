"""A service whose models can be held up."""

import threading
from typing import Any

from rag.answering import Answered, Found
from rag.answers import Abstention

PATIENCE = 20.0


class StuckAnswerer:
    """Answers nothing until it may, or raises what it is given; remembers what it was asked."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.error: Exception | None = None
        self.asked: list[str] = []

    def ask(self, question: str, **_: Any) -> Answered:
        """Wait, then abstain."""
        if self.error is not None:
            raise self.error
        self.asked.append(question)
        self.begun.set()
        assert self.may_end.wait(PATIENCE)
        return Answered(
            found=Found(
                question=question, generation=7, hits=(), documents={}, empty=True, timings_ms={}
            ),
            reader="none",
            answers=(),
            abstention=Abstention(reason="empty_index", message="Nothing."),
        )
