import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from rag.documents import document_id
from rag.errors import BrokenFile, InvalidRequest
from rag.eval import Context, Example, Gold, evaluate
from rag.eval.asking import Asker
from rag.eval.measures import MEASURES, figures
from rag.eval.records import (
    HTML,
    RECORDS,
    REPORT,
    encode_record,
    read_records,
    read_report,
)
from rag.eval.running import run
from rag.eval.table import TableBuilder, table_of
from rag.store import SqliteStore
from tests.eval.asked import WordAnswerer
from tests.fakes import make_document, ready

# A chunk a line. Confidence is the share of the question's words that stand in the line.
HARBOUR = (
    "The harbour was built in 1850 for 12 ships.\n"
    "The old bridge was opened in 1911.\n"
    "Ships with sails came to the harbour until 1930 and 1931.\n"
)
TOWN = "The town hall burned down in 1702.\nNobody knows who lit the fire.\n"


@pytest.fixture
def answerer(tmp_path):
    store = SqliteStore(tmp_path / "store", fingerprint="f")
    store.put(
        ready(
            make_document(HARBOUR, uri="docs/harbour.md", media_type="text/markdown"),
            make_document(TOWN, uri="docs/town.txt"),
        )
    )
    yield WordAnswerer(store)
    store.close()


def example(number, question, *golds, task="answers", context=None):
    return Example(
        id=str(number),
        question=question,
        task=task,
        golds=golds,
        context=context,
        where=f"line {number}",
    )


def gold(text, document="harbour.md", source=HARBOUR):
    start = source.index(text)
    return Gold(text=text, document=document, start=start, end=start + len(text), grade=1)


CASES = {
    "right": example(1, "When was the harbour built?", gold("1850")),
    "wrong_span": example(2, "Harbour was built for ships", gold("12")),
    "wrongly_abstained": example(3, "bridge? Who, why, how, what", gold("1911")),
    "not_retrieved": example(4, "Harbour was built for ships", gold("1702", "town.txt", TOWN)),
    "rightly_abstained": example(5, "How much did sails cost then"),
    "wrongly_answered": example(6, "the bridge was opened"),
}


@pytest.mark.parametrize("cause", CASES)
def test_every_outcome_has_its_cause(answerer, cause):
    """One question for each way to be right or wrong."""
    record = Asker(answerer, k=10).ask(CASES[cause])
    assert record.cause == cause
    assert record.abstained == cause.endswith("abstained")
    assert record.reason == ("low_confidence" if record.abstained else None)


def test_what_is_found_below_the_passages_read_was_not_ranked(answerer):
    """With one passage read the second, which holds the answer, counts as not ranked."""
    asked = example(7, "ships with sails came to the harbour", gold("1850"))
    assert Asker(answerer, k=2).ask(asked).cause == "wrong_span"
    record = Asker(answerer, k=1).ask(asked)
    assert record.cause == "not_ranked"
    assert [hit.holds_gold for hit in record.hits[:2]] == [False, True]


def test_a_record_says_what_was_asked_found_and_answered(answerer):
    """All of it by hand: places, scores, the passage given, the document's kind."""
    record = Asker(answerer, k=10).ask(CASES["wrong_span"])
    harbour = document_id("docs/harbour.md")
    assert record.golds == (replace(gold("12"), document=harbour),)
    assert (record.kind, record.document_kind) == ("keywords", "text/markdown")
    best = record.answers[0]
    assert (best.text, best.confidence, best.exact, best.f1) == ("1850", 1.0, 0.0, 0.0)
    assert not best.right
    (citation,) = best.citations
    assert (citation.uri, citation.quote) == ("docs/harbour.md", "1850")
    assert HARBOUR[citation.start : citation.end] == "1850"
    assert citation.verified
    assert not citation.holds_gold
    assert best.sentence == "The harbour was built in 1850 for 12 ships."
    assert record.hits[0].excerpt == best.sentence
    assert (record.hits[0].document, record.hits[0].start) == (harbour, 0)
    assert record.hits[0].holds_gold
    assert record.given.text == "1850"
    assert record.given.f1 == 0.0
    assert record.timings_ms == {"retrieve": 2.0, "read": 10.0, "answer": 1.0, "total": 13.0}


def test_a_text_without_a_place_is_looked_for(answerer):
    """An answer of no known place is held by every passage that has its words."""
    placeless = Gold(text="1911", document=None, start=None, end=None, grade=1)
    record = Asker(answerer, k=10).ask(example(8, "the bridge was opened", placeless))
    assert [hit.holds_gold for hit in record.hits] == [True, False, False, False, False]
    assert record.cause == "right"
    assert record.given is None
    assert record.document_kind is None


def test_a_context_is_given_and_found(answerer):
    """The reader gets the context itself; its place counts where the context is in the store."""
    context = Context(title="", text="In 1850, or 7.", document="docs/harbour.md", start=0)
    in_context = Gold(text="7", document=None, start=12, end=13, grade=1)
    record = Asker(answerer, k=10).ask(example(9, "When?", in_context, context=context))
    assert record.golds[0].start is None  # the document does not say so there
    assert record.given.text == "1850"
    line = "The old bridge was opened in 1911."
    at = HARBOUR.index(line)
    context = Context(title="", text=line, document="docs/harbour.md", start=at)
    year = Gold(text="1911", document=None, start=29, end=33, grade=1)
    record = Asker(answerer, k=10).ask(example(9, "the bridge", year, context=context))
    assert record.golds[0].document == document_id("docs/harbour.md")
    assert record.golds[0].start == HARBOUR.index("1911")
    assert record.given.exact == 1.0


def test_references_are_counted_in_words(answerer):
    """Two references, one cited: words by hand, five passages against both."""
    first, second = gold("harbour was built in 1850"), gold("bridge was opened in 1911")
    asked = example(10, "When was the harbour built?", first, second, task="references")
    record = Asker(answerer, k=10).ask(asked)
    assert record.cause == "right"
    assert record.scores is None
    assert record.answers[0].right
    assert record.answers[0].citations[0].holds_gold
    assert record.overlap.gold == 10
    assert record.overlap.retrieved_gold == 10
    # Given are the answers from 0.5 up: of "When was the harbour built?" that is the first alone,
    # whose sentence has nine words, five of them the first reference's; "was" and "in" of the
    # second reference are not there twice.
    assert (record.overlap.cited, record.overlap.cited_gold, record.overlap.shared) == (9, 5, 5)


def test_documents_are_ranked_by_their_best_passage(answerer):
    """Each document once; a relevant one that is not there is never found."""
    golds = tuple(
        Gold(text="", document=name, start=None, end=None, grade=grade)
        for name, grade in (("town.txt", 2), ("gone.txt", 1))
    )
    record = Asker(answerer, k=10).ask(example(11, "harbour in the town", *golds, task="documents"))
    # Of "harbour in the town" three words stand in the first line of either, the harbour's first.
    assert [hit.uri for hit in record.hits] == ["docs/harbour.md", "docs/town.txt"]
    assert [hit.holds_gold for hit in record.hits] == [False, True]
    assert record.cause is None
    assert record.answers == ()
    assert answerer.asked == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (gold("1850", "gone.md"), "no document gone.md is in the collection"),
        (replace(gold("1850"), start=1, end=5), "has no '1850' at character 1"),
    ],
)
def test_golds_that_are_not_there_are_refused(answerer, wrong, says):
    """A question that names another document or text says so, with its line."""
    with pytest.raises(BrokenFile, match="line 12") as error:
        Asker(answerer, k=10).ask(example(12, "When?", wrong))
    assert says in str(error.value)


def test_documents_of_one_name_are_told_apart(tmp_path):
    """The end of a uri that two documents have is refused, a longer one is not."""
    store = SqliteStore(tmp_path, fingerprint="f")
    store.put(ready(*(make_document(TOWN, uri=f"{place}/town.txt") for place in "ab")))
    asker = Asker(WordAnswerer(store), k=10)
    with pytest.raises(BrokenFile, match=r"a/town\.txt, b/town\.txt"):
        asker.ask(example(13, "When?", gold("1702", "town.txt", TOWN)))
    record = asker.ask(example(13, "When?", gold("1702", "b/town.txt", TOWN)))
    assert record.golds[0].document == document_id("b/town.txt")
    store.close()


def test_records_are_read_as_they_were_written(answerer, tmp_path):
    """Nothing of a record is lost in its line."""
    asker = Asker(answerer, k=10)
    records = [asker.ask(case) for case in CASES.values()]
    (tmp_path / RECORDS).write_bytes(b"".join(map(encode_record, records)))
    assert list(read_records(tmp_path)) == records


def test_a_run_writes_its_records_and_reports(answerer, tmp_path):
    """What is returned is what was written; the same run again writes the same bytes."""
    first = evaluate(answerer, CASES.values(), out=tmp_path / "1")
    evaluate(answerer, CASES.values(), out=tmp_path / "2")
    assert read_report(tmp_path / "1") == first
    one, two = ((tmp_path / n / RECORDS).read_bytes() for n in "12")
    assert one == two
    assert replace(read_report(tmp_path / "2"), cost=first.cost) == first
    assert (tmp_path / "1" / HTML).read_text().startswith("<!")
    assert first.counts["questions"] == 6
    assert first.causes["right"].count == 1
    assert sum(figure.count for figure in first.causes.values()) == 6
    without = evaluate(answerer, CASES.values())
    assert without.figures == first.figures


def test_every_search_is_by_the_mode_asked_for(answerer):
    """Answers, passages and documents come by one ranking, which the report names."""
    documents = example(7, "harbour", gold(""), task="documents")
    report = evaluate(answerer, [CASES["right"], documents], mode="lexical")
    assert answerer.modes == ["lexical"] * 3
    assert report.settings["retriever"] == "lexical"


@pytest.mark.parametrize("cut", [0, 7], ids=["between records", "within a record"])
def test_a_run_that_was_killed_goes_on(answerer, tmp_path, cut):
    """What is on disk is not asked again, what was cut off is; the report is the same."""
    whole = evaluate(answerer, CASES.values(), out=tmp_path / "whole")
    out = tmp_path / "killed"
    evaluate(answerer, CASES.values(), out=out)
    lines = (out / RECORDS).read_bytes().splitlines(keepends=True)
    (out / RECORDS).write_bytes(b"".join(lines[:3]) + lines[3][:cut])
    (out / REPORT).unlink()
    answerer.asked.clear()
    again = evaluate(answerer, CASES.values(), out=out)
    assert len(answerer.asked) == 3
    assert (out / RECORDS).read_bytes() == b"".join(lines)
    assert again.figures == whole.figures


def test_a_run_with_other_settings_is_not_gone_on_with(answerer, tmp_path):
    """The refusal names what differs."""
    records = run(answerer, CASES.values(), k=10, out=tmp_path, settings={"k": 10, "limit": None})
    next(records)
    records.close()
    with pytest.raises(InvalidRequest, match="k is 10 there and 5 here"):
        list(run(answerer, [], k=5, out=tmp_path, settings={"k": 5, "limit": None}))


def test_a_finished_run_is_not_written_over(answerer, tmp_path):
    evaluate(answerer, CASES.values(), out=tmp_path)
    with pytest.raises(InvalidRequest, match="holds a finished evaluation"):
        evaluate(answerer, CASES.values(), out=tmp_path)


def test_nothing_to_ask_is_an_error(answerer):
    with pytest.raises(InvalidRequest, match="no question"):
        evaluate(answerer, [])


def test_a_damaged_record_is_named(answerer, tmp_path):
    """A line that is no record is refused with its number, and a report by its file."""
    evaluate(answerer, CASES.values(), out=tmp_path)
    lines = (tmp_path / RECORDS).read_bytes().splitlines()
    (tmp_path / RECORDS).write_bytes(b"\n".join([lines[0], b'{"id": 3}', lines[1]]))
    with pytest.raises(BrokenFile, match="line 2"):
        list(read_records(tmp_path))
    report = json.loads((tmp_path / REPORT).read_text())
    (tmp_path / REPORT).write_text(json.dumps(report | {"format": 99}))
    with pytest.raises(BrokenFile, match="format 99"):
        read_report(tmp_path)


def test_memory_does_not_grow_with_the_questions(answerer, tmp_path):
    """Ten thousand questions take less than 1 kB each more than a thousand: numbers, no records.

    Even a record of one passage and one answer takes more.
    """
    answered = answerer.ask("When was the harbour built?", answers=1, k=1, min_confidence=0.0)
    answerer.ask = lambda *_, **__: answered
    answerer.search = lambda *_, **__: answered.found
    year = Gold(text="1850", document=None, start=None, end=None, grade=1)

    def peak(count):
        questions = (
            example(number, "When was the harbour built?", year) for number in range(count)
        )
        builder = TableBuilder()
        tracemalloc.start()
        for record in run(answerer, questions, k=10, out=tmp_path / str(count), settings={}):
            builder.add(record)
        table = builder.table()
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(table) == count
        return highest

    growth = (peak(10_000) - peak(1_000)) / 9_000
    assert growth < 1_000


def test_memory_of_figures_does_not_grow_with_the_questions(answerer):
    """Resamples are made in blocks: of ten times the questions they take no more at a time."""
    asker = Asker(answerer, k=10)
    table = table_of(asker.ask(case) for case in CASES.values())
    measures = [MEASURES["f1"], MEASURES["auroc"]]

    def peak(count):
        rows = table.select(np.arange(count) % len(table))
        tracemalloc.start()
        figures(rows, measures)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    assert peak(10_000) < 1.5 * peak(1_000)
