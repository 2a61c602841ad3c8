import math

import numpy as np
import pytest

from rag.eval.measures import MEASURES, figures
from rag.eval.records import GivenRecord, Gold, HitRecord, Overlap
from rag.eval.summary import fingerprint, summarise
from rag.eval.table import KINDS, table_of
from tests.eval.making import record


def placed(document, start):
    return Gold(text="x" * 10, document=document, start=start, end=start + 10, grade=1)


def passage(document, start, *, holds_gold=False):
    return HitRecord(
        document=document,
        uri=document,
        start=start,
        end=start + 100,
        score=1.0,
        holds_gold=holds_gold,
        excerpt="",
    )


def values(*records):
    return {name: figure.value for name, figure in figures_of(*records).items()}


def figures_of(*records):
    return figures(table_of(records), tuple(MEASURES.values()))


# Six questions at a threshold of 0.3: of the four answerable ones two are answered, one right;
# of the two unanswerable ones one is.
SIX = (
    record(1, f1=1.0, confidence=0.9, rank=1),
    record(2, f1=0.4, confidence=0.8, rank=2),
    record(3, f1=0.8, confidence=0.2, rank=5),
    record(4, f1=0.0, confidence=0.1, rank=None),
    record(5, answerable=False, confidence=0.7),
    record(6, answerable=False, confidence=0.05),
)


def test_answers_by_hand():
    """Means over the answerable; with silence counted, over all."""
    got = values(*SIX)
    assert got["exact"] == pytest.approx(1 / 4)
    assert got["f1"] == pytest.approx(2.2 / 4)
    assert got["spoken_exact"] == pytest.approx((1 + 0 + 0 + 0 + 0 + 1) / 6)
    assert got["spoken_f1"] == pytest.approx((1 + 0.4 + 0 + 0 + 0 + 1) / 6)


def test_silence_by_hand():
    """Three answered, of which one right; three silent, of which one rightly."""
    got = values(*SIX)
    assert got["answered"] == pytest.approx(3 / 6)
    assert got["correct"] == pytest.approx(2 / 6)
    assert got["answer_precision"] == pytest.approx(1 / 3)
    assert got["abstention_precision"] == pytest.approx(1 / 3)
    assert got["abstention_recall"] == pytest.approx(1 / 2)
    # Right are those of 0.9 and 0.2: of 2 * 4 pairs 4 + 2 are in order.
    assert got["auroc"] == pytest.approx(6 / 8)
    # Answerable are those of .9, .8, .2, .1, not .7 and .05: of 4 * 2 pairs 2 + 4 are in order.
    assert got["answerable_auroc"] == pytest.approx(6 / 8)
    assert got["coverage_at_20_error"] == pytest.approx(1 / 6)
    errors = (0.1, 0.8, 0.8, 0.1, 0.7, 0.05)
    assert got["brier"] == pytest.approx(sum(e * e for e in errors) / 6)
    assert got["calibration_error"] == pytest.approx(sum(errors) / 6)  # a question a bin


def test_retrieval_by_hand():
    """The passage with the answer stands first, second, fifth and nowhere."""
    got = values(*SIX)
    assert got["passage_recall_at_1"] == pytest.approx(1 / 4)
    assert got["passage_recall_at_3"] == pytest.approx(2 / 4)
    assert got["passage_recall_at_5"] == pytest.approx(3 / 4)
    assert got["passage_recall_at_20"] == pytest.approx(3 / 4)
    assert got["passage_mrr_at_10"] == pytest.approx((1 + 1 / 2 + 1 / 5) / 4)
    assert got["passage_ndcg_at_10"] == pytest.approx((1 + 1 / math.log2(3) + 1 / math.log2(6)) / 4)
    # All hits are of the document that the golds are in.
    assert got["document_recall_at_1"] == 1.0


def test_citations_by_hand():
    """Three answers were given, with a quote each; two of them to answerable questions."""
    found = figures_of(*SIX)
    assert (found["quotes_verified"].value, found["quotes_verified"].count) == (1.0, 3)
    assert (found["quotes_holding_gold"].value, found["quotes_holding_gold"].count) == (1.0, 2)


def test_references_by_hand():
    """Of two references in two documents one is found first, the other third."""
    one = record(
        1,
        task="references",
        golds=(placed("a", 50), placed("b", 0)),
        hits=(passage("a", 0), passage("a", 45), passage("b", 0)),
        scores=None,
        overlap=Overlap(gold=20, retrieved=50, retrieved_gold=15, cited=8, cited_gold=4, shared=5),
    )
    other = record(
        2,
        task="references",
        golds=(placed("a", 0),),
        hits=(),
        answers=(),
        confidence=0.0,
        scores=None,
        overlap=Overlap(gold=12, retrieved=0, retrieved_gold=0, cited=0, cited_gold=0, shared=0),
    )
    got = values(one, other)
    assert got["passage_recall_at_1"] == pytest.approx((1 / 2 + 0) / 2)
    assert got["passage_recall_at_3"] == pytest.approx((1 + 0) / 2)
    assert got["document_recall_at_1"] == pytest.approx((1 / 2 + 0) / 2)
    assert got["document_recall_at_3"] == pytest.approx((1 + 0) / 2)  # b is the second document
    assert got["retrieved_recall"] == pytest.approx((15 / 20 + 0) / 2)
    assert got["retrieved_precision"] == pytest.approx((15 / 50 + 0) / 2)
    assert got["retrieved_iou"] == pytest.approx((15 / 55 + 0) / 2)
    assert got["cited_iou"] == pytest.approx((4 / 24 + 0) / 2)
    assert got["cited_word_f1"] == pytest.approx(2 * 5 / (20 + 8 + 12))
    assert "exact" not in got


def test_relevant_documents_by_hand():
    """Grades 2 and 1 at the ranks 2 and 1; no question of answers is in the figures."""
    golds = tuple(
        Gold(text="", document=d, start=None, end=None, grade=g) for d, g in (("a", 2), ("b", 1))
    )
    asked = record(
        1,
        task="documents",
        golds=golds,
        hits=(passage("b", 0), passage("a", 0), passage("c", 0)),
        answers=(),
        scores=None,
        cause=None,
    )
    got = values(asked)
    assert got["document_recall_at_1"] == 0.5
    assert got["document_recall_at_3"] == 1.0
    gain = 1 + 2 / math.log2(3)
    assert got["document_ndcg_at_10"] == pytest.approx(gain / (2 + 1 / math.log2(3)))
    assert {name.partition("_")[0] for name in got} == {"document"}


def test_the_passage_given_by_hand():
    """Only questions with a passage count."""
    got = figures_of(record(1, given=GivenRecord(text="x", exact=0.0, f1=0.5)), record(2))
    assert (got["given_f1"].value, got["given_f1"].count) == (0.5, 1)


def test_intervals_hold_their_values():
    """Every figure lies in its interval, and says how many questions it is over."""
    found = figures_of(*SIX * 5)
    for figure in found.values():
        assert figure.low <= figure.value <= figure.high
        assert 0 < figure.count <= 30
    assert found["f1"].low < found["f1"].value < found["f1"].high


def test_equal_questions_are_not_merged():
    """Two questions of one text, one right and one wrong, are two."""
    same = {"question": "When?", "cluster": "one"}
    assert values(record(1, f1=1.0, **same), record(2, f1=0.0, **same))["f1"] == 0.5


def test_a_selection_is_the_table_of_its_records():
    """Columns and clusters of some rows are those of their records alone."""
    table = table_of(SIX)
    chosen = table.select(table["answerable"] == 1)
    expected = table_of(SIX[:4])
    assert len(chosen) == 4
    for name, column in expected.columns.items():
        assert np.array_equal(chosen[name], column, equal_nan=True), name
    assert sorted(chosen.clusters) == [0, 1, 2, 3]


def test_a_report_by_kinds():
    """Kinds of questions and documents have figures of their own; causes add up to all."""
    others = [record(n, kind="who", f1=0.0, document_kind="application/pdf") for n in (7, 8)]
    report = summarise(table_of([*SIX, *others]), settings={"k": 10})
    assert report.by_kind["who"]["f1"].value == 0.0
    assert report.by_kind["when"]["f1"].value == pytest.approx(2.2 / 4)
    assert set(report.by_kind) <= set(KINDS)
    assert report.by_document_kind["application/pdf"]["f1"].count == 2
    assert report.causes["wrong_span"].value == pytest.approx(3 / 8)
    assert sum(figure.value for figure in report.causes.values()) == pytest.approx(1.0)
    assert report.counts == {
        "questions": 8,
        "answerable": 6,
        "unanswerable": 2,
        "answered": 5,
        "abstained": 3,
        "passages": 8,
    }
    assert [point.coverage for point in report.risk_coverage][-1] == 1.0
    assert sum(part.count for part in report.reliability) == 8
    assert report.cost.latency["total"].p50 == 46.0
    assert report.cost.questions_per_second == pytest.approx(1000 / 46)


def test_a_fingerprint_is_of_settings_in_any_order():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"a": 1, "b": 2}) != fingerprint({"a": 1, "b": 3})
