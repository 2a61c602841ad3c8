"""The lexical index, against BM25 worked out in plain Python."""

import math
import random
import unicodedata
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.retrieval.lexical import LexicalIndex
from rag.store import AddedChunk

K1, B = 1.2, 0.75
HEADING_WEIGHT = 0.3
# All of them stems already, none a stop word.
WORDS = ["cat", "dog", "bird", "fish", "cow", "hen", "pig", "fox", "bear", "wolf", "frog", "é"]
QUESTIONS = ["cat", "dog fish cat dog", "wolf unknown frog", "bear fox pig hen cow é", "unknown"]


def chunk(id_: int, text: str, *, title: str = "", section: tuple[str, ...] = ()) -> AddedChunk:
    return AddedChunk(id=id_, document="d", title=title, section=section, text=text)


def index_of(*chunks: AddedChunk) -> LexicalIndex:
    index = LexicalIndex()
    index.change(added=chunks, removed=())
    return index


def bm25(question: str, texts: Mapping[int, str]) -> dict[int, float]:
    """Return each text's score by the formula, 0 included; all words must be stems already."""
    words = {id_: text.split() for id_, text in texts.items()}
    scores = dict.fromkeys(texts, 0.0)
    for word in dict.fromkeys(question.split()):
        having = [id_ for id_ in words if word in words[id_]]
        idf = math.log(1 + (len(texts) - len(having) + 0.5) / (len(having) + 0.5))
        for id_ in having:
            frequency = Counter(words[id_])[word]
            average = sum(map(len, words.values())) / len(words)
            length = 1 - B + B * len(words[id_]) / average
            scores[id_] += idf * frequency * (K1 + 1) / (frequency + K1 * length)
    return scores


def brute_force(question: str, chunks: Mapping[int, AddedChunk]) -> dict[int, float]:
    """Return the score of every chunk that has one: text and heading, each with its own figures."""
    texts = bm25(question, {id_: chunk.text for id_, chunk in chunks.items()})
    headings = bm25(question, {id_: " ".join((c.title, *c.section)) for id_, c in chunks.items()})
    scores = {id_: texts[id_] + HEADING_WEIGHT * headings[id_] for id_ in chunks}
    return {id_: score for id_, score in scores.items() if score > 0}


def assert_best(found: list[tuple[int, float]], expected: Mapping[int, float], k: int) -> None:
    """Check that these are the k best: right scores, in order, ties by id, nothing better left."""
    assert len(found) == min(k, len(expected))
    assert dict(found) == {id_: pytest.approx(expected[id_], rel=1e-12) for id_, _ in found}
    assert found == sorted(found, key=lambda hit: (-hit[1], hit[0]))
    left = [score for id_, score in expected.items() if id_ not in dict(found)]
    assert not left or max(left) <= found[-1][1] * (1 + 1e-12)


def random_chunk(rng: random.Random, id_: int) -> AddedChunk:
    text = " ".join(rng.choices(WORDS, k=rng.randint(0, 30)))
    section = tuple(rng.choices(WORDS, k=rng.randint(0, 2)))
    return chunk(id_, text, title=rng.choice(("", *WORDS)), section=section)


def assert_as_fresh(index: LexicalIndex, chunks: Mapping[int, AddedChunk]) -> None:
    """Check that every bit is that of an index which was given these chunks at once."""
    fresh = index_of(*chunks.values())
    for question in QUESTIONS:
        found = index.search(question, 10_000)
        assert found == fresh.search(question, 10_000)
        assert index.search(question, 3) == found[:3]


def test_one_score_by_hand() -> None:
    """One of two texts of 2 and 4 words has "cat" twice: every step of the formula written out."""
    found = index_of(chunk(1, "cat cat"), chunk(2, "dog dog dog dog")).search("cat", 5)
    idf = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    expected = idf * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 2 / 3))
    assert found == [(1, pytest.approx(expected, rel=1e-12))]


def test_scores_are_those_of_bm25() -> None:
    """On random texts and headings every score agrees with the formula, for every k."""
    rng = random.Random(5)
    chunks = {id_: random_chunk(rng, id_) for id_ in range(1, 60)}
    index = index_of(*chunks.values())
    for _ in range(30):
        question = " ".join(rng.sample(WORDS, rng.randint(1, 5)))
        for k in (1, 7, 100):
            assert_best(index.search(question, k), brute_force(question, chunks), k)


def test_headings_count_less_than_the_text() -> None:
    """Title and section path are one field of its own, with 0.3 of the weight of the text."""
    index = index_of(
        chunk(1, "cat dog", title="fish", section=("wolf",)),
        chunk(2, "dog bird", title="pig", section=("cat", "pig")),
        chunk(3, "bird"),
    )
    # "pig" is in 1 of 3 headings, twice among 3 words, where 5/3 is the average.
    idf = math.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    expected = 0.3 * idf * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / (5 / 3)))
    assert index.search("pig", 5) == [(2, pytest.approx(expected, rel=1e-12))]
    assert [id_ for id_, _ in index.search("cat", 5)] == [1, 2]


@pytest.mark.parametrize("length", [300, 70_000])
def test_long_texts_are_counted_exactly(length: int) -> None:
    """Frequencies and lengths beyond one byte, and beyond two, are neither rounded nor cut."""
    chunks = {1: chunk(1, "cat " * length), 2: chunk(2, "cat dog " * 3), 3: chunk(3, "dog")}
    index = LexicalIndex()
    for one in chunks.values():
        index.change(added=[one], removed=[])
    for question in ("cat", "dog cat"):
        assert_best(index.search(question, 5), brute_force(question, chunks), 5)


Change = tuple[list[tuple[int, int]], list[int]]
# Of few ids, so that they are removed, added again and replaced; the texts come from seeds.
CHANGES: st.SearchStrategy[list[Change]] = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(-3, 40), st.integers(0, 10**6)), max_size=12),
        st.lists(st.integers(-3, 45), max_size=12),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(changes=CHANGES, allowed=st.sets(st.integers(-5, 50)))
def test_any_history_leaves_what_the_formula_says(changes: list[Change], allowed: set[int]) -> None:
    """After every change scores are those of the present chunks; at last, to the bit, as if new."""
    index = LexicalIndex()
    present: dict[int, AddedChunk] = {}
    for added, removed in changes:
        chunks = [random_chunk(random.Random(seed), id_) for id_, seed in added]
        index.change(added=chunks, removed=removed)
        for id_ in removed:
            present.pop(id_, None)
        present |= {chunk.id: chunk for chunk in chunks}
        for question in QUESTIONS[:2]:
            assert_best(index.search(question, 4), brute_force(question, present), 4)
    for question in QUESTIONS:
        expected = {
            id_: score for id_, score in brute_force(question, present).items() if id_ in allowed
        }
        found = index.search(question, 5, allowed=np.array(sorted(allowed), dtype=np.int64))
        assert_best(found, expected, 5)
    assert_as_fresh(index, present)


def test_a_long_history_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 400 changes, large and small, in parts of at most 64, every bit is as in a new index.

    The parts remain few, their removed rows under a fifth, and a word that is gone is forgotten.
    """
    monkeypatch.setattr("rag.retrieval.lexical._SEGMENT_CHUNKS", 64)
    monkeypatch.setattr("rag.retrieval.lexical._FORGET_FROM", 50)
    rng = random.Random(3)
    index = LexicalIndex()
    present: dict[int, AddedChunk] = {}
    for step in range(400):
        size = rng.choice((1, 1, 2, 80))
        removed = rng.sample(range(300), k=rng.choice((0, size)))
        chunks = [random_chunk(rng, id_) for id_ in rng.sample(range(300), k=size)]
        passing = chunk(1000 + step, f"passing{step}")
        index.change(added=[*chunks, passing], removed=[*removed, 1000 + step - 1])
        for id_ in (*removed, 1000 + step - 1):
            present.pop(id_, None)
        present |= {chunk.id: chunk for chunk in (*chunks, passing)}
        if step % 40 == 39:
            assert_as_fresh(index, present)
    sizes = [segment.size for segment in index._segments]
    assert sum(sizes) == len(present) == index._chunks
    assert len(sizes) <= 2 * len(present) / 64 + 4
    assert all(0.8 * len(s.ids) <= s.size <= 64 for s in index._segments)
    assert len(index._numbers) < 150
    assert index.search("passing7", 5) == []
    assert [id_ for id_, _ in index.search("passing399", 5)] == [1399]


def test_what_is_left_of_large_parts_is_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that shrank are cleared and put together, also across a part that stayed full."""
    monkeypatch.setattr("rag.retrieval.lexical._SEGMENT_CHUNKS", 20)
    index = index_of(*(chunk(id_, "cat") for id_ in range(60)))
    assert [len(segment.ids) for segment in index._segments] == [20, 20, 20]
    index.change(added=(), removed=[*range(2, 20), *range(43, 60)])
    assert [segment.ids.tolist() for segment in index._segments] == [
        [*range(20, 40)],
        [0, 1, 40, 41, 42],
    ]


def test_scores_of_given_chunks() -> None:
    """Each id gets the score that a search gives it, in the order asked; others get 0."""
    rng = random.Random(9)
    index = LexicalIndex()
    for id_ in rng.sample(range(-30, 30), 60):
        index.change(added=[random_chunk(rng, id_)], removed=())
    for question in QUESTIONS:
        scores = dict(index.search(question, 100))
        asked = [rng.randint(-40, 40) for _ in range(50)]
        found = index.scores(question).of(np.array(asked, dtype=np.int64))
        assert found.tolist() == [scores.get(id_, 0.0) for id_ in asked]
    assert LexicalIndex().scores("cat").of(np.array([0, 1])).tolist() == [0.0, 0.0]


def test_of_a_long_question_the_first_64_words_count() -> None:
    """Repetitions aside: the 65th different word finds nothing."""
    words = [f"w{n}" for n in range(66)]
    index = index_of(*(chunk(n, word) for n, word in enumerate(words)))
    found = index.search(" ".join(["w0", *words]), 100)
    assert [id_ for id_, _ in found] == list(range(64))


@pytest.mark.parametrize(
    "question",
    ["resume", "RÉSUMÉS", "re\u0301sume\u0301", "the résumé?", "Résumé’s"],
    ids=["plain", "capitals", "decomposed", "punctuated", "possessive"],
)
def test_case_accents_and_endings_make_no_difference(question: str) -> None:
    """A word is found by its stem, whatever its case and accents, also decomposed ones."""
    index = index_of(chunk(1, "Two Résumés were sent."), chunk(2, "Nothing to see"))
    assert [id_ for id_, _ in index.search(question, 5)] == [1]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_text_is_indexed_alike_composed_or_not(form: str) -> None:
    """A decomposed text has the words, and so the score to the bit, of the composed one."""
    text = "Ångström façade, naïveté; Łódź"
    index = index_of(chunk(1, unicodedata.normalize(form, text)), chunk(2, "other"))
    composed = index_of(chunk(1, "angstrom facade naivete lodz"), chunk(2, "other"))
    for question in ("naivete", "LODZ façade", unicodedata.normalize("NFD", "Ångström")):
        assert index.search(question, 5) == composed.search(question, 5) != []


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
            assert found == expected[:k]
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


def test_a_field_whose_last_words_were_removed_finds_nothing() -> None:
    """With the only heading gone the average heading is empty, and a search for it is too."""
    index = index_of(*(chunk(id_, "cat") for id_ in range(10)), chunk(10, "cat", title="fox"))
    index.change(added=(), removed=[10])
    assert index.search("fox", 5) == []
    assert index.search("fox cat", 20) == index.search("cat", 20) != []


def test_words_of_80_bytes_are_no_words() -> None:
    """Such as encoded data: they are neither found nor counted in the length of the text."""
    index = index_of(chunk(1, "x" * 79), chunk(2, "cat " + "x" * 80), chunk(3, "cat"))
    assert [id_ for id_, _ in index.search("x" * 79, 5)] == [1]
    assert index.search("x" * 80, 5) == []
    (_, first), (_, second) = index.search("cat", 5)
    assert first == second


def test_no_k_no_hits() -> None:
    """With k of 0 nothing is found, and an empty index has nothing to find."""
    assert index_of(chunk(1, "cat")).search("cat", 0) == []
    assert LexicalIndex().search("cat", 5) == []
