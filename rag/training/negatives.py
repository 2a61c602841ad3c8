"""Hard negatives: passages close to a question that do not hold its answer."""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rag.training.data import Example

_WORD = re.compile(r"\w+")
_SATURATION, _LENGTH_WEIGHT = 1.2, 0.75


def near_passages(examples: Sequence[Example], *, k: int = 8) -> dict[str, tuple[str, ...]]:
    """Return, by question id, up to `k` passages that BM25 ranks high, without the answer's text.

    Only answerable questions have negatives: what does not answer an unanswerable one is not known.
    """
    asked = [example for example in examples if example.answers]
    contexts = sorted({example.context for example in examples})
    lowered = [context.lower() for context in contexts]
    postings = _postings(lowered)
    found: dict[str, tuple[str, ...]] = {}
    for example in asked:
        scores = np.zeros(len(contexts), dtype=np.float32)
        for word in dict.fromkeys(_WORD.findall(example.question.lower())):
            if word in postings:
                rows, weights = postings[word]
                scores[rows] += weights
        best = np.argsort(-scores, kind="stable")[: 3 * k]
        answer = example.answers[0].text.lower()
        silent = [
            contexts[row]
            for row in best
            if scores[row] > 0 and contexts[row] != example.context and answer not in lowered[row]
        ]
        found[example.id] = tuple(silent[:k])
    return found


def _postings(
    texts: Sequence[str],
) -> dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
    """Return, by word, the texts that hold it and its BM25 weight in each."""
    counted = [Counter(_WORD.findall(text)) for text in texts]
    lengths = np.array([counts.total() for counts in counted], dtype=np.float32)
    usual = float(lengths.mean()) if len(lengths) else 1.0
    entries: dict[str, list[tuple[int, int]]] = {}
    for row, counts in enumerate(counted):
        for word, count in counts.items():
            entries.setdefault(word, []).append((row, count))
    postings = {}
    for word, pairs in entries.items():
        rows, counts_ = (np.array(column) for column in zip(*pairs, strict=True))
        rarity = math.log(1 + (len(texts) - len(pairs) + 0.5) / (len(pairs) + 0.5))
        norm = 1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * lengths[rows] / usual
        weights = rarity * counts_ * (_SATURATION + 1) / (counts_ + _SATURATION * norm)
        postings[word] = (rows, weights.astype(np.float32))
    return postings
