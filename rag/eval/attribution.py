"""What became of each question, so that every error has one cause."""

from collections.abc import Sequence

from rag.eval.records import AnswerRecord, Cause, HitRecord


def cause_of(
    *,
    answerable: bool,
    abstained: bool,
    answers: Sequence[AnswerRecord],
    hits: Sequence[HitRecord],
    k: int,
) -> Cause:
    """Return the cause, the first of these that holds; k is how many passages were read.

    Of a question that the documents do not answer:

    - rightly_abstained: no answer was given.
    - wrongly_answered: one was.

    Of one that they answer, where the best candidate is the likeliest answer, given or withheld:

    - right: the best candidate is right and was given.
    - wrongly_abstained: it is right and was withheld.
    - not_retrieved: it is wrong, or there is none, and no passage retrieved (of twenty) holds gold.
    - not_ranked: one does, but below the passages that were read.
    - wrong_span: a passage that was read does, and yet the best candidate, given or withheld, is
      wrong.
    """
    if not answerable:
        return "rightly_abstained" if abstained else "wrongly_answered"
    if answers and answers[0].right:
        return "wrongly_abstained" if abstained else "right"
    if not any(hit.holds_gold for hit in hits):
        return "not_retrieved"
    return "wrong_span" if any(hit.holds_gold for hit in hits[:k]) else "not_ranked"
