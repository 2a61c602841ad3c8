import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from rag.chunks import Chunk
from rag.errors import ModelError
from rag.reading.onnx import SHIPPED, OnnxReader

DOCUMENTS = {
    "harbour": (
        "The harbour of Tolvik was dredged in 1964 to a depth of eleven metres. The work was led "
        "by the engineer Maren Solberg and cost 4.2 million crowns."
    ),
    "ferry": (
        "The ferry to Ravnøy leaves at 7.15 every morning. Passengers pay 36 crowns; children "
        "under six travel free. Dogs are allowed on the open deck only."
    ),
    "bakery": (
        "Hjort & Daughters opened their bakery in 1911. Its best known loaf is called the "
        "“miller's coin”, a flat rye bread with caraway seed."
    ),
}
QUESTIONS = {
    "Who led the dredging of the harbour?": "Maren Solberg",
    "when was the harbour of tolvik dredged": "1964",
    "How much do passengers pay on the ferry to Ravnøy?": "36 crowns",
    "When did Hjort & Daughters open their bakery?": "1911",
}


def chunk(text, *, start=0, document="d"):
    return Chunk(
        id=1,
        document=document,
        start=start,
        end=start + len(text),
        text=text,
        section=(),
        page=None,
        tokens=len(text.split()),
    )


CHUNKS = [chunk(text, document=name) for name, text in DOCUMENTS.items()]


@pytest.fixture(scope="module")
def reader():
    return OnnxReader()


@pytest.mark.parametrize(("question", "answer"), QUESTIONS.items(), ids=str)
def test_plain_questions_are_answered_from_the_right_passage(reader, question, answer):
    best = reader.read(question, CHUNKS)[0]
    assert best.text == answer
    assert answer in CHUNKS[best.chunk].text


def test_a_span_is_its_document_between_its_offsets(reader):
    text = DOCUMENTS["harbour"]
    document = "Front matter, Ünïcödé 🎣. " + text
    inner = chunk(text, start=len(document) - len(text))
    spans = reader.read("How deep is the harbour?", [inner])
    assert spans
    assert all(document[span.start : span.end] == span.text for span in spans)


def test_an_answer_behind_the_first_window_is_found(reader):
    filler = "The committee met on a weekday and talked about the weather at length. " * 60
    text = filler + DOCUMENTS["harbour"] + " " + filler
    best = reader.read("Who led the dredging of the harbour?", [chunk(text)])[0]
    assert best.text == "Maren Solberg"
    assert text[best.start : best.end] == best.text


def test_a_chunk_is_read_the_same_whatever_is_read_with_it(reader):
    """The scores of a passage are equal, to the bit, alone and among others."""
    question = "Who led the dredging of the harbour?"
    together = [span for span in reader.read(question, CHUNKS) if span.chunk == 0]
    alone = reader.read(question, CHUNKS[:1])
    assert together == alone


def test_spans_come_best_first_and_do_not_overlap_within_a_chunk(reader):
    spans = reader.read("What is allowed on the deck?", CHUNKS)
    assert [span.score for span in spans] == sorted((span.score for span in spans), reverse=True)
    for one in spans:
        for other in spans:
            if one is not other and one.chunk == other.chunk:
                assert one.end <= other.start or other.end <= one.start


def test_the_passage_that_answers_is_judged_more_relevant(reader):
    spans = reader.read("Who led the dredging of the harbour?", CHUNKS)
    relevance = {span.chunk: span.relevance for span in spans}
    assert max(relevance, key=relevance.__getitem__) == 0


def test_many_threads_get_what_one_gets(reader):
    asked = list(QUESTIONS) * 6
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda question: reader.read(question, CHUNKS), asked))
    assert together == [reader.read(question, CHUNKS) for question in asked]


def test_one_thread_reads_as_two_do(reader):
    question = next(iter(QUESTIONS))
    assert OnnxReader(threads=1).read(question, CHUNKS) == reader.read(question, CHUNKS)


@pytest.mark.parametrize("question", ["", "?", "word " * 500], ids=["empty", "mark", "long"])
def test_odd_questions_are_read(reader, question):
    assert all(span.text for span in reader.read(question, CHUNKS))


def test_nothing_to_read_gives_nothing(reader):
    assert reader.read("Who?", []) == []
    assert reader.read("Who?", [chunk(" \n")]) == []


def test_a_damaged_network_is_refused(tmp_path):
    damaged = shutil.copytree(SHIPPED, tmp_path / "model")
    content = bytearray((damaged / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.onnx"):
        OnnxReader(damaged)


@pytest.mark.parametrize("file", ["config.json", "calibration.json", "model.onnx"])
def test_a_missing_file_is_named(tmp_path, file):
    broken = shutil.copytree(SHIPPED, tmp_path / "model")
    (broken / file).unlink()
    with pytest.raises(ModelError, match=file):
        OnnxReader(broken)


def test_the_shipped_model_is_small_and_complete():
    names = {file.name for file in SHIPPED.iterdir()}
    assert names == {"model.onnx", "tokenizer.json", "config.json", "calibration.json", "README.md"}
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 30_000_000
    assert json.loads((SHIPPED / "config.json").read_text())["name"]


def test_words_of_the_question_are_no_answer(reader):
    """No span only repeats the question, whatever its case; a choice is answered in its words."""
    text = "In May 2023 the ferry to Ravnøy was painted green."
    for question in ("What happened to the ferry to Ravnøy in May 2023?", "FERRY RAVNØY MAY 2023"):
        found = [span.text for span in reader.read(question, [chunk(text)])]
        assert found
        assert not {"May 2023", "Ravnøy", "ferry", "the ferry"} & set(found)
    choice = "Does the engine run on petrol or diesel?"
    assert reader.read(choice, [chunk("The engine runs on diesel.")])[0].text == "diesel"
