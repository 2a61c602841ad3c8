"""A corpus of any size: real documents, then copies of them in other words and other places.

What a copy is:
- Each word of three letters or more is swapped with the chance `SWAPPED`, in text, title and
  headings, but for the 150 most frequent ones. What comes in its place is drawn from all such words
  of the real documents, as often as they occur; one in `1 / MADE_UP` is a made-up word instead,
  drawn by Zipf's law from two million, so that the vocabulary grows with the corpus as real ones do
  (Heaps). So document frequencies, lengths and the number of words are like those of a real corpus,
  and no two copies hold the same text; sentences make no sense any more.
- The vector of a passage is the real one plus the difference of two other real ones, scaled to
  `NOISE` of its length, and made a unit vector again: its cosine with the real one is about .8,
  that of two copies .64. The noise lies where real vectors lie; it is not the vector of the new
  words.

What that is good for: time, memory, disk, and recall against exact search of the same vectors. What
it is not: a judgement on how often the right passage is found in so many.
"""

import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

import numpy as np
import numpy.typing as npt

from rag.chunks import Chunk
from rag.documents import Document, document_id
from rag.store import NewDocument, Snapshot

SWAPPED: Final = 0.3
MADE_UP: Final = 0.02
NOISE: Final = 0.75
# Every document has one of so many values of this key of its metadata: a filter for 1%.
PART: Final = "part"
PARTS: Final = 100

_KEPT: Final = 150
_MADE_UP_WORDS: Final = 2_000_000
_LETTERS: Final = "bcdfghjklmnpqrtvwxz"
_WORD: Final = re.compile(r"[^\W\d_]{3,}")

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Real:
    """A real document, and its text as words that may be swapped and what stands between them.

    `pieces` are the text's parts in turn: between words, word, ..., between words. `ends` are the
    words' ends in it. Before `PART` its metadata is the real one.
    """

    new: NewDocument
    pieces: list[str]
    ends: npt.NDArray[np.int64]


class Corpus:
    """The documents of a snapshot and copies of them, in an order and with noise that are fixed."""

    def __init__(self, snapshot: Snapshot, *, seed: int = 1) -> None:
        found = list(_documents(snapshot))
        random.Random(seed).shuffle(found)
        words = Counter(word for new in found for word in _WORD.findall(new.document.text))
        kept = {word for word, _ in words.most_common(_KEPT)}
        self._seed: Final = seed
        self._pattern: Final = re.compile(rf"\b(?!(?:{'|'.join(sorted(kept))})\b)[^\W\d_]{{3,}}\b")
        shares = [(word, number) for word, number in words.items() if word not in kept]
        self._pool: Final = [word for word, number in shares for _ in range(number)]
        self._real: Final = [self._divided(new) for new in found]
        self._rows: Final = np.concatenate([new.vectors for new in found])
        self.documents_in_base: Final = len(found)
        self.chunks_in_base: Final = len(self._rows)

    def documents(self, *, chunks: int) -> Iterator[NewDocument]:
        """Yield documents with so many chunks in all; the last one may be cut short."""
        left = chunks
        for number in count():
            copy, place = divmod(number, len(self._real))
            new = self._copied(self._real[place], number=number, copy=copy)
            if len(new.chunks) >= left:
                yield replace(new, chunks=new.chunks[:left], vectors=new.vectors[:left])
                return
            left -= len(new.chunks)
            yield new

    def sizes(self, *, chunks: int) -> list[int]:
        """Return how many chunks each of these documents has, but for the last one."""
        found, left = [], chunks
        for number in count():
            size = len(self._real[number % len(self._real)].new.chunks)
            if size >= left:
                return found
            left -= size
            found.append(size)
        return found

    def rewritten(self, number: int, *, version: int) -> NewDocument:
        """Return another version of a copy, which takes its place."""
        copy, place = divmod(number, len(self._real))
        return self._copied(self._real[place], number=number, copy=copy, version=version)

    def _divided(self, new: NewDocument) -> Real:
        text, pieces, ends, before = new.document.text, [], [], 0
        for match in self._pattern.finditer(text):
            pieces += [text[before : match.start()], match.group()]
            before = match.end()
            ends.append(before)
        return Real(new=new, pieces=[*pieces, text[before:]], ends=np.array(ends, dtype=np.int64))

    def _copied(self, real: Real, *, number: int, copy: int, version: int = 0) -> NewDocument:
        """Return copy 0, which is the document itself, or another one."""
        document, chunks, vectors = real.new.document, real.new.chunks, real.new.vectors
        metadata = {**document.metadata, PART: str(number % PARTS)}
        if not copy and not version:
            document = replace(document, metadata=metadata)
            return NewDocument(document=document, chunks=chunks, vectors=vectors)
        rng = np.random.default_rng((self._seed, number, version))
        text, moved = self._rewritten(real, rng)
        headings: dict[str, str] = {}

        def heading(old: str) -> str:
            if old not in headings:
                headings[old] = self._pattern.sub(
                    lambda match: self._word(rng) if rng.random() < SWAPPED else match.group(), old
                )
            return headings[old]

        uri = f"{document.uri}#{copy}" if copy else document.uri
        document = replace(
            document,
            id=document_id(uri),
            uri=uri,
            title=heading(document.title),
            text=text,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            sections=tuple(
                replace(
                    section,
                    start=moved(section.start),
                    end=moved(section.end),
                    path=tuple(map(heading, section.path)),
                )
                for section in document.sections
            ),
            pages=tuple(
                replace(page, start=moved(page.start), end=moved(page.end))
                for page in document.pages
            ),
            metadata=metadata,
        )
        return NewDocument(
            document=document,
            chunks=[_moved_chunk(chunk, document, moved, heading) for chunk in chunks],
            vectors=self._disturbed(vectors, rng),
        )

    def _rewritten(self, real: Real, rng: np.random.Generator) -> tuple[str, Callable[[int], int]]:
        """Return the text with words swapped, and what tells where a place of it is now."""
        pieces = real.pieces.copy()
        grown = np.zeros(len(real.ends) + 1, dtype=np.int64)
        for word in np.flatnonzero(rng.random(len(real.ends)) < SWAPPED).tolist():
            swapped = self._word(rng)
            grown[word + 1] = len(swapped) - len(pieces[2 * word + 1])
            pieces[2 * word + 1] = swapped
        grown = grown.cumsum()

        def moved(place: int) -> int:
            before = int(np.searchsorted(real.ends, place, side="right"))
            if before < len(real.ends):
                # Who points into a word points behind it, where both have their ends.
                start = int(real.ends[before]) - len(real.pieces[2 * before + 1])
                if place > start:
                    return int(real.ends[before] + grown[before + 1])
            return place + int(grown[before])

        return "".join(pieces), moved

    def _word(self, rng: np.random.Generator) -> str:
        if rng.random() >= MADE_UP:
            return self._pool[int(rng.integers(len(self._pool)))]
        rest, word = int(_MADE_UP_WORDS ** rng.random()) + len(_LETTERS), ""
        while rest:
            rest, letter = divmod(rest, len(_LETTERS))
            word += _LETTERS[letter] + "aeiou"[letter % 5]
        return word

    def _disturbed(self, vectors: Rows, rng: np.random.Generator) -> Rows:
        one, other = rng.integers(len(self._rows), size=(2, len(vectors)))
        noise = self._rows[one] - self._rows[other]
        lengths = np.linalg.norm(noise, axis=1, keepdims=True)
        rows = vectors + NOISE * noise / np.maximum(lengths, np.float32(1e-6))
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _documents(snapshot: Snapshot) -> Iterator[NewDocument]:
    """Yield all documents with their chunks and vectors."""
    vectors: dict[str, list[Rows]] = {}
    for chunks, rows in snapshot.added_since(0):
        for chunk, row in zip(chunks, rows, strict=True):
            vectors.setdefault(chunk.document, []).append(row)
    total, _ = snapshot.count()
    for summary in snapshot.summaries(limit=total):
        ids = snapshot.chunk_ids([summary.id]).tolist()
        yield NewDocument(
            document=snapshot.document(summary.id),
            chunks=snapshot.chunks(ids),
            vectors=np.stack(vectors[summary.id]),
        )


def _moved_chunk(
    chunk: Chunk,
    document: Document,
    moved: Callable[[int], int],
    heading: Callable[[str], str],
) -> Chunk:
    start, end = moved(chunk.start), moved(chunk.end)
    return replace(
        chunk,
        document=document.id,
        start=start,
        end=end,
        text=document.text[start:end],
        section=tuple(map(heading, chunk.section)),
    )
