"""Decoding: from the scores of a window's tokens to its best spans."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rag.reading.windows import Window
from rag.sentences import sentence_spans

Scores = npt.NDArray[np.float32]

_EDGE = " \t\r\n\u00a0\u2009\u202f\u3000,;:.!?"
_CLOSED_BY = {
    "(": ")",
    "[": "]",
    '"': '"',
    "'": "'",
    "`": "`",
    "“": "”",
    "‘": "’",
    "„": "“",
    "«": "»",
    "‹": "›",
}
_OPENED_BY = {closing: opening for opening, closing in _CLOSED_BY.items()}


class TokenSpan(NamedTuple):
    """A span of tokens, both ends inclusive, and the sum of its start and end scores."""

    start: int
    end: int
    score: float


class TextSpan(NamedTuple):
    """A half-open range of characters in a passage, and how far it scores above "no answer"."""

    start: int
    end: int
    score: float


def best_spans(
    start: Scores,
    end: Scores,
    *,
    first: int,
    last: int,
    sentences: npt.NDArray[np.int64],
    longest: int,
    count: int,
) -> list[TokenSpan]:
    """Return up to `count` best spans of a window that do not overlap, best first.

    `start` and `end` are the scores of all tokens of the window; spans lie within the tokens
    `first:last` (the passage: neither question nor special tokens), have at most `longest` tokens
    and do not leave their sentence, whose number `sentences` gives for each of those tokens. Start
    and end are chosen jointly: the best span has the highest sum of all allowed pairs. Each further
    one is the best that shares no token with those before it. Equal sums: the earlier start first,
    then the shorter span.
    """
    length = last - first
    if length <= 0 or longest <= 0 or count <= 0:
        return []
    width = min(longest, length)
    ends = np.full(length + width - 1, -np.inf, dtype=np.float32)
    ends[:length] = end[first:last]
    sums = np.lib.stride_tricks.sliding_window_view(ends, width) + start[first:last, np.newaxis]
    beyond = np.full(width - 1, -1)
    reached = np.lib.stride_tricks.sliding_window_view(np.append(sentences, beyond), width)
    sums[reached != sentences[:, np.newaxis]] = -np.inf
    found: list[TokenSpan] = []
    while len(found) < count:
        begin, extent = divmod(int(np.argmax(sums)), width)
        score = float(sums[begin, extent])
        if score == -np.inf:
            break
        found.append(TokenSpan(first + begin, first + begin + extent, score))
        sums[begin : begin + extent + 1] = -np.inf
        for earlier in range(max(0, begin - width + 1), begin):
            sums[earlier, begin - earlier :] = -np.inf
    return found


def null_score(start: Scores, end: Scores) -> float:
    """Return the score of "no answer in this window", comparable with that window's spans."""
    return float(start[0] + end[0])


def decode(
    window: Window, start: Scores, end: Scores, text: str, *, longest: int, count: int
) -> list[TextSpan]:
    """Return a window's best spans as trimmed character ranges of its passage `text`.

    Spans stay inside a sentence: what runs on into the next one is not the shortest answer. (On 933
    questions F1 rose from 75.1 to 75.3.) Spans that are nothing but punctuation are left out.
    """
    null = null_score(start, end)
    found = []
    sentence_ends = [stop for _, stop in sentence_spans(text)]
    for span in best_spans(
        start,
        end,
        first=window.first,
        last=window.last,
        sentences=np.searchsorted(sentence_ends, window.offsets[:, 0], side="right"),
        longest=longest,
        count=count,
    ):
        begin, stop = trim(text, *window.characters(span.start, span.end))
        if begin < stop:
            found.append(TextSpan(begin, stop, span.score - null))
    return found


def keep_best(spans: Iterable[TextSpan], count: int) -> list[TextSpan]:
    """Return up to `count` spans, best first, leaving out what overlaps a better one."""
    kept: list[TextSpan] = []
    for span in sorted(spans, key=lambda span: (-span.score, span.start, span.end)):
        if len(kept) < count and all(
            span.end <= better.start or better.end <= span.start for better in kept
        ):
            kept.append(span)
    return kept


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Narrow `text[start:end]` by outer white space, quotes, brackets and stray punctuation.

    Quotes and brackets go where they enclose everything, or where their other half is not inside.
    A full stop stays behind an abbreviation ("Inc.", "U.S."). Empty (start == end) if nothing else
    is there.
    """
    while start < end:
        inside = text[start:end]
        if _stray_before(inside):
            start += 1
        elif _stray_after(inside):
            end -= 1
        elif _CLOSED_BY.get(inside[0]) == inside[-1] and not (
            {inside[0], inside[-1]} & set(inside[1:-1])
        ):
            start, end = start + 1, end - 1
        else:
            break
    return start, end


def _stray_before(inside: str) -> bool:
    first, rest = inside[0], inside[1:]
    if first in _EDGE:
        return not (first == "." and rest[:1].isalnum())
    if first in _CLOSED_BY:
        return _CLOSED_BY[first] not in rest
    return first in _OPENED_BY


def _stray_after(inside: str) -> bool:
    rest, last = inside[:-1], inside[-1]
    if last in _EDGE:
        return not (last == "." and _abbreviated(inside))
    if last in _OPENED_BY:
        return _OPENED_BY[last] not in rest
    return last in _CLOSED_BY


_ABBREVIATIONS = frozenset(
    (
        *("inc.", "ltd.", "co.", "corp.", "bros.", "dept.", "univ.", "jr.", "sr.", "dr.", "mr."),
        *("mrs.", "st.", "no.", "vol.", "etc.", "al.", "approx.", "ca.", "est.", "jan.", "feb."),
        *("mar.", "apr.", "jun.", "jul.", "aug.", "sept.", "sep.", "oct.", "nov.", "dec."),
    )
)


def _abbreviated(text: str) -> bool:
    """Tell whether the full stop at the end belongs to the last word."""
    word = text.rsplit(maxsplit=1)[-1].lower()
    return word in _ABBREVIATIONS or (len(word) >= 2 and "." in word[:-1] and word[-2].isalpha())
