"""Labels: what is said of an answer becomes a line that training and evaluation read."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from rag.documents import Document
from rag.errors import BrokenFile, StoreError, TooLarge
from rag.labels import Label, LabelFile, Place, Verdict, make_label, read_labels
from rag.store import Snapshot, SqliteStore
from rag.training.data import read_examples
from tests.fakes import make_document, ready

TEXT = "The mill stands by the river.\nIt was built in 1911\u2028 by Ada.\nIt burnt down in 1950.\n"
QUESTION = "When was the mill built?"


@pytest.fixture
def document() -> Document:
    return make_document(TEXT, uri="file:mill.txt", title="The mill")


@pytest.fixture
def snapshot(document: Document, tmp_path: Path) -> Iterator[Snapshot]:
    """A store in which every line of the document is a chunk."""
    store = SqliteStore(tmp_path / "store", fingerprint="none")
    store.put(ready(document))
    with store.snapshot() as held:
        yield held
    store.close()


def place(document: Document, text: str) -> Place:
    start = TEXT.index(text)
    return Place(document=document, start=start, end=start + len(text))


def label(
    snapshot: Snapshot,
    verdict: Verdict,
    *,
    given: Place | None = None,
    span: Place | None = None,
    question: str = QUESTION,
) -> Label:
    return make_label(
        question,
        verdict=verdict,
        source="feedback",
        given=given,
        span=span,
        snapshot=snapshot,
        collection="default",
        generation=1,
    )


def test_a_right_answer_is_its_passage_and_place(snapshot: Snapshot, document: Document) -> None:
    """The context is the chunk; the answer counts in it, and with its start in the document."""
    made = label(snapshot, "right", given=place(document, "1911"))
    assert made.context == "It was built in 1911\u2028 by Ada."
    (gold,) = made.answers or ()
    assert (gold.text, gold.start) == ("1911", 16)
    assert made.document is not None
    assert made.document.uri == "file:mill.txt"
    assert made.document.version == f"sha256:{document.sha256}"
    assert TEXT[made.document.start + gold.start :].startswith("1911")
    assert (made.title, made.given, made.generation) == ("The mill", "1911", 1)


def test_a_right_span_elsewhere_goes_before_the_answer(
    snapshot: Snapshot, document: Document
) -> None:
    """The context is the span's; what was given is kept."""
    made = label(snapshot, "span", given=place(document, "1950"), span=place(document, "in 1911"))
    assert made.context == "It was built in 1911\u2028 by Ada."
    assert [(gold.text, gold.start) for gold in made.answers or ()] == [("in 1911", 13)]
    assert made.given == "1950"


def test_a_span_over_several_chunks_has_them_all_as_context(
    snapshot: Snapshot, document: Document
) -> None:
    """From the first one's start to the last one's end."""
    made = label(snapshot, "span", span=place(document, "Ada.\nIt burnt"))
    assert made.context == "It was built in 1911\u2028 by Ada.\nIt burnt down in 1950."


def test_what_is_known_is_told_from_what_is_not(snapshot: Snapshot, document: Document) -> None:
    """Unanswerable is no answer; a wrong one leaves open what the right one is."""
    given = place(document, "1950")
    assert label(snapshot, "should_abstain", given=given).answers == ()
    assert label(snapshot, "wrong", given=given).answers is None
    assert label(snapshot, "wrong", given=given).context == "It burnt down in 1950."
    right = label(snapshot, "right")
    assert (right.answers, right.context, right.document, right.given) == ((), None, None, None)
    assert label(snapshot, "wrong").answers is None


def test_training_reads_what_can_be_learnt_from(
    snapshot: Snapshot, document: Document, tmp_path: Path
) -> None:
    """Answers and unanswerable questions on a passage; nothing of unknown answers or passages."""
    file = LabelFile(tmp_path / "labels.jsonl")
    given = place(document, "1950")
    for made in (
        label(snapshot, "right", given=place(document, "1911")),
        label(snapshot, "wrong", given=given, question="Who?"),
        label(snapshot, "should_abstain", given=given, question="Why?"),
        label(snapshot, "right", question="Where?"),
    ):
        assert file.append(made)
    first, second = read_examples([file.path])
    assert (first.question, first.title, first.source) == (QUESTION, "The mill", "feedback")
    assert [(gold.text, gold.start) for gold in first.answers] == [("1911", 16)]
    assert (second.question, second.answers) == ("Why?", ())
    assert second.context == "It burnt down in 1950."


def test_the_same_is_taken_once(snapshot: Snapshot, document: Document, tmp_path: Path) -> None:
    """Whenever it is said, also by a file opened again; another verdict is another label."""
    path = tmp_path / "new" / "labels.jsonl"
    given = place(document, "1911")
    file = LabelFile(path)
    made = label(snapshot, "right", given=given)
    assert file.append(made)
    assert not file.append(replace_time(made))
    assert not LabelFile(path).append(label(snapshot, "right", given=given))
    assert LabelFile(path).append(label(snapshot, "wrong", given=given))
    assert [known.verdict for known in read_labels(path)] == ["right", "wrong"]


def replace_time(made: Label) -> Label:
    return msgspec.structs.replace(made, time="2001-01-01T00:00:00+00:00")


def test_a_line_cut_off_by_a_crash_is_dropped(snapshot: Snapshot, tmp_path: Path) -> None:
    """What was acknowledged stays; the next label begins a line of its own."""
    path = tmp_path / "labels.jsonl"
    first, second = label(snapshot, "right"), label(snapshot, "wrong")
    LabelFile(path).append(first)
    with path.open("ab") as file:
        file.write(b'{"id": "half a lab')
    assert read_labels(path) == [first]
    assert LabelFile(path).append(second)
    assert read_labels(path) == [first, second]
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_full_file_takes_no_more(snapshot: Snapshot, tmp_path: Path) -> None:
    """It is refused with what to do, and the file is as it was."""
    path = tmp_path / "labels.jsonl"
    first = label(snapshot, "right")
    size = len(msgspec.json.encode(first)) + 1
    file = LabelFile(path, limit=size)
    assert file.append(first)
    with pytest.raises(TooLarge, match="RAG_FEEDBACK_BYTES"):
        file.append(label(snapshot, "wrong"))
    assert path.stat().st_size == size
    path.rename(tmp_path / "old.jsonl")
    assert file.append(first)
    assert read_labels(path) == [first]


def test_what_is_no_label_is_named(snapshot: Snapshot, tmp_path: Path) -> None:
    """By file and line; a service does not write behind it."""
    path = tmp_path / "labels.jsonl"
    path.write_text('{"id": 5}\n')
    with pytest.raises(BrokenFile, match="line 1 is no label"):
        read_labels(path)
    with pytest.raises(StoreError, match="line 1 is no label"):
        LabelFile(path).append(label(snapshot, "right"))
    assert path.read_text() == '{"id": 5}\n'


def test_a_directory_in_the_way_is_one_clear_error(snapshot: Snapshot, tmp_path: Path) -> None:
    """The operating system's reason, and what to do."""
    with pytest.raises(StoreError, match="cannot be written: Is a directory"):
        LabelFile(tmp_path).append(label(snapshot, "right"))


def test_every_label_is_on_disk_when_it_is_acknowledged(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is synced after its line, the directory after the file was made."""
    path = tmp_path / "labels.jsonl"
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", lambda _: synced.append(path.stat().st_size))
    file = LabelFile(path)
    file.append(label(snapshot, "right"))
    size = path.stat().st_size
    file.append(label(snapshot, "wrong"))
    assert synced == [size, size, path.stat().st_size]
