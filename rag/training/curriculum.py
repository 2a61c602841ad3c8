"""Curriculum: which questions, on which passages, an epoch shows."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rag.reading.windows import WindowCutter
from rag.training.augmentation import made_unanswerable, names_in, restyle
from rag.training.data import Example
from rag.training.features import Unit, unit
from rag.training.options import TrainingOptions
from rag.training.passages import add_debris, crop, join_passage, join_sentences


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Everything a run learns from.

    `near` gives, per question id, passages that resemble the right one and do not answer.
    """

    passages: Sequence[Example]
    sentences: Sequence[Example]
    mix: Sequence[Example]
    near: Mapping[str, Sequence[str]]


def epoch_units(
    material: Material, options: TrainingOptions, epoch: int, cutter: WindowCutter
) -> list[Unit]:
    """Return what one epoch shows, in no particular order; the same for the same seed."""
    rng = random.Random(options.seed * 1000 + epoch)
    chosen = [*material.passages, *join_sentences(material.sentences, rng)]
    if options.per_epoch:
        chosen = _turn(chosen, options.per_epoch, epoch, options.seed)
    share = min(len(material.mix), round(options.mix_share * len(chosen)))
    chosen += rng.sample(list(material.mix), share)
    around = _Around(
        contexts=sorted({example.context for example in chosen}),
        names=names_in([example.question for example in chosen]),
        near=material.near,
    )
    units = []
    for example in chosen:
        others: tuple[str, ...] = ()
        shown = example
        if options.augment:
            shown, others = _varied(example, around, options, rng)
        found = unit(shown, others, cutter, rng)
        if found:
            units.append(found)
    return units


def _turn(examples: Sequence[Example], count: int, epoch: int, seed: int) -> list[Example]:
    """Return the examples whose turn it is: each comes once before any comes again."""
    taken: list[Example] = []
    while len(taken) < count:
        lap, at = divmod(epoch * count + len(taken), len(examples))
        order = random.Random(seed * 1000 + 500 + lap).sample(list(examples), len(examples))
        taken += order[at : at + count - len(taken)]
    return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """What the other examples of an epoch offer for varying one."""

    contexts: Sequence[str]
    names: Sequence[str]
    near: Mapping[str, Sequence[str]]


def _varied(
    example: Example, around: _Around, options: TrainingOptions, rng: random.Random
) -> tuple[Example, tuple[str, ...]]:
    """Vary one example; also return passages to learn from with it that do not answer it."""
    shown = replace(example, question=restyle(example.question, rng))
    others: tuple[str, ...] = ()
    if example.answers and rng.random() < options.twins:
        shown = made_unanswerable(shown, around.names, rng) or shown
    elif example.answers and rng.random() < options.negatives:
        near = around.near.get(example.id, ())
        text = example.answers[0].text.lower()
        other = rng.choice(near) if near and rng.random() < 0.85 else rng.choice(around.contexts)
        others = (other,) if text not in other.lower() else ()
    if shown.answers and rng.random() < options.crops:
        shown = crop(shown, rng)
    if rng.random() < options.joins and len(shown.context) < 1000:
        other = rng.choice(around.contexts)
        if other != example.context:
            shown = join_passage(shown, other, rng)
    if rng.random() < options.debris:
        shown = add_debris(shown, rng)
    return shown, others
