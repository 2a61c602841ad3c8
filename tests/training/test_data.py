import gzip
import json

import pytest

from rag.errors import BrokenFile
from rag.training.data import Gold, read_examples

CONTEXT = "The mill was built in 1911 by Ada Ness."
SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Mill",
            "paragraphs": [
                {
                    "context": CONTEXT,
                    "qas": [
                        {
                            "id": "a",
                            "question": "When?",
                            "answers": [{"text": "1911", "answer_start": 22}],
                        },
                        {"id": "b", "question": "Why?", "answers": [], "is_impossible": True},
                    ],
                }
            ],
        }
    ],
}
LINE = {"question": "When?", "context": CONTEXT, "answers": [{"text": "1911", "start": 22}]}


def test_squad_files_are_read(tmp_path):
    file = tmp_path / "dev-v2.0.json"
    file.write_text(json.dumps(SQUAD))
    first, second = read_examples([file])
    assert (first.id, first.title, first.answers) == ("a", "Mill", (Gold(text="1911", start=22),))
    assert second.answers == ()


def test_json_lines_are_read_compressed_or_not(tmp_path):
    plain, packed = tmp_path / "own.jsonl", tmp_path / "own.jsonl.gz"
    plain.write_text(json.dumps(LINE) + "\n\n")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    (example,) = read_examples([plain])
    assert example.answers[0].end == 26
    assert read_examples([packed]) == [example]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="no object"),
        pytest.param(json.dumps({"question": "When?"}), id="no context"),
        pytest.param(json.dumps({**LINE, "answers": [{"text": "1911", "start": 3}]}), id="offset"),
        pytest.param(json.dumps({**LINE, "answers": [{"text": "", "start": 3}]}), id="empty"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line):
    file = tmp_path / "own.jsonl"
    file.write_text(json.dumps(LINE) + "\n" + line)
    with pytest.raises(BrokenFile, match="line 2"):
        read_examples([file])
