"""Labels: what people say of answers, one JSON object a line, kept for evaluation and training."""

import hashlib
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec

from rag.documents import Document
from rag.durable import sync
from rag.errors import BrokenFile, StoreError, TooLarge
from rag.store import Snapshot

Verdict = Literal["right", "wrong", "should_abstain", "span"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A span of a document, as half-open code point offsets."""

    document: Document
    start: int
    end: int

    @property
    def text(self) -> str:
        """What the document says there."""
        return self.document.text[self.start : self.end]


class Gold(msgspec.Struct, frozen=True, kw_only=True):
    """A right answer: the context's text from character `start` on."""

    text: str
    start: int


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a context stands: in the document at `uri` from character `start` on.

    `version` is `sha256:` and the digest of the source's bytes.
    """

    uri: str
    version: str
    start: int


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A question with what is known of its right answers, as training and evaluation read it.

    `answers` is empty where the documents do not say, and None where nobody knows the right answer
    (the one given was wrong). `context` is the passage that `answers` count in, or that misled the
    reader; None where no passage was shown. `given` is the answer that was judged, None where the
    service abstained; `collection` and `generation` name the index it came from. `source` tells how
    the label was made, `time` when (ISO 8601). `id` depends on all but the time.
    """

    id: str
    question: str
    verdict: Verdict
    source: Literal["label", "feedback"]
    title: str
    context: str | None
    answers: tuple[Gold, ...] | None
    document: Origin | None
    given: str | None
    collection: str
    generation: int
    time: str


def make_label(
    question: str,
    *,
    verdict: Verdict,
    source: Literal["label", "feedback"],
    given: Place | None,
    span: Place | None,
    snapshot: Snapshot,
    collection: str,
    generation: int,
) -> Label:
    """Return the label of a verdict on the answer `given`, or on an abstention (None).

    `span` is the right answer, for the verdict "span" only. "right" of an abstention says that the
    documents do not answer the question.
    """
    shown = span or given
    right = span or (given if verdict == "right" else None)
    start, end = (0, 0) if shown is None else _passage(snapshot, shown)
    known = verdict != "wrong"
    golds = () if right is None else (Gold(text=right.text, start=right.start - start),)
    label = Label(
        id="",
        question=question,
        verdict=verdict,
        source=source,
        title="" if shown is None else shown.document.title,
        context=None if shown is None else shown.document.text[start:end],
        answers=golds if known else None,
        document=None
        if shown is None
        else Origin(uri=shown.document.uri, version=f"sha256:{shown.document.sha256}", start=start),
        given=None if given is None else given.text,
        collection=collection,
        generation=generation,
        time="",
    )
    return msgspec.structs.replace(
        label,
        id=hashlib.sha256(msgspec.json.encode(label)).hexdigest()[:16],
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _passage(snapshot: Snapshot, place: Place) -> tuple[int, int]:
    """Return the offsets of the chunk around a place, or from the first to the last it touches."""
    chunks = snapshot.chunks(snapshot.chunk_ids([place.document.id]).tolist())
    touched = [c for c in chunks if c.start < place.end and place.start < c.end]
    whole = [c for c in touched if c.start <= place.start and place.end <= c.end]
    # Chunks overlap: the one with most text around the place shows it as a search would.
    if whole:
        best = max(whole, key=lambda c: min(place.start - c.start, c.end - place.end))
        return best.start, best.end
    ends = [place.start, place.end]
    return min([c.start for c in touched] + ends), max([c.end for c in touched] + ends)


class LabelFile:
    """An append-only file of labels; safe to use from several threads of one process.

    A label that `append` has returned for is on disk. It takes no label twice.
    """

    def __init__(self, path: Path, *, limit: int | None = None) -> None:
        """Take up the file at `path`, made when the first label comes, of `limit` bytes at most."""
        self.path: Final = path
        self._limit: Final = limit
        self._lock: Final = threading.Lock()
        self._ids: set[str] | None = None

    def append(self, label: Label) -> bool:
        """Write a label, and tell whether it is new.

        Raises TooLarge where the file is full and StoreError where it cannot be read or written.
        """
        line = msgspec.json.encode(label) + b"\n"
        with self._lock:
            try:
                return self._append(label.id, line)
            except OSError as error:
                raise StoreError(
                    f"{self.path} cannot be written: {error.strerror}. Check the directory's "
                    "permissions and free space."
                ) from error
            except BrokenFile as error:
                raise StoreError(str(error)) from error

    def _append(self, id_: str, line: bytes) -> bool:
        new = not self.path.exists()
        if self._ids is None or new:  # a full file may have been moved away
            self._ids = {label.id for label in read_labels(self.path)}
        if id_ in self._ids:
            return False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            end = self._whole_lines(file.tell())
            if self._limit is not None and end + len(line) > self._limit:
                raise TooLarge(
                    f"{self.path} is full: it may hold {self._limit:,} bytes. Move it away, or "
                    "raise RAG_FEEDBACK_BYTES."
                )
            file.truncate(end)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync(self.path.parent)
        self._ids.add(id_)
        return True

    def _whole_lines(self, size: int) -> int:
        """Return the size up to the last line end: a label cut off by a crash is none."""
        with self.path.open("rb") as file:
            end = size
            while end:
                start = max(0, end - 65_536)
                file.seek(start)
                found = file.read(end - start).rfind(b"\n")
                if found >= 0:
                    return start + found + 1
                end = start
        return 0


def read_labels(path: Path) -> list[Label]:
    """Return the labels of a file, none where there is no file; a last line without end is none.

    Raises BrokenFile, naming the line, for anything else than labels.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    labels = []
    for number, line in enumerate(lines, start=1):
        try:
            labels.append(msgspec.json.decode(line, type=Label))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BrokenFile(
                f"{path}, line {number} is no label ({error}). Mend it, or move the file away."
            ) from error
    return labels
