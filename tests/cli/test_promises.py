"""`rag eval threshold` and `rag eval label`: a promise for a collection, and what it rests on."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rag.cli import main
from rag.components import index_fingerprint, open_embedder, open_reader
from rag.labels import read_labels
from rag.promises import threshold_file
from rag.settings import Settings, read_settings
from rag.thresholds import calibration_sha256, load_threshold
from rag.training.data import read_examples
from tests import stores
from tests.eval.making import record, write_run

Rag = Callable[..., Result]


@pytest.fixture
def settings(home: Path) -> Settings:
    return read_settings(stores.environment(home) | {"RAG_READER": "sentence"})


@pytest.fixture
def run(settings: Settings, tmp_path: Path) -> Callable[..., Path]:
    """Make a run of 200 questions over the default collection, the sure half of them right."""
    reader = open_reader(settings, embedder=open_embedder(settings))
    measured = {
        "corpus": "collection default",
        "reader": reader.name,
        "calibration": calibration_sha256(reader.calibration),
        "index": index_fingerprint(settings),
        "k": 10,
    }
    records = [
        record(n, f1=float(n < 100), confidence=0.705 if n < 100 else 0.355) for n in range(200)
    ]

    def make(**changed: object) -> Path:
        return write_run(tmp_path / "run", records, settings=measured | changed)

    return make


def test_a_threshold_is_kept_and_the_doctor_tells_it(
    rag: Rag, run: Callable[..., Path], settings: Settings
) -> None:
    """All of the sure answers are given, none of the others; the file says what that rests on."""
    result = rag("eval", "threshold", run(), home=settings.home, RAG_READER="sentence")
    assert result.exit_code == 0, result.stderr
    assert "from 70% confidence on: 100 of the 200 questions (50%), 100 of them right" in (
        result.stdout
    )
    kept = load_threshold(threshold_file(settings))
    assert kept is not None
    assert (kept.min_confidence, kept.answered, kept.right) == (0.7, 100, 100)
    assert (kept.precision, kept.confidence_level, kept.k) == (0.9, 0.95, 10)
    told = rag("doctor", home=settings.home, RAG_READER="sentence").stdout
    assert "ok     threshold: answers from 70% confidence on, of which 90% are right" in told
    told = rag("doctor", home=settings.home, RAG_READER="sentence", RAG_MIN_CONFIDENCE="0.2").stdout
    assert "ok     threshold: answers from 20% confidence on, as RAG_MIN_CONFIDENCE says" in told
    told = rag("doctor", home=settings.home).stdout  # another reader
    assert "WRONG  threshold: " in told
    assert "promises that 90% of the answers are right" in told


def test_a_target_out_of_reach_keeps_nothing(
    rag: Rag, run: Callable[..., Path], settings: Settings
) -> None:
    """Status 1, with what comes closest."""
    arguments = ("eval", "threshold", run(), "--target-precision", "0.99")
    result = rag(*arguments, home=settings.home, RAG_READER="sentence")
    assert result.exit_code == 1
    assert "No threshold is shown to reach 99%" in result.stderr
    assert "answers 100 of 200 labelled questions, 100 of them right" in result.stderr
    assert not threshold_file(settings).exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"corpus": "seeds"}, "was measured over seeds"),
        ({"reader": "sentence-0"}, "was measured with reader sentence-0 (now sentence-1)"),
        ({"index": "other"}, "was measured with index other"),
        ({"retriever": "lexical"}, "was measured with the lexical retriever"),
    ],
)
def test_what_was_measured_elsewhere_promises_nothing(
    rag: Rag,
    run: Callable[..., Path],
    settings: Settings,
    changed: dict[str, object],
    message: str,
) -> None:
    """Over other documents, with another reader or index: status 1, nothing kept."""
    result = rag("eval", "threshold", run(**changed), home=settings.home, RAG_READER="sentence")
    assert result.exit_code == 1
    assert message in result.stderr
    assert not threshold_file(settings).exists()


def test_labelling_takes_verdicts_and_goes_on_where_it_was(seeded: Path, tmp_path: Path) -> None:
    """Right, a span that stands in one place, one to choose, skipped, then stopped and resumed."""
    questions, out = tmp_path / "questions.txt", tmp_path / "labels.jsonl"
    asked = [
        "How many soldiers were injured in May 2023?",
        "Who is the Secretary General of NATO?",
        "When did the mission of KFOR begin?",
        "What is the boiling point of tungsten?",
    ]
    questions.write_text("\n\n".join([*asked, asked[0]]) + "\n")

    def label(typed: str) -> Result:
        return CliRunner().invoke(
            main,
            ["eval", "label", str(questions), "--out", str(out)],
            input=typed,
            env=stores.environment(seeded) | {"RAG_READER": "sentence"},
        )

    first = label("x\nr\ns\nno such words\ns\nJens  Stoltenberg\n1\nk\nq\n")
    assert first.exit_code == 0, first.output
    assert "1/4  How many soldiers" in first.output
    assert "None of the documents found has these words so." in first.output
    assert "2 labels added" in first.output
    assert "2 of 4 questions are open" in first.output
    second = label("w\nn\n")
    assert "3/4  When did the mission" in second.output
    assert "0 of 4 questions are open" in second.output
    labels = read_labels(out)
    assert [known.question for known in labels] == asked
    assert [known.verdict for known in labels] == ["right", "span", "wrong", "should_abstain"]
    right, span, nothing = read_examples([out])  # of what is wrong nothing can be learnt
    assert right.answers[0].text == labels[0].given
    assert " ".join(span.answers[0].text.split()) == "Jens Stoltenberg"
    assert nothing.answers == ()
    third = label("")
    assert "0 labels added" in third.output


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.jsonl", json.dumps({"text": "x"}), "line 1 is no JSON object with a question"),
        ("q.jsonl", json.dumps({"question": 5}), "line 1: the question is no text"),
        ("q.jsonl", "{", "line 1 is no JSON object"),
        ("q.txt", b"\xff", "cannot be read as UTF-8"),
    ],
)
def test_questions_that_cannot_be_read_are_named(
    rag: Rag, tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    """By file and line, before a model is loaded."""
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = rag("eval", "label", file, "--out", tmp_path / "out.jsonl", home=tmp_path)
    assert result.exit_code == 1
    assert message in result.stderr
