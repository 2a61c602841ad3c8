import csv
import gzip
import json
from pathlib import Path

import pytest

from rag.errors import BrokenFile
from rag.eval.loading import find_questions, read_examples
from rag.eval.records import Gold

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
CONTEXT = "The harbour was built in 1850. Ada Ness led the work."


def squad(*questions):
    paragraph = {"context": CONTEXT, "qas": list(questions)}
    return {"version": "v2.0", "data": [{"title": "A_harbour", "paragraphs": [paragraph]}]}


ASKED = {
    "id": "1",
    "question": "When was it built?",
    "answers": [{"text": "1850", "answer_start": 25}],
}
UNASKED = {
    "id": "2",
    "question": "When was it built?",
    "is_impossible": True,
    "answers": [],
    "plausible_answers": [{"text": "1850", "answer_start": 25}],
}
YEAR = Gold(text="1850", document=None, start=25, end=29, grade=1)


def written(file: Path, *rows: object) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


@pytest.mark.parametrize("indent", [None, 1], ids=["on one line", "indented"])
def test_squad(tmp_path, indent):
    """Both versions are read; two questions of one text stay two, one of them unanswerable."""
    file = tmp_path / "dev.any"
    file.write_text(json.dumps(squad(ASKED, UNASKED), indent=indent))
    first, second = read_examples(file)
    assert (first.id, first.task, first.golds) == ("1", "answers", (YEAR,))
    assert first.context.title == "A harbour"
    assert first.context.text == CONTEXT
    assert (second.id, second.golds) == ("2", ())
    assert second.question == first.question
    assert second.context == first.context
    assert find_questions(file).count == 2


def test_questions_with_their_contexts(tmp_path):
    """Lines as readers are trained on, gzipped; a start that is left out is found."""
    rows = (
        {"id": "a", "question": "When?", "context": CONTEXT, "answers": [{"text": "1850"}]},
        {"question": "Who?", "context": CONTEXT, "answers": [{"text": "Ada Ness", "start": 31}]},
        {"question": "Why?", "context": CONTEXT, "title": "t", "answers": []},
    )
    file = tmp_path / "own.jsonl.gz"
    file.write_bytes(gzip.compress(written(tmp_path / "plain", *rows).read_bytes()))
    first, second, third = read_examples(file)
    assert (first.id, first.golds) == ("a", (YEAR,))
    assert (second.id, second.golds[0].start, second.golds[0].end) == ("2", 31, 39)
    assert third.golds == ()
    assert first.context.uri == second.context.uri != third.context.uri


def test_labels(tmp_path):
    """A label's context stands in a document; one that knows no right answer is passed over."""
    row = {
        "id": "l",
        "question": "When?",
        "verdict": "right",
        "context": CONTEXT,
        "answers": [{"text": "1850", "start": 25}],
        "document": {"uri": "docs/a.md", "version": "sha256:0", "start": 100},
        "given": "1850",
    }
    unknown = row | {"id": "m", "answers": None}
    silent = row | {"id": "n", "answers": [], "context": None, "document": None}
    first, last = read_examples(written(tmp_path / "labels.jsonl", row, unknown, silent))
    assert first.golds == (YEAR,)
    assert (first.context.document, first.context.start) == ("docs/a.md", 100)
    assert (last.id, last.golds, last.context) == ("n", (), None)


def test_questions_on_whole_documents():
    """The seeds' questions name documents and places in them."""
    examples = list(read_examples(SEEDS / "questions.jsonl"))
    first = examples[0]
    assert first.id == "s001"
    assert first.context is None
    assert first.golds[0] == Gold(
        text="Enver Hoxhaj",
        document="2016-12-08-kosovo-government-nato-reply.md",
        start=598,
        end=610,
        grade=1,
    )
    assert examples[-1].golds == ()


def test_answers_without_a_place(tmp_path):
    """An answer may be a text alone, or name its document only."""
    row = {"question": "Who?", "answers": ["Ada", {"text": "Ness", "document": "a.md"}]}
    (example,) = read_examples(written(tmp_path / "q.jsonl", row))
    assert [(g.text, g.document, g.start) for g in example.golds] == [
        ("Ada", None, None),
        ("Ness", "a.md", None),
    ]


REFERENCES = [
    {"document": "a.md", "start": 4, "end": 11, "text": "harbour"},
    {"document": "b.md", "start": 0, "end": 3, "text": "Ada"},
]
PLACED = (
    Gold(text="harbour", document="a.md", start=4, end=11, grade=1),
    Gold(text="Ada", document="b.md", start=0, end=3, grade=1),
)


def test_references_in_lines(tmp_path):
    """Several passages a question, also under the names of benchmarks of chunking; none is one."""
    other = {
        "question": "What?",
        "corpus_id": "a.md",
        "references": [{"content": "harbour", "start_index": 4, "end_index": 11}],
    }
    file = written(
        tmp_path / "spans.jsonl",
        {"question": "What, who?", "references": REFERENCES},
        other,
        {"question": "Why?", "references": []},
    )
    first, second, third = read_examples(file)
    assert (first.task, first.golds) == ("references", PLACED)
    assert second.golds == PLACED[:1]
    assert (third.task, third.golds) == ("references", ())


def test_references_in_csv(tmp_path):
    """A column holds the list as JSON; a row may run over several lines."""
    file = tmp_path / "spans.csv"
    with file.open("w", encoding="utf-8-sig", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["question", "references", "document"])
        rows.writerow(["What,\nwho?", json.dumps(REFERENCES), ""])
        bare = [{"start": 4, "end": 11, "text": "harbour"}]
        rows.writerow(["What?", json.dumps(bare), "a.md"])
    first, second = read_examples(file)
    assert (first.question, first.golds) == ("What,\nwho?", PLACED)
    assert second.golds == PLACED[:1]


def test_beir(tmp_path):
    """Of the test judgements those above zero count, with their grades."""
    (tmp_path / "qrels").mkdir()
    written(tmp_path / "corpus.jsonl", {"_id": "d1", "title": "", "text": "x"})
    written(
        tmp_path / "queries.jsonl",
        {"_id": "q1", "text": "first"},
        {"_id": "q2", "text": "not judged"},
        {"_id": "q3", "text": "nothing relevant"},
    )
    (tmp_path / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq2\td1\t1\n")
    (tmp_path / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t1\nq1\td3\t0\nq3\td1\t0\n"
    )
    (example,) = read_examples(tmp_path)
    assert (example.id, example.question, example.task) == ("q1", "first", "documents")
    assert [(g.document, g.grade) for g in example.golds] == [
        ("corpus.jsonl#d1", 2),
        ("corpus.jsonl#d2", 1),
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param("", "neither JSON nor CSV", id="empty"),
        pytest.param("\n", "neither JSON nor CSV", id="blank"),
        pytest.param("some text\n", "neither JSON nor CSV", id="text"),
        pytest.param('[{"question": "x"}]', "neither JSON nor CSV", id="list"),
        pytest.param('{"data": [{"paragraphs": [{}]}]}', "context", id="no SQuAD"),
        pytest.param('{"question": "x"}\n', 'line 1: a row needs a "question"', id="no answers"),
        pytest.param(
            '{"question": "x", "answers": []}\n{"question": 1}\n', "line 2: ", id="second line"
        ),
        pytest.param('{"question": " ", "answers": []}', "question is empty", id="no question"),
        pytest.param('{"question": "x", "answers": [""]}', "answer is empty", id="no answer"),
        pytest.param(
            '{"question": "x", "answers": [{"text": "y", "start": 3}]}',
            "start but no document",
            id="start of nothing",
        ),
        pytest.param(
            '{"question": "x", "context": "abc", "answers": [{"text": "c", "start": 1}]}',
            "line 1: the context has no 'c' at character 1",
            id="another place",
        ),
        pytest.param(
            '{"question": "x", "references": [{"text": "y"}]}', "needs a document", id="no place"
        ),
        pytest.param(
            '{"question": "x", "corpus_id": "a", '
            '"references": [{"text": "y", "start": 1, "end": 9}]}',
            "1 characters long, its offsets 1 and 9 are 8 apart",
            id="another length",
        ),
        pytest.param(
            'question,references\nx,"[]"\ny,none\n', "line 3: references must be", id="CSV line"
        ),
        pytest.param(
            '{"question": "x", "id": 7, "answers": []}\n{"question": "y", "id": 7, "answers": []}',
            "line 2: an earlier question has the same id '7'",
            id="an id twice",
        ),
        pytest.param('{"question": "x", "answers": null}', "holds no question", id="no question"),
    ],
)
def test_a_file_is_refused_by_line(tmp_path, content, says):
    """What cannot be read is named with its file and line."""
    file = tmp_path / "questions.any"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(BrokenFile, match=r"questions\.any") as error:
        find_questions(file)
    assert says in str(error.value)


def test_a_folder_is_refused(tmp_path):
    """A folder that is none of BEIR says what it lacks."""
    with pytest.raises(BrokenFile, match="is no BEIR folder"):
        find_questions(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    """Neither broken UTF-8 nor a broken archive is a traceback."""
    file = tmp_path / "q.jsonl"
    file.write_bytes(b'{"question": "\xff", "answers": []}\n')
    with pytest.raises(BrokenFile, match="line 1"):
        find_questions(file)
    file.write_bytes(gzip.compress(b'{"question": "x", "answers": []}')[:-12])
    with pytest.raises(BrokenFile, match="cannot be read"):
        find_questions(file)


def test_the_digest_is_of_what_is_asked(tmp_path):
    """White space in the file makes no other digest, another answer does."""
    one = {"question": "x", "answers": ["y"]}
    first = find_questions(written(tmp_path / "1", one))
    spaced = written(tmp_path / "3", one)
    spaced.write_text(spaced.read_text().replace(": ", " :  "))
    assert find_questions(spaced).sha256 == first.sha256
    changed = written(tmp_path / "4", one | {"answers": ["z"]})
    assert find_questions(changed).sha256 != first.sha256
