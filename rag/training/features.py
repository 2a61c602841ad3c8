"""Features: examples as windows with their targets, in batches of about equal cost."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from rag.reading.windows import Window, WindowCutter
from rag.training.data import Example


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A window and its answer's first and last token; both 0 where it has no answer."""

    window: Window
    start: int
    end: int


Unit = tuple[Target, ...]
"""The windows of one question, learnt from together: at most one of them has the answer."""


class Batch(NamedTuple):
    """Padded windows as (batch, tokens) tensors; `units` names the rows of each question."""

    ids: Tensor
    types: Tensor
    mask: Tensor
    starts: Tensor
    ends: Tensor
    units: list[list[int]]

    @property
    def tokens(self) -> int:
        """How many tokens the network sees, padding included."""
        return self.ids.numel()


def targets(example: Example, cutter: WindowCutter) -> list[Target]:
    """Return the windows of an example, the ones with its first answer before the others."""
    (windows,) = cutter.cut(example.question, [example.context])
    found = []
    for window in windows:
        place = None
        if example.answers:
            place = window.tokens(example.answers[0].start, example.answers[0].end)
        start, end = place or (0, 0)
        found.append(Target(window=window, start=start, end=end))
    return sorted(found, key=lambda target: target.start == 0)


def unit(
    example: Example, others: Iterable[str], cutter: WindowCutter, rng: random.Random
) -> Unit | None:
    """Return what is learnt from one question: a window of it, and one of each other passage.

    `others` are passages that do not answer the question. None if the passage has no token, or no
    window holds the whole answer.
    """
    own = targets(example, cutter)
    if not own or (example.answers and own[0].start == 0):
        return None
    first = own[0] if example.answers else rng.choice(own)
    rest = [
        Target(window=rng.choice(windows), start=0, end=0)
        for windows in cutter.cut(example.question, list(others))
        if windows
    ]
    return (first, *rest)


def batches(units: Sequence[Unit], tokens: int, rng: random.Random) -> list[list[Unit]]:
    """Group units into batches of about `tokens` tokens and similar lengths, in random order."""
    shuffled = list(units)
    rng.shuffle(shuffled)
    grouped: list[list[Unit]] = []
    pool = 2048
    for at in range(0, len(shuffled), pool):
        waiting: list[Unit] = []
        rows = 0
        for item in sorted(shuffled[at : at + pool], key=_length):
            if waiting and (rows + len(item)) * _length(item) > tokens:
                grouped.append(waiting)
                waiting, rows = [], 0
            waiting.append(item)
            rows += len(item)
        grouped.append(waiting)
    rng.shuffle(grouped)
    return grouped


def _length(item: Unit) -> int:
    return max(len(row.window.ids) for row in item)


def collate(units: Sequence[Unit]) -> Batch:
    """Pad the windows of some units into one batch."""
    rows = [row for item in units for row in item]
    padded = pad([row.window for row in rows])
    places, at = [], 0
    for item in units:
        places.append(list(range(at, at + len(item))))
        at += len(item)
    return Batch(
        *padded,
        starts=torch.tensor([row.start for row in rows]),
        ends=torch.tensor([row.end for row in rows]),
        units=places,
    )


def pad(windows: Sequence[Window]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the windows' ids, types and mask as (windows, longest) tensors."""
    longest = max(len(window.ids) for window in windows)
    ids = torch.zeros(len(windows), longest, dtype=torch.long)
    types = torch.zeros_like(ids)
    mask = torch.zeros_like(ids)
    for row, window in enumerate(windows):
        length = len(window.ids)
        ids[row, :length] = torch.from_numpy(window.ids)
        types[row, :length] = torch.from_numpy(window.types)
        mask[row, :length] = 1
    return ids, types, mask
