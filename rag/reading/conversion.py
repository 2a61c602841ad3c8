"""Converts a question answering checkpoint to OpenVINO. Loads torch."""

import warnings
from pathlib import Path
from typing import Final

import numpy as np
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from rag.embedding.quiet_openvino import ov
from rag.errors import ModelError
from rag.reading.checkpoint import MODEL, TOKENIZER, Checkpoint, CheckpointReader, Facts
from rag.reading.windows import Window, WindowCutter, WindowSize

_WINDOW_TOKENS: Final = 384
_LARGEST_DIFFERENCE: Final = 0.02
_PROBES: Final = (
    "The gate opens at 7.",
    "Naïve café — 😀 日本語 " * 3,
    "A passage that goes on and on, so that all of the model's positions are in use. " * 40,
)


class _Scores(torch.nn.Module):
    """A checkpoint as a function of ids and types."""

    def __init__(self, model: torch.nn.Module, *, typed: bool) -> None:
        super().__init__()
        self.model = model
        self.typed = typed

    def forward(self, ids: torch.Tensor, types: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if self.typed:
            given["token_type_ids"] = types
        found = self.model(**given)
        # Where a model has no use for types they are still an input of its graph.
        return found.start_logits + 0.0 * types, found.end_logits


def convert(checkpoint: Checkpoint, directory: Path) -> Facts:
    """Write the converted checkpoint to `directory` and return what is known of it.

    Raises ModelError where it cannot be loaded, or gives other scores than transformers does.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            checkpoint.directory, local_files_only=True, trust_remote_code=False
        )
        model = AutoModelForQuestionAnswering.from_pretrained(
            checkpoint.directory,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
        ).eval()
        tokenizer.backend_tokenizer.save(str(directory / TOKENIZER))
    except Exception as error:  # transformers raises all kinds for what it cannot load
        raise ModelError(f"{checkpoint.directory} cannot be loaded: {error}") from error
    positions = getattr(model.config, "max_position_embeddings", _WINDOW_TOKENS + 2)
    # RoBERTa and its kin count positions from 2 on.
    facts = Facts(tokens=min(_WINDOW_TOKENS, positions - 2))
    cutter = WindowCutter(directory / TOKENIZER, WindowSize(tokens=facts.tokens))
    probes = [
        window for windows in cutter.cut("When does the gate open?", _PROBES) for window in windows
    ]
    scores = _Scores(model, typed=getattr(model.config, "type_vocab_size", 0) > 1)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about branches that tracing takes once; see _check
            graph = ov.convert_model(scores, example_input=_inputs(probes[0]))
    except Exception as error:  # tracing runs the model's own code, which may raise anything
        raise ModelError(f"{checkpoint.directory} cannot be converted: {error}") from error
    ov.save_model(graph, directory / MODEL, compress_to_fp16=False)
    _check(checkpoint, directory, facts, scores=scores, probes=probes)
    return facts


def _check(
    checkpoint: Checkpoint, directory: Path, facts: Facts, *, scores: _Scores, probes: list[Window]
) -> None:
    reader = CheckpointReader(directory, facts, name=checkpoint.name, threads=1, precision="f32")
    difference = 0.0
    for window in probes:
        with torch.no_grad():
            expected = scores(*_inputs(window))
        ours = reader.score(window)
        for mine, theirs in zip((ours.start, ours.end), expected, strict=True):
            difference = max(difference, float(np.abs(mine - theirs[0].numpy()).max()))
    if not difference <= _LARGEST_DIFFERENCE:
        raise ModelError(
            f"{checkpoint.directory} cannot be used: converted, its scores differ from those of "
            f"transformers by {difference:.3f}."
        )


def _inputs(window: Window) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(window.ids)[None], torch.from_numpy(window.types)[None]
