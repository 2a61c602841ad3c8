"""The network: a BERT encoder with a start/end head and a passage relevance head."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import BertConfig, BertModel

MASKED = -1e4
"""The logit of a position that is no part of the passage."""


class Logits(NamedTuple):
    """What the network says: `start` and `end` are (batch, tokens), `relevance` is (batch,)."""

    start: Tensor
    end: Tensor
    relevance: Tensor


class SpanModel(nn.Module):
    """Scores every token of a window as the start and the end of the answer.

    Position 0 (`[CLS]`) stands for "no answer here". The relevance head, on the same position,
    judges the passage as a whole.
    """

    def __init__(self, config: BertConfig) -> None:
        """Build the network with fresh heads."""
        super().__init__()
        self.encoder = BertModel(config, add_pooling_layer=False)
        self.span = nn.Linear(config.hidden_size, 2)
        self.relevance = nn.Linear(config.hidden_size, 1)
        for head in (self.span, self.relevance):
            nn.init.normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor) -> Logits:
        """Score windows given as (batch, tokens) ids, types and mask (1 real, 0 padding)."""
        hidden = self.encoder(
            input_ids=ids, token_type_ids=types, attention_mask=mask
        ).last_hidden_state
        scores = self.span(hidden).float()
        readable = (types * mask).bool()
        readable = torch.cat([torch.ones_like(readable[:, :1]), readable[:, 1:]], dim=1)
        start = scores[..., 0].masked_fill(~readable, MASKED)
        end = scores[..., 1].masked_fill(~readable, MASKED)
        return Logits(start, end, self.relevance(hidden[:, 0]).float().squeeze(-1))


def load_model(directory: Path, *, attention: str = "sdpa") -> SpanModel:
    """Load a trained model directory, or start from an encoder's (its heads are then fresh).

    The directory holds `config.json` and `model.safetensors`. `attention` names one of
    transformers' implementations.
    """
    settings: dict[str, Any] = json.loads((directory / "config.json").read_text())
    settings.update(attention_probs_dropout_prob=0.0)
    config = BertConfig(**{**settings, "attn_implementation": attention})
    model = SpanModel(config)
    weights = load_file(directory / "model.safetensors")
    if not any(name.startswith("encoder.embeddings") for name in weights):
        weights = {
            f"encoder.{name.removeprefix('bert.')}": tensor
            for name, tensor in weights.items()
            if not name.startswith("pooler.")
        }
    fresh = ("span.", "relevance.")
    missing, unexpected = model.load_state_dict(weights, strict=False)
    missing = [name for name in missing if not name.startswith(fresh)]
    unexpected = [name for name in unexpected if not name.endswith("position_ids")]
    if missing or unexpected:
        message = f"{directory} holds no BERT encoder: missing {missing}, unknown {unexpected}"
        raise ValueError(message)
    return model


def save_model(model: SpanModel, directory: Path) -> None:
    """Write `config.json` and `model.safetensors`."""
    directory.mkdir(parents=True, exist_ok=True)
    settings = model.encoder.config.to_diff_dict()
    (directory / "config.json").write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n")
    state = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, directory / "model.safetensors")


class RecycledDropout(nn.Module):
    """Dropout whose masks are cut from one random tape at random places.

    Drawing fresh random numbers costs half of a training step on a CPU; one tape of a few million
    draws, entered at a random offset each time, costs nothing and varies enough.
    """

    def __init__(self, rate: float, *, tape: Tensor, generator: torch.Generator) -> None:
        """Drop with the probability `rate` that `tape` was drawn with."""
        super().__init__()
        self._rate = rate
        self._tape = tape
        self._generator = generator

    def forward(self, values: Tensor) -> Tensor:
        """Zero some values and scale the others up while training; return them as given else."""
        if not self.training or self._rate == 0.0:
            return values
        room = len(self._tape) - values.numel()
        if room <= 0:
            return nn.functional.dropout(values, self._rate)
        at = int(torch.randint(room, (1,), generator=self._generator))
        mask = self._tape[at : at + values.numel()].view(values.shape)
        return values * mask.to(values.dtype)


def recycle_dropout(model: nn.Module, rate: float, generator: torch.Generator) -> None:
    """Replace every dropout that a model uses by one that shares a recycled tape."""
    tape = torch.rand(1 << 23, generator=generator).ge(rate).to(torch.bfloat16) / (1.0 - rate)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Dropout) and child.p > 0:
                setattr(module, name, RecycledDropout(rate, tape=tape, generator=generator))
