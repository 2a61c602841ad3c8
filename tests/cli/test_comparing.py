"""`rag eval compare`: its exit status is a gate."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.eval.making import record, write_run

Rag = Callable[..., Result]


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """A run, and one in which every other answer is wrong now."""
    good = [record(n, confidence=0.9) for n in range(40)]
    bad = [record(n, f1=float(n % 2), text="19\x1b[31m07", confidence=0.9) for n in range(40)]
    return write_run(tmp_path / "good", good), write_run(tmp_path / "bad", bad)


def test_a_loss_is_status_1(rag: Rag, runs: tuple[Path, Path], tmp_path: Path) -> None:
    """It is named, with the questions and both answers; their text cannot steer the terminal."""
    result = rag("eval", "compare", *runs, home=tmp_path)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[-1] == "Worse by more than chance: F1, nothing withheld."
    assert "40 questions: 0 better, 20 worse." in result.stdout
    assert sum(line.startswith("Worse: When was number") for line in lines) == 10
    assert "   first     1911 (90% sure)" in lines
    assert "   second    19\ufffd[31m07 (90% sure)" in lines


def test_a_gain_and_no_change_are_status_0(
    rag: Rag, runs: tuple[Path, Path], tmp_path: Path
) -> None:
    """So that the command is a gate; a file of a run stands for its directory."""
    good, bad = runs
    assert rag("eval", "compare", bad, good, home=tmp_path).exit_code == 0
    result = rag("eval", "compare", good, good / "report.json", home=tmp_path)
    assert result.exit_code == 0
    assert "Nothing that must not get worse did" in result.stdout


def test_json_holds_all_of_it(rag: Rag, runs: tuple[Path, Path], tmp_path: Path) -> None:
    """Differences, regressions and changed questions, with the same status."""
    result = rag("eval", "compare", *runs, "--json", "--questions", "3", home=tmp_path)
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["regressions"] == ["f1"]
    (f1,) = [d for d in found["differences"] if d["name"] == "f1"]
    assert (f1["first"], f1["second"], f1["verdict"]) == (1.0, 0.5, "worse")
    assert len(found["changes"]["worse"]) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--metric", "f2"), "There is no measure 'f2'"),
        (("--alpha", "0"), "0.0 is not in the range"),
    ],
)
def test_wrong_usage_is_status_2(
    rag: Rag, runs: tuple[Path, Path], tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    """One line says what is wrong."""
    result = rag("eval", "compare", *runs, *options, home=tmp_path)
    assert result.exit_code == 2
    assert message in result.stderr


def test_runs_that_cannot_be_compared_are_status_2(
    rag: Rag, runs: tuple[Path, Path], tmp_path: Path
) -> None:
    """Other questions, and a directory without a run."""
    other = write_run(tmp_path / "other", [record(1)])
    result = rag("eval", "compare", runs[0], other, home=tmp_path)
    assert result.exit_code == 2
    assert "39 are only in the first, 0 only in the second" in result.stderr
    result = rag("eval", "compare", runs[0], tmp_path, home=tmp_path)
    assert result.exit_code == 2
    assert "give the directory of an evaluation" in " ".join(result.stderr.split())
