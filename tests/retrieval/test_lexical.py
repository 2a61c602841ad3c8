"""The lexical index, against BM25 worked out in plain Python."""

import math
import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from rag.retrieval.lexical import LexicalIndex
from rag.store import AddedChunk

K1, B = 1.2, 0.75
HEADING_BOOST = 0.3


def chunk(id_: int, text: str, *, title: str = "", section: tuple[str, ...] = ()) -> AddedChunk:
    return AddedChunk(id=id_, document="d", title=title, section=section, text=text)


def index_of(*chunks: AddedChunk) -> LexicalIndex:
    index = LexicalIndex()
    index.change(added=chunks, removed=())
    return index


def bm25(question: str, texts: Sequence[str]) -> list[float]:
    """Return each text's score by the formula; words must be stems already, lengths below 40.

    (Above 40 words tantivy rounds a text's length to fit it into one byte.)
    """
    split = [text.split() for text in texts]
    average = sum(len(words) for words in split) / len(texts)
    scores = [0.0] * len(texts)
    for word in dict.fromkeys(question.split()):
        having = sum(word in words for words in split)
        idf = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
        for n, words in enumerate(split):
            frequency = Counter(words)[word]
            length = 1 - B + B * len(words) / average
            scores[n] += idf * frequency * (K1 + 1) / (frequency + K1 * length)
    return scores


def ranking(scores: Sequence[float]) -> list[tuple[int, float]]:
    hits = [(n, score) for n, score in enumerate(scores, start=1) if score > 0]
    return sorted(hits, key=lambda hit: (-hit[1], hit[0]))


def assert_hits(found: list[tuple[int, float]], expected: list[tuple[int, float]]) -> None:
    assert [id_ for id_, _ in found] == [id_ for id_, _ in expected]
    assert [score for _, score in found] == pytest.approx([s for _, s in expected], abs=1e-4)


def test_one_score_by_hand() -> None:
    """One of two texts of 2 and 4 words has "cat" twice: every step of the formula written out."""
    found = index_of(chunk(1, "cat cat"), chunk(2, "dog dog dog dog")).search("cat", 5)
    idf = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    expected = idf * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 2 / 3))
    assert_hits(found, [(1, expected)])


def test_scores_and_order_are_those_of_bm25() -> None:
    """On random texts every score agrees with the formula to 1e-4, and so does the order."""
    rng = random.Random(5)
    words = ["cat", "dog", "bird", "fish", "cow", "hen", "pig", "fox", "bear", "wolf", "frog"]
    texts = [" ".join(rng.choices(words, k=rng.randint(1, 30))) for _ in range(40)]
    index = index_of(*(chunk(n, text) for n, text in enumerate(texts, start=1)))
    for _ in range(30):
        question = " ".join(rng.sample(words, rng.randint(1, 4)))
        assert_hits(index.search(question, 100), ranking(bm25(question, texts)))


def test_headings_count_less_than_the_text() -> None:
    """Title and section path are one field of its own, with 0.3 of the weight of the text."""
    texts = ["cat dog", "dog bird", "bird"]
    titles = ["fish", "cat", "bear fox"]
    sections = [("wolf",), ("cat", "pig"), ()]
    index = index_of(
        *(
            chunk(n, text, title=title, section=section)
            for n, (text, title, section) in enumerate(
                zip(texts, titles, sections, strict=True), start=1
            )
        )
    )
    headings = [" ".join((t, *s)) for t, s in zip(titles, sections, strict=True)]
    for question in ("cat", "bird", "dog pig", "wolf fox cat"):
        expected = [
            in_text + HEADING_BOOST * in_heading
            for in_text, in_heading in zip(
                bm25(question, texts), bm25(question, headings), strict=True
            )
        ]
        assert_hits(index.search(question, 10), ranking(expected))


@pytest.mark.parametrize(
    "question",
    ["resume", "RÉSUMÉS", "re\u0301sume\u0301", "the résumé?", "Résumé’s"],
    ids=["plain", "capitals", "decomposed", "punctuated", "possessive"],
)
def test_case_accents_and_endings_make_no_difference(question: str) -> None:
    """A word is found by its stem, whatever its case and accents, also decomposed ones."""
    index = index_of(chunk(1, "Two Résumés were sent."), chunk(2, "Nothing to see"))
    assert [id_ for id_, _ in index.search(question, 5)] == [1]


@pytest.mark.parametrize("question", ["the of and is", "?!", "", "   ", "¿"])
def test_a_question_without_a_telling_word_finds_nothing(question: str) -> None:
    """Stop words and punctuation alone rank nothing, though the texts hold them too."""
    assert index_of(chunk(1, "the cat of the house is here")).search(question, 5) == []


def test_syntax_of_query_languages_is_only_text() -> None:
    """Operators, quotes and field names of tantivy's own query language are taken as words."""
    index = index_of(chunk(1, "cat"), chunk(2, "dog"))
    for question in ('cat AND "dog', "key:2 cat dog", "-cat +dog", "cat^9 dog~3 (", "*:* cat dog"):
        assert sorted(id_ for id_, _ in index.search(question, 5)) == [1, 2], question


def test_only_the_allowed_are_found_with_the_scores_they_have_among_all() -> None:
    """A filter changes neither scores nor order, and lets nothing else through, for any k."""
    rng = random.Random(6)
    words = ["cat", "dog", "bird", "fish"]
    texts = [" ".join(rng.choices(words, k=rng.randint(1, 9))) for _ in range(60)]
    index = index_of(*(chunk(n, text) for n, text in enumerate(texts, start=1)))
    everything = index.search("cat bird", 100)
    for _ in range(20):
        allowed = rng.sample(range(1, 80), rng.randint(1, 30))
        expected = [hit for hit in everything if hit[0] in allowed]
        for k in (1, 3, 100):
            found = index.search("cat bird", k, allowed=np.array(allowed, dtype=np.int64))
            assert_hits(found, expected[:k])
    assert index.search("cat", 5, allowed=np.empty(0, dtype=np.int64)) == []


@pytest.mark.parametrize("order", [range(1, 31), range(30, 0, -1)], ids=["up", "down"])
def test_ties_are_cut_by_id(order: range) -> None:
    """Of equal scores the lower ids come first, also where k cuts through them.

    That holds whatever the order of addition, and over several commits.
    """
    index = LexicalIndex()
    for id_ in order:
        index.change(added=[chunk(id_, "same words here")], removed=())
    index.change(added=[chunk(31, "same same same")], removed=())
    for k in (2, 3, 7, 30, 31, 40):
        found = [id_ for id_, _ in index.search("same", k)]
        assert found == [31, *range(1, 31)][:k]


def test_removed_chunks_are_not_found_and_replaced_ones_are_new() -> None:
    """What was removed is gone from every search; an id removed and added at once is the new."""
    index = index_of(chunk(1, "cat"), chunk(2, "cat dog"), chunk(3, "cat bird"))
    index.change(added=[chunk(3, "fish")], removed=[1, 3, 999])
    assert [id_ for id_, _ in index.search("cat", 5)] == [2]
    assert index.search("bird", 5) == []
    assert [id_ for id_, _ in index.search("fish", 5)] == [3]
    index.change(added=[], removed=[2, 3])
    assert index.search("cat dog fish", 5) == []


def test_no_k_no_hits() -> None:
    """With k of 0 nothing is found, and an empty index has nothing to find."""
    assert index_of(chunk(1, "cat")).search("cat", 0) == []
    assert LexicalIndex().search("cat", 5) == []
