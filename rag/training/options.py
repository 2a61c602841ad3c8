"""What a training run is told; imports nothing heavy, so that a command line can name it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """One training run.

    `data` are files of questions on whole passages, `sentences` files of questions on single
    sentences (made into passages by joining), and `mix` files of general questions, of which each
    epoch sees `mix_share` times as many as it has of the others, so that nothing is forgotten.
    `per_epoch` is how many questions an epoch shows (0: all); epochs take turns until all had
    theirs. `start_from` is a directory with a trained or exported reader, or an encoder. The files
    of a run, its checkpoints among them, go to `out`; a run that finds a checkpoint there goes on
    from it.

    Per question, the shares give the chance of: a passage that retrieval would take for the right
    one (`negatives`), a question changed until the passage is silent (`twins`), a passage cut short
    (`crops`), two passages in one (`joins`), page remnants around it (`debris`).

    Learning rates: `rate` for the top layer and the heads, times `layer_decay` for each layer
    below, rising from 0 over `warmup` (a share of the run), then constant, and back to 0 over
    `cooldown`; a run that has not begun to cool can still be given more or fewer epochs.
    """

    data: tuple[Path, ...]
    out: Path
    start_from: Path
    sentences: tuple[Path, ...] = ()
    mix: tuple[Path, ...] = ()
    mix_share: float = 0.1
    epochs: int = 3
    per_epoch: int = 0
    seed: int = 13
    rate: float = 1.5e-4
    layer_decay: float = 0.9
    warmup: float = 0.04
    cooldown: float = 0.5
    weight_decay: float = 0.01
    dropout: float = 0.1
    averaging: float = 0.998
    batch_tokens: int = 4500
    window_tokens: int = 384
    group_weight: float = 0.5
    relevance_weight: float = 0.3
    augment: bool = True
    negatives: float = 0.3
    twins: float = 0.06
    crops: float = 0.5
    joins: float = 0.08
    debris: float = 0.15
    threads: int = 2
    bfloat16: bool = True
    checkpoint_every: int = 100
