"""Asks questions in a process of its own: `python -m tests.torture.asking QUESTIONS HOME...`.

QUESTIONS is a JSON array in a file. Printed is a line for each home and question: the response as
it goes over the wire, but for the timings.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from rag.answering import Answerer
from rag.api.wire import asked_out
from rag.bootstrap import open_engine
from rag.settings import read_settings


def responses(answerer: Answerer, questions: Iterable[str]) -> Iterator[bytes]:
    """Yield the response to each question, in JSON."""
    for question in questions:
        answered = answerer.ask(question)
        untimed = replace(answered, found=replace(answered.found, timings_ms={}))
        yield msgspec.json.encode(asked_out(untimed))


def main(questions: Path, homes: Iterable[Path]) -> None:
    """Print the responses of homes that are there already."""
    asked = json.loads(questions.read_text("utf-8"))
    for home in homes:
        with open_engine(read_settings({"RAG_HOME": str(home)}), create=False) as engine:
            for response in responses(engine.answerer, asked):
                sys.stdout.buffer.write(response + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
