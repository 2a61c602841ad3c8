import math
import random

import ir_measures
import pytest
from ir_measures import RR, Qrel, R, ScoredDoc, nDCG

from rag.metrics.ranking import ndcg_at, recall_at, reciprocal_rank_at


def generated(count):
    """Rankings of up to 30 of 40 documents, of which one to eight are relevant in grades 1 to 3."""
    rng = random.Random(3)
    for number in range(count):
        documents = [f"d{i}" for i in range(40)]
        relevant = {d: rng.randint(1, 3) for d in rng.sample(documents, rng.randint(1, 8))}
        yield f"q{number}", relevant, rng.sample(documents, rng.randint(0, 30))


def test_rankings_agree_with_trec_eval():
    """On 300 generated rankings recall, reciprocal rank and nDCG are those of ir-measures."""
    cases = list(generated(300))
    judged = [Qrel(q, d, grade) for q, relevant, _ in cases for d, grade in relevant.items()]
    ranked = [ScoredDoc(q, d, -r) for q, _, ranking in cases for r, d in enumerate(ranking)]
    measures = [R @ 1, R @ 3, R @ 5, R @ 10, R @ 20, RR @ 10, nDCG @ 10]
    expected = {
        (metric.query_id, str(metric.measure)): metric.value
        for metric in ir_measures.iter_calc(measures, judged, ranked)
    }
    for q, relevant, ranking in cases:
        ranks = [ranking.index(d) + 1.0 if d in ranking else math.inf for d in relevant]
        grades = list(relevant.values())
        for k in (1, 3, 5, 10, 20):
            assert recall_at(ranks, k) == pytest.approx(expected[q, f"R@{k}"])
        assert reciprocal_rank_at(ranks, 10) == pytest.approx(expected[q, "RR@10"])
        assert ndcg_at(ranks, 10, grades=grades) == pytest.approx(expected[q, "nDCG@10"])


def test_a_ranking_by_hand():
    """Right items at 2 and 4 of three: gains 1/log2(3) + 1/log2(5) over 1 + 1/log2(3) + 1/2."""
    ranks = [2.0, 4.0, math.inf]
    assert recall_at(ranks, 3) == pytest.approx(1 / 3)
    assert reciprocal_rank_at(ranks, 10) == 0.5
    assert reciprocal_rank_at(ranks, 1) == 0.0
    assert ndcg_at(ranks, 10) == pytest.approx((0.63093 + 0.43068) / (1 + 0.63093 + 0.5), abs=1e-5)


def test_items_that_share_a_rank_gain_as_if_one_after_the_other():
    """Two right items in the first passage are as good as the ideal ranking and no better."""
    assert ndcg_at([1.0, 1.0], 10) == pytest.approx(1.0)
