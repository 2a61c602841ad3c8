"""The whole service stopped by signals while it has much to do."""

import asyncio
import random
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.load.serving import fill, serving
from tests.load.stopping import lost, stop_under_load

ROUNDS = 20

pytestmark = pytest.mark.long


def test_twenty_signals_under_load_lose_and_cut_nothing(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    """Each ends within 10 s with status 0; what was acknowledged is there, no response cut off."""
    home, random_ = tmp_path / "home", random.Random(20)
    fill(home)
    seconds, texts, jobs, answered = [], 0, 0, 0
    for seed in range(ROUNDS):
        with serving(home) as service:
            after = random_.uniform(0.0, 2.0)
            stopped = asyncio.run(stop_under_load(service, after=after, seed=seed))
            log = service.log.read_text(encoding="utf-8")
        assert stopped.status == 0, log
        assert stopped.seconds < 10
        assert (stopped.cut, stopped.strange) == ([], [])
        assert lost(home, stopped) == []
        assert "Traceback" not in log
        seconds.append(stopped.seconds)
        texts += len(stopped.texts)
        jobs += len(stopped.jobs)
        answered += stopped.answered
    report(
        f"{ROUNDS} signals: ended in {statistics.median(seconds):.1f} s, {max(seconds):.1f} at "
        f"most; {answered} answered, {texts} documents and {jobs} jobs acknowledged, 0 lost, 0 cut"
    )
