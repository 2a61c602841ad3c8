"""Converted models on disk: a cache derived from weights, verified before a library reads it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from rag.derived import Derivation, open_derived
from rag.embedding.weights import Weights

# Raise it when the same weights are converted differently than before.
RECIPE: Final = 1

MODEL: Final = "model.xml"
TOKENIZER: Final = "tokenizer.json"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What embedding needs to know of a model beside its graph.

    `limit` counts tokens with special ones; the prompts stand before each text.
    """

    dim: int
    limit: int
    pad: int
    question_prompt: str
    passage_prompt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A converted model whose files have just been verified."""

    weights: Weights
    directory: Path
    facts: Facts


def open_converted(weights: Weights, *, cache: Path) -> Converted:
    """Return the converted form of `weights`, from `cache` or made anew and kept there.

    What is damaged in the cache, or was made from other weights, is made anew. Raises ModelError
    where weights cannot be converted or the cache cannot be written.
    """

    def make(made: Path) -> Facts:
        from rag.embedding.conversion import convert  # noqa: PLC0415  (loads torch)

        return convert(weights, made)

    directory = cache / f"{weights.name}-{weights.sha256[:16]}"
    derivation = Derivation(
        source=weights.sha256,
        recipe=RECIPE,
        files=(MODEL, "model.bin", TOKENIZER),
        facts=Facts,
        make=make,
    )
    facts = open_derived(directory, derivation)
    return Converted(weights=weights, directory=directory, facts=facts)
