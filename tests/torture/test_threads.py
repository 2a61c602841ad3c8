"""Tokenizers and models under many threads: whatever they share must be safe to share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rag.bootstrap import open_engine
from rag.settings import read_settings
from tests.load.serving import questions
from tests.threads import THREADS, ask_from_threads

pytestmark = pytest.mark.long


def test_four_thousand_questions_from_sixteen_threads(
    make_home: Callable[..., Path], report: Callable[[str], None]
) -> None:
    """Not one fails, and each has the outcome that its question has when nobody else asks."""
    home = make_home(seeded=True)
    with open_engine(read_settings({"RAG_HOME": str(home)})) as engine:
        asked, wrong = ask_from_threads(engine.answerer, questions(), times=4000, k=10)
    assert (asked, wrong) == (4000, [])
    report(f"{asked} questions from {THREADS} threads: 0 failed, all answers as from one thread")
