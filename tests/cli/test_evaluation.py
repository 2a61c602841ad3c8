import json
from pathlib import Path

import pytest

from rag.eval.records import read_records, read_report
from tests import stores

SEEDS = Path(__file__).resolve().parents[2] / "seeds"


def test_seed_questions_over_a_throw_away_index(rag, home, tmp_path):
    """The documents beside the questions are asked, with the real models; the home stays empty."""
    out = tmp_path / "run"
    result = rag("eval", "run", SEEDS / "questions.jsonl", "--limit", 4, "--out", out, home=home)
    assert result.exit_code == 0
    assert "4 questions over" in result.stdout
    assert "exact match, passage given" in result.stdout
    assert "Written to" in result.stdout
    records = list(read_records(out))
    assert [record.id for record in records] == ["s001", "s002", "s003", "s004"]
    assert all(record.hits and record.given for record in records)
    assert records[0].document_kind == "text/markdown"
    report = read_report(out)
    assert report.settings["documents"] == 5
    assert report.figures["passage_recall_at_20"].value == 1.0
    assert stores.names(home) == []
    assert (out / "report.html").exists()


def test_questions_over_the_collection(rag, seeded, tmp_path):
    """A collection's documents are known by the ends of their uris; --again starts over."""
    questions = tmp_path / "asked.jsonl"
    line = (SEEDS / "questions.jsonl").read_text(encoding="utf-8").splitlines()[3]
    questions.write_text(line + "\n", encoding="utf-8")
    run = ("eval", "run", questions, "--collection", "default", "--out", tmp_path / "run")
    assert rag(*run, home=seeded).exit_code == 0
    (record,) = read_records(tmp_path / "run")
    assert record.id == json.loads(line)["id"]
    assert any(hit.holds_gold for hit in record.hits)
    assert read_report(tmp_path / "run").settings["corpus"] == "collection default"
    refused = rag(*run, home=seeded)
    assert refused.exit_code == 1
    assert "--again" in refused.stderr
    assert read_report(tmp_path / "run").settings["retriever"] == "hybrid"
    assert rag(*run, "--again", "--retriever", "lexical", home=seeded).exit_code == 0
    assert read_report(tmp_path / "run").settings["retriever"] == "lexical"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--collection", "default"), "There are no documents to ask"),
        (("--collection", "other"), "There is no collection 'other'"),
        (("--collection", "default", "--corpus", SEEDS), "not both"),
    ],
)
def test_what_cannot_be_asked_is_said(rag, home, tmp_path, options, says):
    """One sentence, no traceback, and nothing written."""
    out = tmp_path / "run"
    result = rag("eval", "run", SEEDS / "questions.jsonl", "--out", out, *options, home=home)
    assert result.exit_code != 0
    assert says in result.stderr
    assert not out.exists()
