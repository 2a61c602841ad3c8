"""Converts a sentence-transformers model, with its pooling, to OpenVINO. Loads torch."""

import shutil
import warnings
from pathlib import Path
from typing import Final

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from rag.embedding.compiled import CompiledEmbedder
from rag.embedding.converted import MODEL, TOKENIZER, Converted, Facts
from rag.embedding.quiet_openvino import ov
from rag.embedding.reference import ReferenceEmbedder
from rag.embedding.weights import Weights
from rag.errors import ModelError

_LEAST_AGREEMENT: Final = 0.999
_PROBES: Final = (
    "",
    "What is the capital of Kosovo?",
    "Naïve café — 😀 日本語 " * 3,
    "A sentence that goes on and on, so that all of the model's positions are in use. " * 40,
)


class _Pooled(torch.nn.Module):
    """The whole model as a function of tensors."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        features = {"input_ids": input_ids, "attention_mask": attention_mask}
        return torch.nn.functional.normalize(self.model(features)["sentence_embedding"], dim=-1)


def convert(weights: Weights, directory: Path) -> Facts:
    """Write the converted model to `directory` and return what is known of it.

    Raises ModelError where it does not agree with sentence-transformers on a few texts.
    """
    reference = ReferenceEmbedder(weights)
    ids = torch.tensor([[2, 3, 4, 5], [2, 3, 4, 5]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about branches that tracing takes once; see _check
            model = ov.convert_model(_Pooled(reference.model), example_input=(ids, mask))
    except Exception as error:  # tracing runs the model's own code, which may raise anything
        raise ModelError(f"{weights.directory} cannot be converted: {error}") from error
    ov.save_model(model, directory / MODEL, compress_to_fp16=False)
    shutil.copyfile(weights.directory / "tokenizer.json", directory / TOKENIZER)
    prompts = reference.model.prompts
    facts = Facts(
        dim=reference.dim,
        limit=reference.tokens.limit,
        pad=int(reference.model.tokenizer.pad_token_id or 0),
        question_prompt=prompts.get("query") or "",
        passage_prompt=prompts.get("document") or prompts.get("passage") or "",
    )
    _check(Converted(weights=weights, directory=directory, facts=facts), reference)
    return facts


def _check(converted: Converted, reference: ReferenceEmbedder) -> None:
    embedder = CompiledEmbedder(converted, threads=1)
    pairs = [
        (embedder.embed_passages(_PROBES), reference.embed_passages(_PROBES)),
        (embedder.embed_question(_PROBES[1])[None], reference.embed_question(_PROBES[1])[None]),
    ]
    agreement = min(float(np.min(np.sum(ours * theirs, axis=1))) for ours, theirs in pairs)
    if not agreement >= _LEAST_AGREEMENT:
        raise ModelError(
            f"{converted.weights.directory} cannot be used: converted, it agrees with "
            f"sentence-transformers by a cosine of {agreement:.4f} only."
        )
