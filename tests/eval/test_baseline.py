"""A baseline: a run reduced, but not for a comparison."""

import random
from pathlib import Path

from rag.eval.baseline import reduced, write_baseline
from rag.eval.comparing import load
from rag.eval.records import Record, read_records
from tests.eval.making import answer, hit, record, write_run


def runs() -> list[Record]:
    rng = random.Random(6)
    records = [
        record(
            n,
            f1=rng.random(),
            confidence=rng.random(),
            rank=rng.choice([1, 2, 5, None]),
            answerable=n % 4 != 0,
        )
        for n in range(40)
    ]
    documents = [record(n, task="documents", answers=(), cause=None) for n in range(40, 50)]
    return [*records, *documents]


def test_every_number_that_is_compared_stays(tmp_path: Path) -> None:
    """The tables of a run and of its baseline differ in times only, the questions in nothing."""
    directory = write_run(tmp_path / "run", runs())
    write_baseline(read_records(directory), tmp_path / "baseline")
    whole, small = load(read_records(directory)), load(read_records(tmp_path / "baseline"))
    assert whole.digests == small.digests
    assert whole.table.clusters.tolist() == small.table.clusters.tolist()
    differing = {
        name
        for name, column in whole.table.columns.items()
        if str(column.tolist()) != str(small.table[name].tolist())
    }
    assert differing == {"retrieve_ms", "read_ms", "answer_ms", "total_ms"}


def test_what_is_not_compared_goes() -> None:
    """Texts, times, second answers, and the passages behind the last that counts."""
    whole = record(
        1,
        rank=2,
        answers=(answer("1911", confidence=0.9, f1=1.0), answer("1950", confidence=0.1, f1=0.0)),
    )
    small = reduced(whole)
    assert [found.text for found in small.answers] == ["1911"]
    assert small.answers[0].sentence == ""
    assert [found.holds_gold for found in small.hits] == [False, True]
    assert {found.excerpt for found in small.hits} == {""}
    assert small.timings_ms == {}
    assert reduced(record(2, answerable=False, rank=None)).hits == ()
    references = record(3, task="references", hits=(hit(holds_gold=False),) * 3)
    assert len(reduced(references).hits) == 3
