"""Windows: a question and a stretch of a passage, as the token ids a reader's encoder takes.

The only place where tokens are mapped to characters: training, evaluation and the runtime reader
all cut their windows here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from rag.errors import ModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSize:
    """How questions and passages are cut, in tokens.

    `tokens` counts everything including the special tokens; of a longer passage, neighbouring
    windows share `overlap` tokens. A question is cut after `question` tokens.
    """

    tokens: int = 384
    overlap: int = 128
    question: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One input of the encoder: `[CLS] question [SEP] passage [SEP]` or what its model has for it.

    `ids` and `types` (0 before the passage, from it on what the model has for a second text) have
    one entry a token. Position 0 stands for "no answer". The passage's tokens are `first:last`, and
    `offsets[i]` are the half-open character offsets in the passage of token `first + i`.
    """

    ids: npt.NDArray[np.int64]
    types: npt.NDArray[np.int64]
    first: int
    last: int
    offsets: npt.NDArray[np.int64]

    def characters(self, start: int, end: int) -> tuple[int, int]:
        """Return the half-open character range of the tokens `start` to `end`, both inclusive."""
        return int(self.offsets[start - self.first, 0]), int(self.offsets[end - self.first, 1])

    def tokens(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the first and last token (inclusive) that cover a character range.

        None if the range is empty or does not lie wholly in this window.
        """
        touching = (self.offsets[:, 1] > start) & (self.offsets[:, 0] < end)
        found = np.flatnonzero(touching)
        if not len(found):
            return None
        first, last = int(found[0]), int(found[-1])
        starts_here = first > 0 or int(self.offsets[0, 0]) <= start
        ends_here = last < len(self.offsets) - 1 or int(self.offsets[-1, 1]) >= end
        if not (starts_here and ends_here):
            return None
        return self.first + first, self.first + last


class WindowCutter:
    """Cuts questions and passages into windows. Not thread-safe: give each thread its own."""

    def __init__(self, tokenizer: Path, size: WindowSize) -> None:
        """Read a `tokenizer.json` that knows how its model takes a question and a passage."""
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._template = _template(self._tokenizer)
        self.size = size

    def cut(self, question: str, passages: Sequence[str]) -> list[list[Window]]:
        """Return the windows of each passage, in order; none for a passage without any token."""
        asked = self._tokenizer.encode(question, add_special_tokens=False).ids
        before, between, after = self._template.special
        head = [*before, *asked[: self.size.question], *between]
        room = self.size.tokens - len(head) - len(after)
        stride = room - min(self.size.overlap, room // 2)
        result = []
        for encoding in self._tokenizer.encode_batch(list(passages), add_special_tokens=False):
            windows = []
            ids, offsets = encoding.ids, encoding.offsets
            for begin in range(0, max(len(ids) - room, 0) + stride, stride):
                part = ids[begin : begin + room]
                if part:
                    windows.append(self._window(head, part, offsets[begin : begin + room]))
                if begin + room >= len(ids):
                    break
            result.append(windows)
        return result

    def _window(self, head: list[int], part: list[int], offsets: list[tuple[int, int]]) -> Window:
        ids = np.array([*head, *part, *self._template.special[2]], dtype=np.int64)
        types = np.zeros(len(ids), dtype=np.int64)
        types[len(head) :] = self._template.passage_type
        return Window(
            ids=ids,
            types=types,
            first=len(head),
            last=len(head) + len(part),
            offsets=np.array(offsets, dtype=np.int64).reshape(-1, 2),
        )


class _Template(NamedTuple):
    """The special tokens before, between and after the two texts, and the second one's type."""

    special: tuple[list[int], list[int], list[int]]
    passage_type: int


def _template(tokenizer: Tokenizer) -> _Template:
    """Learn from an example how a model takes two texts."""
    encoding = tokenizer.encode("a", "a")
    special: tuple[list[int], list[int], list[int]] = ([], [], [])
    place = 0
    for id_, sequence in zip(encoding.ids, encoding.sequence_ids, strict=True):
        if sequence is None:
            special[place].append(id_)
        else:
            place = sequence + 1
    types = [
        type_
        for type_, sequence in zip(encoding.type_ids, encoding.sequence_ids, strict=True)
        if sequence == 1
    ]
    if place != 2 or not all(special):
        raise ModelError(
            "The tokenizer does not put special tokens before, between and after a question and a "
            "passage: it is not one of a model that reads."
        )
    return _Template(special, types[0])
