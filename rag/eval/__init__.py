"""Evaluation: how good answers are on labelled questions, and what they lack.

For notebooks: `evaluate(answerer, read_examples(path))` returns the `Report` that the command
`rag eval run` writes.
"""

from rag.eval.examples import Context, Example
from rag.eval.loading import read_examples
from rag.eval.records import Gold, Record, Report
from rag.eval.running import evaluate

__all__ = ["Context", "Example", "Gold", "Record", "Report", "evaluate", "read_examples"]
