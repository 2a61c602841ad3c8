"""Many threads that ask one answerer, and what each must be told."""

import random
import threading
from collections.abc import Sequence
from typing import Any

from rag.answering import Answered, Answerer

THREADS = 16


def told(answered: Answered) -> tuple[Any, ...]:
    """Return all of an outcome but how long it took."""
    found = answered.found
    return found.generation, found.hits, found.documents, answered.answers, answered.abstention


def ask_from_threads(
    answerer: Answerer, questions: Sequence[str], *, times: int, k: int
) -> tuple[int, list[str]]:
    """Ask so many times from 16 threads at once; return how often, and where that went wrong.

    Each outcome has to be the one that the question has when nobody else asks.
    """
    expected = {question: told(answerer.ask(question, k=k)) for question in questions}
    started = threading.Barrier(THREADS)
    wrong: list[str] = []
    counts = [0] * THREADS

    def run(number: int) -> None:
        random_ = random.Random(number)
        started.wait()
        for _ in range(times // THREADS):
            question = random_.choice(questions)
            try:
                if told(answerer.ask(question, k=k)) != expected[question]:
                    wrong.append(f"{question}: another answer")
            except BaseException as error:  # noqa: BLE001  (whatever it is, it must not be)
                wrong.append(f"{question}: {error!r}")
            counts[number] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts), wrong
