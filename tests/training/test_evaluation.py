from dataclasses import replace

from rag.training.evaluation import Prediction, report
from tests.training.tiny import invented_examples

EXAMPLE = invented_examples()[2]  # answered by "Ada Ness"


def test_unanswerable_questions_count_in_the_auroc_only():
    silent = replace(EXAMPLE, answers=())
    result = report(
        [EXAMPLE, silent],
        [
            Prediction(text="Ada Ness", score=2.0, relevance=0.0),
            Prediction(text="Tolvik", score=1.0, relevance=0.0),
        ],
    )
    assert (result.questions, result.answerable) == (2, 1)
    assert (result.exact.value, result.f1.value, result.no_answer_auroc.value) == (1.0, 1.0, 1.0)
