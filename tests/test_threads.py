"""One answerer with the real models, asked from many threads at once."""

from collections.abc import Callable
from pathlib import Path

from rag.bootstrap import open_engine
from rag.settings import read_settings
from tests.load.serving import questions
from tests.threads import ask_from_threads


def test_sixteen_threads_get_the_answers_of_one(make_home: Callable[..., Path]) -> None:
    """Each of 240 outcomes is the one its question has alone, to the last digit; none fails."""
    home = make_home(seeded=True)
    with open_engine(read_settings({"RAG_HOME": str(home)})) as engine:
        asked, wrong = ask_from_threads(engine.answerer, questions()[:30], times=240, k=2)
    assert (asked, wrong) == (240, [])
