"""The sentence reader, against cosines and word shares worked out in the test."""

import pytest

from rag.chunks import Chunk
from rag.reading.calibration import FEATURES, Calibration
from rag.reading.reader import Span
from rag.reading.sentence import _NO_STATEMENT, _OVERLAP_WEIGHT, _SCALE, SentenceReader
from tests.fakes import FakeEmbedder

CALIBRATION = Calibration(weights=(1.0,) * len(FEATURES), bias=0.0, min_confidence=0.1)


def reader() -> SentenceReader:
    return SentenceReader(FakeEmbedder(), calibration=CALIBRATION)


def chunk(text: str, *, start: int = 0) -> Chunk:
    return Chunk(
        id=1,
        document="d",
        start=start,
        end=start + len(text),
        text=text,
        section=(),
        page=None,
        tokens=len(text.split()),
    )


def cosine(one: str, other: str) -> float:
    embedder = FakeEmbedder()
    return float(embedder.embed_question(one) @ embedder.embed_question(other))


def score(question: str, sentence: str, *, share: float, states: bool = True) -> float:
    """Return the score of a sentence that holds a share of the question's words."""
    penalty = 0.0 if states else _NO_STATEMENT
    return _SCALE * (cosine(question, sentence) + _OVERLAP_WEIGHT * share - penalty)


def test_a_score_is_the_cosine_and_a_part_of_the_share_of_words() -> None:
    """Of the question's stems "deplo", "troop" and "2019" the sentences hold 2, 1 and 0.

    Short words and endings do not count; numbers count whole.
    """
    question = "Who deployed the troops in 2019?"
    sentences = [
        "They deploy a troop 🐙 there.",
        "It was in 2019 or 2020.",
        "Nobody knows him now.",
    ]
    text = " ".join(sentences)
    spans = reader().read(question, [chunk(text, start=100)])
    expected = {
        sentence: score(question, sentence, share=share)
        for sentence, share in zip(sentences, [2 / 3, 1 / 3, 0.0], strict=True)
    }
    assert {span.text: span.score for span in spans} == pytest.approx(expected, abs=1e-5)
    assert [span.score for span in spans] == sorted(expected.values(), reverse=True)
    assert spans == [
        Span(
            chunk=0,
            start=100 + text.index(span.text),
            end=100 + text.index(span.text) + len(span.text),
            text=span.text,
            score=span.score,
            relevance=0.0,
        )
        for span in spans
    ]


def test_spans_are_slices_of_their_chunks() -> None:
    """Offsets count in the document, in code points, also behind astral characters."""
    texts = ["🐙🐙 One. Two dogs bark.", "No end", "Line\r\n\r\nNext para. Third 𝒜 one."]
    chunks = [chunk(text, start=50 * n) for n, text in enumerate(texts)]
    spans = reader().read("Which dogs bark?", chunks)
    assert {span.chunk for span in spans} == {0, 1, 2}
    for span in spans:
        inside = texts[span.chunk][span.start - 50 * span.chunk : span.end - 50 * span.chunk]
        assert inside == span.text


def test_a_chunk_gives_its_three_best_sentences() -> None:
    """Of five sentences the three with the highest scores are given, from every chunk alike."""
    question = "cats chase mice"
    text = (
        "Cats also chase mice. Cats also chase birds. Dogs also sleep here. "
        "Cats also sleep here. Rain also falls there."
    )
    spans = reader().read(question, [chunk(text), chunk(text, start=500)])
    first = [span for span in spans if span.chunk == 0]
    second = [span for span in spans if span.chunk == 1]
    assert len(first) == 3
    assert [(s.start + 500, s.end + 500, s.score) for s in first] == [
        (s.start, s.end, s.score) for s in second
    ]
    sentences = [f"{sentence}." for sentence in text.removesuffix(".").split(". ")]
    shares = [1.0, 2 / 3, 0.0, 1 / 3, 0.0]
    scores = [
        score(question, sentence, share=share)
        for sentence, share in zip(sentences, shares, strict=True)
    ]
    assert [s.score for s in first] == pytest.approx(sorted(scores, reverse=True)[:3], abs=1e-5)


def test_equal_scores_are_ordered_by_chunk_and_place() -> None:
    """The same sentence twice and in two chunks comes in order of chunk, then of start."""
    spans = reader().read("cats", [chunk("Cats purr. Cats purr."), chunk("Cats purr.", start=90)])
    assert [(span.chunk, span.start) for span in spans] == [(0, 0), (0, 11), (1, 90)]


def test_a_chunk_is_read_the_same_whatever_is_read_with_it() -> None:
    """Spans of a chunk alone are those it has among others, but for its position."""
    chunks = [chunk(f"Fact {n} is here. Cats purr {n} times.", start=n * 60) for n in range(6)]
    together = reader().read("How do cats purr?", chunks)
    for position, one in enumerate(chunks):
        alone = reader().read("How do cats purr?", [one])
        among = [span for span in together if span.chunk == position]
        assert [(s.start, s.end, s.text, s.score) for s in alone] == [
            (s.start, s.end, s.text, s.score) for s in among
        ]


def test_nothing_to_read_gives_no_spans() -> None:
    """No chunks, and chunks without a visible character, have no candidate."""
    assert reader().read("What?", []) == []
    assert reader().read("What?", [chunk(" \n ")]) == []


def test_a_question_without_a_telling_word_is_read_by_meaning_alone() -> None:
    """Where no word of the question counts, the score is the cosine."""
    (span,) = reader().read("Who is he?", [chunk("Cats purr at night.")])
    assert span.score == pytest.approx(
        _SCALE * cosine("Who is he?", "Cats purr at night."), abs=1e-5
    )


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("The cats purr at night.", True),
        ("The cats “purr at night.”", True),
        ("These do so: the cats;", True),
        ("Cats purr at night", False),
        ("Do cats purr at night?", False),
        ("Cats do purr.", False),
    ],
)
def test_what_states_nothing_stands_back(text: str, states: bool) -> None:  # noqa: FBT001
    """Headings, questions and scraps of up to three words score lower by a fixed amount."""
    (span,) = reader().read("Do cats purr?", [chunk(text)])
    assert span.score == pytest.approx(
        score("Do cats purr?", text, share=1.0 if "purr" in text else 0.5, states=states), abs=1e-5
    )


@pytest.mark.parametrize("mark", ["- ", "* ", "• ", "3. ", "(12) ", "b) "])
def test_the_mark_of_a_list_item_is_no_part_of_the_answer(mark: str) -> None:
    """A span starts behind the bullet or number of its item; its offsets say so too."""
    (span,) = reader().read("Do cats purr?", [chunk(f"{mark}Cats purr at night.", start=40)])
    assert (span.text, span.start) == ("Cats purr at night.", 40 + len(mark))


def test_the_calibration_is_the_one_given() -> None:
    """The reader hands out its calibration unchanged."""
    assert reader().calibration is CALIBRATION
