"""Comparing two runs: what chance explains is no difference, what it does not is one."""

import random
from pathlib import Path

import numpy as np
import pytest

from rag.errors import InvalidRequest
from rag.eval.comparing import GATE, Comparison, Difference, compare
from rag.eval.records import Record
from rag.metrics.significance import holm, p_value
from tests.eval.making import gold, record, write_run


def difference(compared: Comparison, name: str) -> Difference:
    (found,) = [d for d in compared.differences if d.name == name]
    return found


def compare_records(
    tmp_path: Path, first: list[Record], second: list[Record], **options: object
) -> Comparison:
    directories = write_run(tmp_path / "a", first), write_run(tmp_path / "b", second)
    return compare(*directories, **options)  # type: ignore[arg-type]


def of_f1(values: list[float], *, clusters: list[str] | None = None) -> list[Record]:
    return [
        record(n, f1=value, confidence=0.9, cluster=None if clusters is None else clusters[n])
        for n, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("draws", "expected"),
    [
        ([1.0] * 99, 0.02),
        ([-1.0] * 99, 0.02),
        ([-1.0] * 9 + [1.0] * 90, 0.2),
        ([0.0] * 99, 1.0),
        ([-1.0] * 50 + [1.0] * 49, 1.0),
    ],
)
def test_p_values(draws: list[float], expected: float) -> None:
    """Twice the rarer side's share, counting the observation itself; zeros are on both sides."""
    assert p_value(np.array(draws)) == pytest.approx(expected)


def test_holm() -> None:
    """.01 * 3 = .03; .03 * 2 = .06; .04 * 1 = .04, but no smaller than the one before."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("clusters", "chance"),
    [
        pytest.param(None, 0.8**10, id="independent"),
        pytest.param([f"c{n // 2}" for n in range(10)], 0.8**5, id="one cluster got worse"),
    ],
)
def test_the_paired_bootstrap_is_exact_where_it_can_be_solved(
    tmp_path: Path, clusters: list[str] | None, chance: float
) -> None:
    """Two of ten questions fall from 1 to 0: a resample shows no loss if it has neither of them.

    By questions that happens with probability .8^10, by clusters of two with .8^5; p is twice that.
    """
    before = of_f1([1.0] * 10, clusters=clusters)
    after = of_f1([0.0] * 2 + [1.0] * 8, clusters=clusters)
    found = difference(compare_records(tmp_path, before, after, gate=["f1"]), "f1")
    assert (found.first, found.second, found.difference) == pytest.approx((1.0, 0.8, -0.2))
    error = 4 * 2 * (chance * (1 - chance) / 10_000) ** 0.5
    assert found.p == pytest.approx(2 * chance, abs=error)
    assert found.verdict == "same"
    if clusters is None:  # minus a binomial of 10 and .2, over 10: its 2.5% and 97.5% points
        assert (found.low, found.high) == pytest.approx((-0.5, 0.0))


def test_a_run_is_not_different_from_itself(tmp_path: Path) -> None:
    """Every difference is zero with p 1, nothing got better or worse; also in another order."""
    rng = random.Random(4)
    records = [
        record(n, f1=rng.random(), confidence=rng.random(), rank=rng.choice([1, 2, None]))
        for n in range(60)
    ]
    for second in (records, records[::-1]):
        compared = compare_records(tmp_path, records, second)
        assert {(d.difference, d.low, d.high, d.p) for d in compared.differences} == {
            (0.0, 0.0, 0.0, 1.0)
        }
        assert compared.regressions == ()
        assert (compared.changes.count_better, compared.changes.count_worse) == (0, 0)
        assert {d.name for d in compared.differences if d.adjusted_p is not None} == set(GATE)


def test_a_small_loss_is_seen_because_questions_are_paired(tmp_path: Path) -> None:
    """Each of 60 questions loses .05 of an F1 that varies from 0 to 1: that is no chance."""
    rng = random.Random(5)
    values = [rng.uniform(0.05, 1.0) for _ in range(60)]
    before, after = of_f1(values), of_f1([value - 0.05 for value in values])
    compared = compare_records(tmp_path, before, after, gate=["f1"])
    found = difference(compared, "f1")
    assert (found.low, found.high) == pytest.approx((-0.05, -0.05))
    assert compared.regressions == ("f1",)
    assert compare_records(tmp_path, after, before, gate=["f1"]).regressions == ()
    assert difference(compare_records(tmp_path, after, before), "f1").verdict == "better"


def test_worse_retrieval_is_caught(tmp_path: Path) -> None:
    """A third of the passages is no longer found, every answer being the same as before."""
    before = [record(n, confidence=0.5) for n in range(60)]
    after = [record(n, confidence=0.5, rank=None if n % 3 == 0 else 1) for n in range(60)]
    compared = compare_records(tmp_path, before, after)
    assert compared.regressions == ("passage_mrr_at_10",)
    assert difference(compared, "f1").p == 1.0


def test_passages_that_slip_down_are_caught(tmp_path: Path) -> None:
    """A third of the passages is third instead of first: all are still among the first five."""
    before = [record(n, confidence=0.5) for n in range(60)]
    after = [record(n, confidence=0.5, rank=3 if n % 3 == 0 else 1) for n in range(60)]
    compared = compare_records(tmp_path, before, after)
    assert difference(compared, "passage_recall_at_5").difference == 0.0
    assert difference(compared, "passage_mrr_at_10").difference == pytest.approx(-2 / 9)
    assert compared.regressions == ("passage_mrr_at_10",)


def test_a_worse_confidence_is_caught(tmp_path: Path) -> None:
    """Answers and passages stay, but wrong answers are now as sure as right ones."""
    before = [record(n, f1=n % 2, confidence=0.6 + 0.3 * (n % 2)) for n in range(60)]
    after = [record(n, f1=n % 2, confidence=0.6 + 0.3 * (n % 3) / 2) for n in range(60)]
    assert compare_records(tmp_path, before, after).regressions == ("auroc",)


def test_lower_is_better_where_it_is(tmp_path: Path) -> None:
    """A calibration error that grows is worse."""
    before = [record(n, confidence=1.0) for n in range(60)]
    after = [record(n, confidence=0.5) for n in range(60)]
    compared = compare_records(tmp_path, before, after, gate=["calibration_error"])
    assert difference(compared, "calibration_error").difference == pytest.approx(0.5)
    assert compared.regressions == ("calibration_error",)


def test_several_measures_share_the_error(tmp_path: Path) -> None:
    """What one measure alone shows at 5% it shows at 5% times their number among others."""
    before = of_f1([1.0] * 18)
    after = of_f1([0.0] * 4 + [1.0] * 14)  # a resample spares all four with (14/18)^18 = .0108
    alone = compare_records(tmp_path, before, after, gate=["f1"])
    assert alone.regressions == ("f1",)
    together = compare_records(tmp_path, before, after, gate=["f1", "best_f1", "exact"])
    assert together.regressions == ()
    found = difference(together, "f1")
    assert found.adjusted_p == pytest.approx(3 * found.p)


def test_the_questions_that_changed_are_told(tmp_path: Path) -> None:
    """Those that changed most come first, with both answers; no more than asked for."""
    before = of_f1([1.0, 0.9, 0.5, 0.0])
    after = [record(0, f1=0.0, text="1907", confidence=0.4), *of_f1([1.0, 0.8, 0.55, 1.0])[1:]]
    changes = compare_records(tmp_path, before, after, listed=2).changes
    assert (changes.count_better, changes.count_worse) == (2, 2)
    assert [change.id for change in changes.worse] == ["q0", "q1"]
    assert [change.id for change in changes.better] == ["q3", "q2"]
    worst = changes.worse[0]
    assert worst.expected == ("1911",)
    assert (worst.first.answer, worst.second.answer) == ("1911", "1907")
    assert (worst.second.confidence, worst.second.cause) == (0.4, "wrong_span")


def test_other_questions_are_refused(tmp_path: Path) -> None:
    """With how many are missing, added and changed."""
    before = [record(n) for n in range(10)]
    after = [record(n) for n in range(3, 14)]
    after[0] = record(3, question="Who?")
    after[1] = record(4, golds=(gold("1912"),))
    with pytest.raises(InvalidRequest, match=r"3 are only in the first, 4 only in .* 2 have"):
        compare_records(tmp_path, before, after)


def test_two_questions_of_one_id_are_refused(tmp_path: Path) -> None:
    """They could not be paired."""
    with pytest.raises(InvalidRequest, match="Two questions of a run have the id 'q1'"):
        compare_records(tmp_path, [record(1), record(1)], [record(1)])


@pytest.mark.parametrize(
    ("gate", "message"),
    [(["f2"], "no measure 'f2'"), (["cited_recall"], "cited_recall was not measured in both")],
)
def test_a_measure_that_is_not_there_is_refused(
    tmp_path: Path, gate: list[str], message: str
) -> None:
    """By its name."""
    with pytest.raises(InvalidRequest, match=message):
        compare_records(tmp_path, [record(1)], [record(1)], gate=gate)
