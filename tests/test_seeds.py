"""The seed documents and their questions: data that measurements rest on."""

import json
import os
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

SEEDS = Path(__file__).resolve().parent.parent / "seeds"
BRIEFS = sorted(SEEDS.glob("*.md"))
RAW_VARIABLE = "CHAPTERVERSE_RAW_SEEDS"
LONGEST_SHARED_RUN = 11  # in words; one more counts as copied
TYPES = {"who", "when", "where", "what", "which", "why", "how", "how many", "yes_no"}


def read(path: Path) -> str:
    """Decode without newline translation: offsets count the file as it is."""
    return path.read_bytes().decode("utf-8")


def split_front_matter(text: str) -> tuple[dict[str, str], str]:
    opening, front, body = re.split(r"^---\n", text, maxsplit=2, flags=re.MULTILINE)
    assert opening == ""
    pairs = (line.split(": ", 1) for line in front.splitlines())
    return {key: value.strip('"') for key, value in pairs}, body


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def shared_runs(text: str, source: str, *, length: int) -> list[str]:
    """Return every run of `length` words of `text` that stands in `source` too."""
    ours, theirs = words(text), words(source)
    known = {tuple(theirs[i : i + length]) for i in range(len(theirs) - length + 1)}
    runs = (tuple(ours[i : i + length]) for i in range(len(ours) - length + 1))
    return [" ".join(run) for run in runs if run in known]


@pytest.fixture(scope="module")
def questions() -> list[dict[str, Any]]:
    return [json.loads(line) for line in read(SEEDS / "questions.jsonl").splitlines()]


def test_five_briefs() -> None:
    """There is one brief for each of the five sources."""
    assert len(BRIEFS) == 5


@pytest.mark.parametrize("path", BRIEFS, ids=lambda path: path.stem)
def test_front_matter_says_what_the_source_is(path: Path) -> None:
    """Title, publisher, kind and date are named; an inexact date says what it rests on."""
    front, body = split_front_matter(read(path))
    assert all(front.get(key, "").strip() for key in ("title", "publisher", "date", "kind"))
    if re.fullmatch(r"\d{4}", front["date"]):
        assert front["date_note"]
    else:
        assert date.fromisoformat(front["date"]).isoformat() == front["date"]
    assert path.name.startswith(front["date"])
    assert body.lstrip().startswith("# ")
    assert body.count("\n## ") >= 3


def test_every_gold_span_is_the_slice_of_its_document(questions: list[dict[str, Any]]) -> None:
    """An answer's text is what stands at its code point offset: in the body, on one line."""
    texts = {path.name: read(path) for path in BRIEFS}
    for question in questions:
        for answer in question["answers"]:
            text, start = texts[answer["document"]], answer["start"]
            assert text[start : start + len(answer["text"])] == answer["text"], question["id"]
            assert start > text.index("\n---\n"), question["id"]
            assert answer["text"] == answer["text"].strip(), question["id"]
            assert answer["text"], question["id"]
            assert "\n" not in answer["text"], question["id"]


def test_gold_spans_begin_and_end_at_words(questions: list[dict[str, Any]]) -> None:
    """No answer cuts a word in two."""
    texts = {path.name: read(path) for path in BRIEFS}
    for question in questions:
        for answer in question["answers"]:
            text, start = texts[answer["document"]], answer["start"]
            end = start + len(answer["text"])
            assert not (text[start - 1].isalnum() and text[start].isalnum()), question["id"]
            assert not (text[end - 1].isalnum() and text[end].isalnum()), question["id"]


def test_questions_are_distinct_and_complete(questions: list[dict[str, Any]]) -> None:
    """Ids, questions and the spans of one question are unique; every field is there and known."""
    assert len({question["id"] for question in questions}) == len(questions)
    assert len({question["question"].casefold() for question in questions}) == len(questions)
    for question in questions:
        assert set(question) == {"id", "question", "type", "answers"}
        assert question["question"].strip()
        assert question["type"] in TYPES
        spans = [(a["document"], a["start"], a["text"]) for a in question["answers"]]
        assert len(set(spans)) == len(spans), question["id"]
        for answer in question["answers"]:
            assert set(answer) == {"document", "text", "start"}, question["id"]


def test_enough_questions_of_both_kinds(questions: list[dict[str, Any]]) -> None:
    """At least 80 questions can be answered from the briefs, and at least 20 more cannot."""
    unanswerable = [question for question in questions if question["answers"] == []]
    assert len(unanswerable) >= 20
    assert len(questions) - len(unanswerable) >= 80


def test_every_brief_is_asked_about(questions: list[dict[str, Any]]) -> None:
    """Each brief answers at least ten questions."""
    asked = [{answer["document"] for answer in question["answers"]} for question in questions]
    for path in BRIEFS:
        assert sum(path.name in documents for documents in asked) >= 10, path.name


def test_shared_runs_finds_a_copy() -> None:
    """The check for copied text sees a copied run through case and punctuation, and no shorter."""
    source = "One two, three four five."
    assert shared_runs("zero TWO three: four six", source, length=3) == ["two three four"]
    assert shared_runs("zero TWO three: four six", source, length=4) == []


@pytest.mark.skipif(RAW_VARIABLE not in os.environ, reason=f"{RAW_VARIABLE} names no raw files")
@pytest.mark.parametrize("path", BRIEFS, ids=lambda path: path.stem)
def test_briefs_are_in_our_own_words(path: Path) -> None:
    """No brief's body shares twelve words in a row with a source; its title is the source's own."""
    sources = sorted(Path(os.environ[RAW_VARIABLE]).glob("*.txt"))
    assert len(sources) == len(BRIEFS)
    _, body = split_front_matter(read(path))
    for source in sources:
        assert shared_runs(body, read(source), length=LONGEST_SHARED_RUN + 1) == []
