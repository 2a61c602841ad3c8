"""Answers: what counts as the same, what speaks for it, and where it is written."""

import math
from collections.abc import Sequence

import pytest

from rag.answers import Answer, SpanGroup, build_answers, group_spans, page_at, sentence_bounds
from rag.documents import Document, Page, Section
from rag.reading.calibration import FEATURES, NO_RIVAL, Calibration
from rag.reading.reader import Span
from rag.retrieval.retriever import Hit
from tests.fakes import chunk_lines, make_document

# Confidence is the logistic of the score: ln(p / (1 - p)) as the score gives p.
BY_SCORE = Calibration(weights=(10.0,) + (0.0,) * (len(FEATURES) - 1), bias=0.0, min_confidence=0.5)


def confidence(score: float) -> float:
    return 1 / (1 + math.exp(-score))


def hits_of(*texts: str, similarity: float | None = 0.5) -> list[Hit]:
    """Return a hit a text, each the only chunk of a document of its own."""
    hits = []
    for n, text in enumerate(texts):
        (chunk,) = chunk_lines(make_document(text, uri=f"file:{n}"))
        hits.append(Hit(chunk=chunk, score=1.0 - n / 10, similarity=similarity))
    return hits


def span_of(
    hits: Sequence[Hit], chunk: int, text: str, score: float, *, nth: int = 0, relevance: float = 0
) -> Span:
    """Return the span of the nth occurrence of a text in a hit's chunk."""
    start = -1
    for _ in range(nth + 1):
        start = hits[chunk].chunk.text.index(text, start + 1)
    start += hits[chunk].chunk.start
    return Span(
        chunk=chunk,
        start=start,
        end=start + len(text),
        text=text,
        score=score,
        relevance=relevance,
    )


def group_texts(*texts: str) -> list[list[str]]:
    """Return the groups of texts that stand in a passage each, strongest first."""
    hits = hits_of(*texts)
    spans = [span_of(hits, n, text, 9.0 - n) for n, text in enumerate(texts)]
    return [[span.text for span in group.spans] for group in group_spans(spans, hits)]


SAME = [
    pytest.param("Jens Stoltenberg", "jens STOLTENBERG", id="case"),
    pytest.param("Straße", "STRASSE", id="full-case-folding"),
    pytest.param("the North Atlantic Council", "North Atlantic Council", id="article"),
    pytest.param("Priština", "Pristina", id="accent"),
    pytest.param("café", "cafe\u0301", id="decomposed"),
    pytest.param("Camp Bondsteel", "Camp Bondsteel.", id="full-stop"),
    pytest.param("“yes”", "yes", id="quotes"),
    pytest.param("1,000", "1000", id="thousands-comma"),
    pytest.param("1,000,000", "1000000", id="millions"),
    pytest.param("1\u00a0000 men", "1000 men", id="no-break-space"),
    pytest.param("1\u202f000", "1,000", id="narrow-no-break-space"),
    pytest.param("1’000", "1000", id="apostrophe"),
    pytest.param("4,500km", "4500km", id="unit-behind"),
    pytest.param("−5", "-5", id="minus-sign"),
    pytest.param("ﬁve", "five", id="ligature"),
    pytest.param(
        "NATO sent seven hundred more soldiers to the north of Kosovo.",
        "NATO sent seven hundred more soldiers to northern Kosovo.",
        id="long-near-duplicate",
    ),
]
DIFFERENT = [
    pytest.param("5%", "5", id="percent"),
    pytest.param("$5", "€5", id="currency"),
    pytest.param("-5", "5", id="negative"),
    pytest.param("1.5", "15", id="decimal-point"),
    pytest.param("1,5", "15", id="decimal-comma"),
    pytest.param("10,00", "1000", id="no-thousands"),
    pytest.param("2016", "2017", id="year"),
    pytest.param("Kosovo Force", "Kosovo Police", id="short-near-duplicate"),
    pytest.param("man bites dog", "dog bites man", id="order"),
    pytest.param("!", "?", id="punctuation-alone"),
    pytest.param(
        "NATO sent 700 more soldiers to the north of Kosovo.",
        "NATO sent 500 more soldiers to the north of Kosovo.",
        id="long-but-for-a-number",
    ),
    pytest.param(
        "The government of Serbia has agreed to the plan in Brussels.",
        "The government of Serbia has not agreed to the plan in Brussels.",
        id="long-but-for-a-negation",
    ),
    pytest.param(
        "The mission trains local police officers in the border region.",
        "The parliament rejected local budget plans in the border region.",
        id="long-and-half-shared",
    ),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spans_that_say_the_same_are_one_answer(one: str, other: str) -> None:
    """They make one group whichever is the stronger, the stronger first."""
    assert group_texts(one, other) == [[one, other]]
    assert group_texts(other, one) == [[other, one]]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_spans_that_say_something_else_are_answers_of_their_own(one: str, other: str) -> None:
    """They make two groups, the stronger first."""
    assert group_texts(one, other) == [[one], [other]]
    assert group_texts(other, one) == [[other], [one]]


def test_similar_is_four_fifths_of_the_words() -> None:
    """Five words of which four are shared (F1 = 0.8) are similar, four of which three are not."""
    assert len(group_texts("red green blue black white", "red green blue black grey")) == 1
    assert len(group_texts("red green blue black", "red green blue grey")) == 2
    assert len(group_texts("red green blue black white", "red green blue pink grey")) == 2


def test_a_variant_in_the_place_of_a_stronger_span_is_dropped() -> None:
    """Of overlapping spans only the strongest is kept; touching ones do not overlap."""
    hits = hits_of("in June 2019 in Brussels")
    spans = [
        span_of(hits, 0, "2019", 5.0),
        span_of(hits, 0, "June 2019", 4.0),
        span_of(hits, 0, "June ", 3.0),
        span_of(hits, 0, "2019 in Brussels", 2.0),
        span_of(hits, 0, "Brussels", 1.0),
    ]
    texts = [[span.text for span in group.spans] for group in group_spans(spans, hits)]
    assert texts == [["2019"], ["June "], ["Brussels"]]


def test_the_same_place_in_two_chunks_is_one_place() -> None:
    """Chunks overlap: a span that both hold is cited once, and speaks for the answer once."""
    document = make_document("One. Two 2019. Three.")
    (whole,) = chunk_lines(document)
    hits = [Hit(chunk=whole, score=1.0, similarity=0.5) for _ in range(2)]
    spans = [span_of(hits, n, "2019", 5.0 - n) for n in range(2)]
    (group,) = group_spans(spans, hits)
    assert group.spans == (spans[0],)
    assert group.evidence.passages == 1


def test_equal_offsets_in_two_documents_do_not_overlap() -> None:
    """Offsets count in their document: places in different ones are different places."""
    (group,) = group_spans(
        [span_of(hits := hits_of("2019 a", "2019 b"), 0, "2019", 5.0), span_of(hits, 1, "2019", 4)],
        hits,
    )
    assert [span.chunk for span in group.spans] == [0, 1]


def test_evidence_is_counted_by_hand() -> None:
    """Two answers in three passages, one of them twice in the same passage.

    "Brussels" stands in passages 2 (twice) and 0, "the city of Ghent" in passage 1.
    """
    hits = hits_of("Brussels", "the city of Ghent", "Brussels and Brussels")
    hits[2] = Hit(chunk=hits[2].chunk, score=0.1, similarity=0.25)
    spans = [
        span_of(hits, 2, "Brussels", 7.5, relevance=1.5),
        span_of(hits, 1, "the city of Ghent", 5.0),
        span_of(hits, 0, "Brussels", 4.0, relevance=9.0),
        span_of(hits, 2, "Brussels", 3.0, nth=1),
    ]
    brussels, ghent = (group.evidence for group in group_spans(spans, hits))
    assert (brussels.score, brussels.relevance, brussels.margin) == (7.5, 1.5, 2.5)
    assert (brussels.passages, brussels.rank, brussels.words) == (2, 2, 1)
    assert brussels.retrieval_score == 0.25
    assert (ghent.score, ghent.relevance, ghent.margin) == (5.0, 0.0, -2.5)
    assert (ghent.passages, ghent.rank, ghent.words) == (1, 1, 4)
    assert ghent.retrieval_score == 0.5


def test_an_answer_alone_has_no_rival() -> None:
    """Without another answer the margin is `NO_RIVAL`; where no cosine is known it counts as 0."""
    hits = hits_of("Brussels", similarity=None)
    (group,) = group_spans([span_of(hits, 0, "Brussels", -3.0)], hits)
    assert group.evidence.margin == NO_RIVAL
    assert group.evidence.retrieval_score == 0.0
    assert group_spans([], hits) == []


def build(
    groups: Sequence[SpanGroup],
    hits: Sequence[Hit],
    *,
    limit: int = 10,
    min_confidence: float = 0.0,
    calibration: Calibration = BY_SCORE,
) -> tuple[list[Answer], float]:
    documents = {
        h.chunk.document: make_document(h.chunk.text, uri=f"file:{n}") for n, h in enumerate(hits)
    }
    return build_answers(
        groups,
        hits,
        calibration=calibration,
        document=documents.__getitem__,
        limit=limit,
        min_confidence=min_confidence,
    )


def three_answers() -> tuple[list[SpanGroup], list[Hit]]:
    hits = hits_of("alpha", "beta", "gamma")
    spans = [
        span_of(hits, 0, "alpha", 2.0),
        span_of(hits, 1, "beta", 1.0),
        span_of(hits, 2, "gamma", -1.0),
    ]
    return group_spans(spans, hits), hits


def test_answers_come_by_confidence_not_by_score() -> None:
    """With a calibration that trusts low scores the order turns round."""
    groups, hits = three_answers()
    answers, best = build(groups, hits)
    assert [answer.text for answer in answers] == ["alpha", "beta", "gamma"]
    expected = [confidence(2.0), confidence(1.0), confidence(-1.0)]
    assert [answer.confidence for answer in answers] == pytest.approx(expected)
    assert best == pytest.approx(confidence(2.0))
    contrary = Calibration(weights=(-10.0, *BY_SCORE.weights[1:]), bias=0.0, min_confidence=0.5)
    answers, best = build(groups, hits, calibration=contrary)
    assert [answer.text for answer in answers] == ["gamma", "beta", "alpha"]
    assert best == pytest.approx(confidence(1.0))


def test_equal_confidences_are_ordered_by_score_and_rank() -> None:
    """A calibration that tells nothing apart leaves score, then the passage's rank, to decide."""
    blind = Calibration(weights=(0.0,) * len(FEATURES), bias=0.0, min_confidence=0.0)
    hits = hits_of("alpha", "beta", "gamma")
    spans = [
        span_of(hits, 1, "beta", 2.0),
        span_of(hits, 0, "alpha", 2.0),
        span_of(hits, 2, "gamma", 3.0),
    ]
    answers, _ = build(group_spans(spans, hits), hits, calibration=blind)
    assert [answer.text for answer in answers] == ["gamma", "alpha", "beta"]


def test_limit_and_threshold() -> None:
    """No more answers than the limit, none below the threshold, one at it; the best is told."""
    groups, hits = three_answers()
    assert [a.text for a in build(groups, hits, limit=2)[0]] == ["alpha", "beta"]
    at_beta = build(groups, hits)[0][1].confidence
    assert [a.text for a in build(groups, hits, min_confidence=at_beta)[0]] == ["alpha", "beta"]
    above = math.nextafter(at_beta, 1)
    assert [a.text for a in build(groups, hits, min_confidence=above)[0]] == ["alpha"]
    assert build(groups, hits, min_confidence=0.99) == ([], pytest.approx(confidence(2.0)))
    assert build([], hits) == ([], 0.0)


def test_every_place_is_cited_strongest_first_up_to_ten() -> None:
    """An answer found in twelve documents has citations of the ten strongest, in their order."""
    hits = hits_of(*(f"It was 2019, says number {n}." for n in range(12)))
    spans = [span_of(hits, n, "2019", 12.0 - n) for n in range(12)]
    groups = group_spans(spans, hits)
    ((answer,), _) = build(groups, hits)
    assert [c.document.uri for c in answer.citations] == [f"file:{n}" for n in range(10)]
    assert groups[0].evidence.passages == 12
    assert answer.sentence == "It was 2019, says number 0."


def test_a_citation_is_the_place_in_the_document() -> None:
    """Offsets, bytes, page, section, quote and the rest of its sentence, behind astral characters.

    In UTF-8 🐙 takes four bytes, é two and 𝒜 four.
    """
    text = "🐙 Intro.\n\nThe é count was 𝒜-5 then. Later it fell."
    document = make_document(
        text,
        sections=[Section(start=0, end=len(text), path=("Top",))],
        pages=[Page(start=0, end=10, number=7), Page(start=10, end=len(text), number=8)],
    )
    chunk = chunk_lines(document)[1]
    hits = [Hit(chunk=chunk, score=1.0, similarity=0.5)]
    span = span_of(hits, 0, "𝒜-5", 1.0)
    ((answer,), _) = build_answers(
        group_spans([span], hits),
        hits,
        calibration=BY_SCORE,
        document={document.id: document}.__getitem__,
        limit=1,
        min_confidence=0.0,
    )
    (citation,) = answer.citations
    assert citation.document is document
    assert (citation.start, citation.end) == (26, 29)
    assert (citation.start_byte, citation.end_byte) == (30, 36)
    assert document.text[citation.start : citation.end] == citation.quote == answer.text == "𝒜-5"
    assert text.encode()[citation.start_byte : citation.end_byte].decode() == "𝒜-5"
    assert (citation.page, citation.section) == (8, ("Top",))
    assert (citation.before, citation.after) == ("The é count was ", " then.")
    assert answer.sentence == "The é count was 𝒜-5 then."


@pytest.mark.parametrize(
    ("offset", "number"), [(0, None), (4, None), (5, 3), (9, 3), (10, 4), (11, 4), (500, 4)]
)
def test_the_page_of_an_offset(offset: int, number: int | None) -> None:
    """A page counts from its start to the next one's; before the first there is none."""
    pages = [Page(start=5, end=9, number=3), Page(start=10, end=20, number=4)]
    assert page_at(make_document("x" * 20, pages=pages), offset) == number


def test_a_document_without_pages_has_no_page() -> None:
    """No page is made up."""
    assert page_at(make_document("text"), 2) is None


def bounds(document: Document, quote: str) -> str:
    start = document.text.index(quote)
    low, high = sentence_bounds(document, start, start + len(quote))
    return document.text[low:high]


def test_a_sentence_ends_with_its_section() -> None:
    """Text of the next section is not taken in, even where no full stop stands between them."""
    text = "Heading one\nthe first was red\nand the second was blue. Done."
    border = text.index("and the second")
    sections = [
        Section(start=0, end=border, path=("one",)),
        Section(start=border, end=len(text), path=("two",)),
    ]
    plain, parted = make_document(text), make_document(text, sections=sections)
    assert "blue" in bounds(plain, "red")
    assert bounds(parted, "red").endswith("the first was red")
    assert bounds(parted, "blue") == "and the second was blue."


def test_a_span_over_two_sentences_has_both() -> None:
    """The sentences that hold a span's ends and all between them are taken."""
    document = make_document("Zero here. One was red. Two was blue. Three is green.")
    assert bounds(document, "red. Two was") == "One was red. Two was blue."


def test_of_an_endless_sentence_only_the_part_around_the_span_is_taken() -> None:
    """At most 1,500 characters before and after, the span itself always whole."""
    text = "word " * 2000 + "needle " + "word " * 2000
    document = make_document(text)
    start = text.index("needle")
    low, high = sentence_bounds(document, start, start + 6)
    assert start - 1500 <= low <= start
    assert start + 6 <= high <= start + 6 + 1500
    assert "needle" in text[low:high]
    long = text[start - 4000 : start + 4000]
    low, high = sentence_bounds(document, start - 4000, start + 4000)
    assert long.strip() in text[low:high]


def test_a_span_of_white_space_stays_where_it_is() -> None:
    """Bounds never lie inside the span they are asked for."""
    document = make_document("One.   \n\n   Two.")
    assert sentence_bounds(document, 5, 10) == (5, 10)
