"""Passages: making, cutting and joining the texts that questions are asked on."""

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from rag.training.data import Example, Gold

_SENTENCE = re.compile(r"(?<=[.!?])[\"'”’)]*\s+(?=[\"'“‘(]*[A-Z0-9])|\n+")
_DEBRIS = (
    "Jump to navigation Jump to search",
    "This page was last edited on 3 May.",
    "Page {n} of {m}",
    "See also",
    "[edit]",
    "Main article:",
    "Retrieved {n} June. External links. References.",
    "Table of contents | Previous | Next",
    "Share this article. Subscribe to our newsletter.",
    "Contact: press office, tel. {n}-{m}",
    "© All rights reserved.",
    "Figure {n}.",
)


def join_sentences(
    examples: Sequence[Example], rng: random.Random, *, most: int = 6, silent: float = 0.12
) -> list[Example]:
    """Make passages of sentence-level examples: 0 to `most` other sentences around each.

    A share of `silent` loses its own sentence, and with it its answer.
    """
    sentences = sorted({example.context for example in examples})
    joined = []
    for example in examples:
        around = rng.sample(sentences, min(len(sentences), rng.randint(0, most)))
        around = [sentence for sentence in around if sentence != example.context]
        if rng.random() < silent and around:
            joined.append(replace(example, context=" ".join(around), answers=()))
            continue
        cut = rng.randint(0, len(around))
        joined.append(surround(example, " ".join(around[:cut]), " ".join(around[cut:]), " "))
    return joined


def surround(example: Example, before: str, after: str, separator: str) -> Example:
    """Put text before and after the context; the answers keep pointing at theirs."""
    head = before + separator if before else ""
    tail = separator + after if after else ""
    golds = tuple(Gold(text=gold.text, start=gold.start + len(head)) for gold in example.answers)
    return replace(example, context=head + example.context + tail, answers=golds)


def sentence_starts(text: str) -> list[int]:
    """Return where the sentences of a text begin, roughly; always begins with 0."""
    return [0, *(match.end() for match in _SENTENCE.finditer(text))]


def crop(example: Example, rng: random.Random, *, least: int = 250) -> Example:
    """Keep a random run of whole sentences of `least` characters or more, the answer in it."""
    starts = [*sentence_starts(example.context), len(example.context)]
    length = rng.randint(least, max(least, len(example.context)))
    kept_from, kept_to = 0, len(example.context)
    gold = example.answers[0] if example.answers else None
    if gold:
        kept_from = max(start for start in starts if start <= gold.start)
        kept_to = min(end for end in starts if end >= gold.end)
    else:
        kept_from = rng.choice(starts[:-1])
        kept_to = min(end for end in starts if end > kept_from)
    while kept_to - kept_from < length:
        before = [start for start in starts if start < kept_from]
        after = [end for end in starts if end > kept_to]
        if not before and not after:
            break
        if before and (not after or rng.random() < 0.5):
            kept_from = before[-1]
        else:
            kept_to = after[0]
    inside = tuple(
        Gold(text=gold.text, start=gold.start - kept_from)
        for gold in example.answers
        if gold.start >= kept_from and gold.end <= kept_to
    )
    return replace(example, context=example.context[kept_from:kept_to], answers=inside)


def add_debris(example: Example, rng: random.Random) -> Example:
    """Put a heading, or what page furniture leaves behind, before or after the context."""
    pieces = [example.title] if example.title and rng.random() < 0.6 else []
    if rng.random() < 0.6 or not pieces:
        pieces.append(rng.choice(_DEBRIS).format(n=rng.randint(1, 40), m=rng.randint(41, 400)))
    text = rng.choice(("\n", "\n\n", " ")).join(pieces)
    separator = rng.choice(("\n", "\n\n", " "))
    if rng.random() < 0.8:
        return surround(example, text, "", separator)
    return surround(example, "", text, separator)


def join_passage(example: Example, other: str, rng: random.Random) -> Example:
    """Put a passage on something else before or after the context."""
    separator = rng.choice(("\n", "\n\n", " "))
    if rng.random() < 0.5:
        return surround(example, other, "", separator)
    return surround(example, "", other, separator)
