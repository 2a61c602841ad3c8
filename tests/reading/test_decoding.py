import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rag.reading.decoding import TextSpan, best_spans, decode, keep_best, trim
from rag.reading.windows import Window

SCORES = arrays(
    np.float32, st.integers(4, 24), elements=st.integers(-50, 50).map(float), fill=st.nothing()
)


def brute_force(start, end, *, first, last, sentences, longest, count):
    """Return what best_spans should, by looking at all pairs again for each span."""
    found = []
    pairs = [
        (begin, stop)
        for begin, stop in itertools.product(range(first, last), repeat=2)
        if begin <= stop < begin + longest and sentences[begin - first] == sentences[stop - first]
    ]
    while pairs and len(found) < count:
        score, begin, stop = min((-(start[b] + end[e]), b, e) for b, e in pairs)
        found.append((begin, stop, -score))
        pairs = [(b, e) for b, e in pairs if e < begin or b > stop]
    return found


@settings(deadline=None)
@given(start=SCORES, data=st.data())
def test_the_best_spans_are_those_of_a_search_over_all_pairs(start, data):
    size = len(start)
    end = data.draw(arrays(np.float32, size, elements=st.integers(-50, 50).map(float)))
    first = data.draw(st.integers(1, size))
    last = data.draw(st.integers(first, size))
    limits = {
        "first": first,
        "last": last,
        "sentences": np.array(
            sorted(
                data.draw(st.lists(st.integers(0, 3), min_size=last - first, max_size=last - first))
            ),
            dtype=np.int64,
        ),
        "longest": data.draw(st.integers(0, size + 2)),
        "count": data.draw(st.integers(0, 5)),
    }
    assert best_spans(start, end, **limits) == brute_force(start, end, **limits)


def test_start_and_end_are_chosen_together():
    """The best start lies behind the best end: neither belongs to the best pair."""
    start = np.array([0, 1, 5, 9], dtype=np.float32)
    end = np.array([0, 8, 6, 1], dtype=np.float32)
    (best,) = best_spans(
        start, end, first=1, last=4, sentences=np.zeros(3, np.int64), longest=3, count=1
    )
    assert best == (2, 2, 11.0)


def test_scores_outside_the_passage_count_for_nothing():
    start = np.array([99, 99, 1, 2, 99], dtype=np.float32)
    (best,) = best_spans(
        start, start, first=2, last=4, sentences=np.zeros(2, np.int64), longest=9, count=1
    )
    assert best == (3, 3, 4.0)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("  1912, ", "1912", id="white space and commas"),
        pytest.param("“the Moon”", "the Moon", id="enclosing quotes"),
        pytest.param("the “Moon” crater", "the “Moon” crater", id="quotes inside"),
        pytest.param('"Help!" and "Yesterday"', '"Help!" and "Yesterday"', id="two quotations"),
        pytest.param("(1912)", "1912", id="enclosing brackets"),
        pytest.param("iron (Fe)", "iron (Fe)", id="brackets inside"),
        pytest.param("iron (Fe) (", "iron (Fe)", id="an opening bracket at the end"),
        pytest.param("Fe)", "Fe", id="half a pair outside"),
        pytest.param("Acme Inc.", "Acme Inc.", id="abbreviation"),
        pytest.param("the U.S.", "the U.S.", id="initials"),
        pytest.param("in the harbour.", "in the harbour", id="end of a sentence"),
        pytest.param(".5 per cent", ".5 per cent", id="decimal"),
        pytest.param(".deb files", ".deb files", id="file name extension"),
        pytest.param("_name_", "_name_", id="code"),
        pytest.param("$1,000", "$1,000", id="money"),
        pytest.param("-12 °C", "-12 °C", id="minus"),
        pytest.param(" .,; ", "", id="nothing"),
    ],
)
def test_trimming(text, kept):
    start, end = trim(f"<{text}>", 1, 1 + len(text))
    assert f"<{text}>"[start:end] == kept


@given(st.text(alphabet="ab .,\"'()[]“”\n1", max_size=12), st.data())
def test_trimming_only_narrows_and_is_done_once(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    narrowed = trim(text, start, end)
    assert start <= narrowed[0] <= narrowed[1] <= end
    assert trim(text, *narrowed) == narrowed
    assert not re.search(r"\w", text[start : narrowed[0]] + text[narrowed[1] : end])


def test_decoding_gives_characters_of_the_passage_and_scores_above_null():
    text = 'He said "yes", then'
    offsets = [(0, 2), (3, 7), (8, 9), (9, 12), (12, 13), (13, 14), (15, 19)]
    window = Window(
        ids=np.arange(12),
        types=np.zeros(12, dtype=np.int64),
        first=4,
        last=11,
        offsets=np.array(offsets),
    )
    start, end = np.zeros((2, 12), dtype=np.float32)
    start[0], end[0] = 1.5, 0.5
    start[6], end[9] = 4.0, 3.0
    (best,) = decode(window, start, end, text, longest=10, count=1)
    assert (text[best.start : best.end], best.score) == ("yes", 5.0)


def test_of_overlapping_spans_the_best_is_kept():
    spans = [TextSpan(0, 5, 1.0), TextSpan(4, 9, 2.0), TextSpan(9, 12, 0.5), TextSpan(20, 21, 0.1)]
    assert keep_best(spans, 2) == [TextSpan(4, 9, 2.0), TextSpan(9, 12, 0.5)]


def test_a_span_does_not_leave_its_sentence():
    """The best pair runs from one sentence into the next: the better half is taken instead."""
    start = np.array([0, 9, 1, 4, 0], dtype=np.float32)
    end = np.array([0, 1, 2, 8, 0], dtype=np.float32)
    limits = {"first": 1, "last": 4, "longest": 3, "count": 1}
    (free,) = best_spans(start, end, sentences=np.zeros(3, np.int64), **limits)
    (held,) = best_spans(start, end, sentences=np.array([0, 0, 1]), **limits)
    assert free == (1, 3, 17.0)
    assert held == (3, 3, 12.0)
