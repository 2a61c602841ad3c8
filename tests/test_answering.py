"""The way of a question, end to end over a real store with stand-ins for the models."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from rag.answering import Answered, Answerer, Bounds
from rag.chunks import Chunk
from rag.errors import InvalidRequest
from rag.reading.calibration import FEATURES, Calibration
from rag.reading.reader import Reader, Span
from rag.reading.sentence import SentenceReader
from rag.retrieval.held import HeldRankings
from rag.retrieval.lexical import LexicalIndex
from rag.retrieval.retriever import Mode, Retriever
from rag.store import Filters, SqliteStore, Store
from tests.fakes import DIM, FakeEmbedder, make_document, ready
from vectors import ExactIndex

# Confidence is the logistic of score - 5: a score of 5 is as likely right as wrong.
CALIBRATION = Calibration(
    weights=(10.0,) + (0.0,) * (len(FEATURES) - 1), bias=-5.0, min_confidence=0.25
)
QUESTION = "Who leads the council?"
TEXT = "The council was founded in 1949. It is led by a secretary.\nCats chase mice."


class SilentReader:
    """Sees no candidate anywhere, and remembers what it was given."""

    name = "silent"
    calibration = CALIBRATION

    def __init__(self) -> None:
        self.given: list[list[str]] = []

    def read(self, question: str, chunks: Sequence[Chunk]) -> list[Span]:
        """Return nothing."""
        assert question
        self.given.append([chunk.text for chunk in chunks])
        return []


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = SqliteStore(tmp_path, fingerprint="f")
    yield opened
    opened.close()


def make_answerer(
    store: Store, *, reader: Reader | None = None, min_confidence: float | None = None
) -> Answerer:
    embedder = FakeEmbedder()
    return Answerer(
        store,
        retriever=Retriever(
            embedder=embedder,
            rankings=HeldRankings(vectors=lambda: ExactIndex(DIM), lexical=LexicalIndex),
        ),
        reader=reader or SentenceReader(embedder, calibration=CALIBRATION),
        min_confidence=min_confidence,
    )


@pytest.mark.parametrize(
    "question",
    [
        pytest.param("", id="empty"),
        pytest.param(" \n\t\u2003", id="white-space"),
        pytest.param("a" * 2001, id="one-too-many"),
        pytest.param("why " * 25_000, id="100-kB"),
        pytest.param("Who\0?", id="nul"),
        pytest.param("Who \ud83d?", id="half-a-pair"),
        pytest.param("\udfffWho", id="other-half"),
    ],
)
def test_invalid_questions_are_refused(store: Store, question: str) -> None:
    """Both ways to ask refuse them, pointing at the question."""
    answerer = make_answerer(store)
    for ask in (answerer.ask, answerer.search):
        with pytest.raises(InvalidRequest) as caught:
            ask(question)
        assert caught.value.pointer == "/question"


@pytest.mark.parametrize("question", ["?", "a" * 2000, "𝒜🐙 שלום", "cat AND (dog", "the"])
def test_unusual_questions_are_answered_or_abstained_from(store: Store, question: str) -> None:
    """Whatever is text, up to the very limit, has an outcome."""
    store.put(ready(make_document(TEXT)))
    answered = make_answerer(store).ask(question)
    assert answered.found.question == question
    assert bool(answered.answers) != (answered.abstention is not None)


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        ({"k": 0}, "/k"),
        ({"k": -1}, "/k"),
        ({"k": 101}, "/k"),
        ({"k": 10**9}, "/k"),
        ({"answers": 0}, "/answers"),
        ({"answers": 21}, "/answers"),
        ({"min_confidence": -0.01}, "/min_confidence"),
        ({"min_confidence": 1.01}, "/min_confidence"),
        ({"min_confidence": float("nan")}, "/min_confidence"),
    ],
)
def test_arguments_out_of_bounds_are_refused(
    store: Store, arguments: dict[str, Any], pointer: str
) -> None:
    """Each is refused by the name of its field."""
    with pytest.raises(InvalidRequest) as caught:
        make_answerer(store).ask(QUESTION, **arguments)
    assert caught.value.pointer == pointer
    if pointer == "/k":
        with pytest.raises(InvalidRequest):
            make_answerer(store).search(QUESTION, **arguments)


def test_arguments_at_their_bounds_are_taken(store: Store) -> None:
    """The bounds themselves are allowed; `k` bounds the passages, `answers` the answers."""
    lines = [f"Fact {n} about topic number {n}." for n in range(30)]
    store.put(ready(make_document("\n".join(lines))))
    answerer = make_answerer(store)
    for k, answers in ((1, 1), (100, 20), (7, 2)):
        answered = answerer.ask(
            "Which fact is about topic number 5?", k=k, answers=answers, min_confidence=0.0
        )
        assert len(answered.found.hits) == min(k, 30)
        assert len(answered.answers) == min(answers, k)
    answerer.ask(QUESTION, min_confidence=1.0)


def test_an_answer_names_its_place_its_reader_and_its_generation(store: Store) -> None:
    """The best sentence is the answer; quote, document and generation are the stored ones."""
    document = make_document(TEXT)
    store.put(ready(make_document("Other things.", uri="file:b")))
    generation = store.put(ready(document))
    answered = make_answerer(store).ask(QUESTION)
    assert answered.found.generation == generation == 2
    assert answered.reader == "sentence-1"
    assert answered.abstention is None
    best = answered.answers[0]
    assert best.text == "The council was founded in 1949."
    (citation,) = best.citations
    assert citation.document == document
    assert document.text[citation.start : citation.end] == citation.quote == best.text
    assert [a.confidence for a in answered.answers] == sorted(
        (a.confidence for a in answered.answers), reverse=True
    )
    assert set(answered.found.timings_ms) == {"retrieve", "read", "answer"}


def test_the_reader_is_given_the_passages_best_first(store: Store) -> None:
    """What is read is exactly what was found, in its order."""
    store.put(ready(make_document(TEXT)))
    reader = SilentReader()
    answered = make_answerer(store, reader=reader).ask(QUESTION, k=2)
    assert reader.given == [[hit.chunk.text for hit in answered.found.hits]]
    assert reader.given[0] == TEXT.splitlines()


def reason(answered: Answered) -> str:
    assert answered.answers == ()
    assert answered.abstention is not None
    assert answered.abstention.message.endswith(".")
    return answered.abstention.reason


def test_each_reason_to_abstain(store: Store) -> None:
    """No documents, none that meet the filters, no candidate, none that is likely enough."""
    assert reason(make_answerer(store).ask(QUESTION)) == "empty_index"
    store.put(ready(make_document(TEXT)))
    answerer = make_answerer(store)
    nobody = Filters(metadata=(("author", "nobody"),))
    filtered = answerer.ask(QUESTION, filters=nobody)
    assert reason(filtered) == "no_passage"
    assert "meet the filters" in filtered.abstention.message  # type: ignore[union-attr]
    assert reason(make_answerer(store, reader=SilentReader()).ask(QUESTION)) == "no_span"
    best = answerer.ask(QUESTION).answers[0].confidence
    doubtful = answerer.ask(QUESTION, min_confidence=(best + 1) / 2)
    assert reason(doubtful) == "low_confidence"
    assert f"{best:.0%}" in doubtful.abstention.message  # type: ignore[union-attr]


def test_an_emptied_store_is_empty_again(store: Store) -> None:
    """When the last document is deleted, the reason is that there are none, filters or not."""
    document = make_document(TEXT)
    store.put(ready(document))
    answerer = make_answerer(store)
    assert answerer.ask(QUESTION).answers
    store.delete(document.id)
    assert reason(answerer.ask(QUESTION)) == "empty_index"
    assert reason(answerer.ask(QUESTION, filters=Filters(documents=("x",)))) == "empty_index"


def test_the_threshold_is_the_readers_unless_one_is_set(store: Store) -> None:
    """A request's threshold goes before the service's, and that before the reader's own."""
    store.put(ready(make_document(TEXT)))
    confidences = [
        answer.confidence
        for answer in make_answerer(store).ask(QUESTION, min_confidence=0.0).answers
    ]
    assert len(confidences) == 3
    assert confidences[0] > confidences[1] > confidences[2]
    between = (confidences[0] + confidences[1]) / 2
    reader = SentenceReader(
        FakeEmbedder(), calibration=replace(CALIBRATION, min_confidence=between)
    )
    assert len(make_answerer(store, reader=reader).ask(QUESTION).answers) == 1
    lower = make_answerer(store, reader=reader, min_confidence=0.0)
    assert len(lower.ask(QUESTION).answers) == 3
    assert len(lower.ask(QUESTION, min_confidence=between).answers) == 1


def test_filters_decide_what_is_searched_and_asked(store: Store) -> None:
    """With a filter on documents all hits and citations are of those."""
    documents = [make_document(TEXT, uri=f"file:{n}") for n in range(4)]
    store.put(ready(*documents))
    only = Filters(documents=(documents[2].id,))
    answered = make_answerer(store).ask(QUESTION, filters=only)
    assert set(answered.found.documents) == {documents[2].id}
    assert [c.document for a in answered.answers for c in a.citations] == [
        documents[2] for _ in answered.answers
    ]


def test_the_mode_decides_what_is_read(store: Store) -> None:
    """By words alone a passage that shares none with the question is not read."""
    store.put(ready(make_document(TEXT, uri="file:a"), make_document("Dogs bark.", uri="file:b")))
    read = {}
    for mode in get_args(Mode):
        reader = SilentReader()
        make_answerer(store, reader=reader).ask("Cats?", mode=mode)
        read[mode] = {text for given in reader.given for text in given}
    assert read["lexical"] == {"Cats chase mice."}
    assert read["dense"] == read["hybrid"] > {"Cats chase mice.", "Dogs bark."}


def test_the_same_answer_of_several_documents_is_one_with_all_citations(store: Store) -> None:
    """A sentence that three documents share is one answer that cites the three."""
    documents = [make_document(TEXT, uri=f"file:{n}", title=f"Copy {n}") for n in range(3)]
    store.put(ready(*documents))
    best = make_answerer(store).ask(QUESTION).answers[0]
    assert {c.document.title for c in best.citations} == {"Copy 0", "Copy 1", "Copy 2"}


def test_warming_up_runs_the_models_also_over_an_empty_store(store: Store) -> None:
    """The reader reads something even where nothing is stored, and the index is caught up."""
    reader = SilentReader()
    make_answerer(store, reader=reader).warm_up()
    assert [len(texts) for texts in reader.given] == [1]
    store.put(ready(make_document(TEXT)))
    make_answerer(store, reader=reader).warm_up()
    assert reader.given[1][0] in TEXT


def test_the_same_question_has_the_same_outcome(store: Store) -> None:
    """Asked again, and by an answerer made anew, the outcome is equal but for the timings."""
    store.put(ready(*(make_document(TEXT, uri=f"file:{n}") for n in range(5))))
    first = make_answerer(store)
    outcomes = [first.ask(QUESTION), first.ask(QUESTION), make_answerer(store).ask(QUESTION)]
    plain = [replace(o, found=replace(o.found, timings_ms={})) for o in outcomes]
    assert plain[0] == plain[1] == plain[2]


class Library:
    """Puts and deletes documents, and keeps what each generation of the store has of them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.present: dict[str, str] = {}
        self.generations: dict[int, dict[str, str]] = {}

    def put(self, uri: str, version: int) -> None:
        """Store a document whose text tells its version and is of another shape in each."""
        lines = [f"The council of {uri} is led by person {version}.", "Cats chase mice."]
        text = "padding " * (version % 5) + "\n".join(lines[: 1 + version % 2])
        document = make_document(text, uri=uri)
        self.present[document.id] = text
        self.generations[self.store.put(ready(document))] = dict(self.present)

    def delete(self, id_: str) -> None:
        """Delete a document."""
        del self.present[id_]
        self.generations[self.store.delete(id_)] = dict(self.present)

    def change_at_random(self, *, changes: int, after_each: Callable[[], None]) -> None:
        """Add, replace and delete documents under six uris."""
        rng = random.Random(2)
        for version in range(1, changes + 1):
            uri = f"file:{rng.randint(0, 5)}"
            id_ = make_document("", uri=uri).id
            if id_ in self.present and rng.random() < 0.3:
                self.delete(id_)
            else:
                self.put(uri, version)
            after_each()


def assert_of_one_generation(outcome: Answered, texts: dict[str, str]) -> None:
    """Check that all an outcome says stands in the documents that its generation has."""
    assert outcome.answers
    assert {d.id: d.text for d in outcome.found.documents.values()}.items() <= texts.items()
    for hit in outcome.found.hits:
        chunk = hit.chunk
        assert texts[chunk.document][chunk.start : chunk.end] == chunk.text
    for citation in (c for answer in outcome.answers for c in answer.citations):
        text = texts[citation.document.id]
        assert text[citation.start : citation.end] == citation.quote
        whole = citation.before + citation.quote + citation.after
        start = citation.start - len(citation.before)
        assert text[start : start + len(whole)] == whole


def test_many_ask_while_documents_come_and_go(store: Store) -> None:
    """Eight threads ask while another writes: each outcome is of the generation that it names.

    No call fails, and each citation's quote stands at its offsets in the version of the document
    that this generation has.
    """
    library = Library(store)
    for n in range(4):
        library.put(f"file:{n}", 0)
    answerer = make_answerer(store)
    outcomes: list[Answered] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        try:
            while not done.is_set():
                outcomes.append(answerer.ask(QUESTION, min_confidence=0.0))
        except BaseException as error:  # noqa: BLE001  (shown by the assertion below)
            errors.append(error)

    def let_them_ask() -> None:
        before, until = len(outcomes), time.monotonic() + 5.0
        while len(outcomes) == before and not errors and time.monotonic() < until:
            time.sleep(0.001)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    library.change_at_random(changes=30, after_each=let_them_ask)
    done.set()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    assert errors == []
    assert len({outcome.found.generation for outcome in outcomes}) > 3
    for outcome in outcomes:
        assert_of_one_generation(outcome, library.generations[outcome.found.generation])


@pytest.mark.parametrize(
    ("question", "more", "pointer", "message"),
    [
        ("x" * 31, {}, "/question", "31 characters; at most 30"),
        ("Who?", {"k": 4}, "/k", "k must be from 1 to 3, not 4"),
        ("Who?", {"k": 3, "answers": 3}, "/answers", "answers must be from 1 to 2, not 3"),
    ],
)
def test_bounds_can_be_lowered(
    store: Store, question: str, more: dict[str, int], pointer: str, message: str
) -> None:
    """What is beyond them is refused by its place; what is just inside is answered."""
    whole = make_answerer(store)
    answerer = Answerer(
        store,
        retriever=whole._retriever,
        reader=whole.reader,
        bounds=Bounds(question=30, k=3, answers=2),
    )
    with pytest.raises(InvalidRequest, match=message) as caught:
        answerer.ask(question, **{"k": 3, "answers": 2} | more)
    assert caught.value.pointer == pointer
    assert answerer.ask("x" * 30, k=3, answers=2).abstention is not None
