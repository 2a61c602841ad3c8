"""Importing: an exported reader as a model to train on, the inverse of exporting.

What int8 has rounded stays rounded, which costs next to nothing: so a reader can be adapted from
the directory that ships, without the float weights it was exported from.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from transformers import BertConfig

from rag.errors import ModelError
from rag.training.model import SpanModel

Floats = npt.NDArray[np.float32]

_TABLES: Final = {
    "words": "word_embeddings",
    "kinds": "token_type_embeddings",
    "places": "position_embeddings",
}


def import_model(directory: Path, *, attention: str = "sdpa") -> SpanModel:
    """Return the model that a directory's `model.onnx` was exported from, but for rounding.

    Raises ModelError for a graph that was not written by `export`.
    """
    file = directory / "model.onnx"
    try:
        graph = onnx.load(file).graph
        constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        config = _config(graph, constants)
        model = SpanModel(BertConfig(**{**config, "attn_implementation": attention}))
        state = _state(constants, layers=config["num_hidden_layers"])
        model.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    except (OSError, KeyError, ValueError, RuntimeError, StopIteration) as error:
        message = f"{file} is no reader that `rag reader export` has written ({error!r})"
        raise ModelError(message) from error
    return model


def _config(graph: onnx.GraphProto, constants: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    attention = [node for node in graph.node if node.op_type == "MultiHeadAttention"]
    norm = next(node for node in graph.node if node.op_type == "SkipLayerNormalization")
    (heads,) = [item.i for item in attention[0].attribute if item.name == "num_heads"]
    (epsilon,) = [item.f for item in norm.attribute if item.name == "epsilon"]
    words, kinds, places = (constants[f"{table}.table"] for table in _TABLES)
    wide = constants["encoder.encoder.layer.0.intermediate.dense.weight"]
    return {
        "vocab_size": words.shape[0],
        "hidden_size": words.shape[1],
        "type_vocab_size": kinds.shape[0],
        "max_position_embeddings": places.shape[0],
        "num_hidden_layers": len(attention),
        "num_attention_heads": heads,
        "intermediate_size": wide.shape[1],
        "layer_norm_eps": epsilon,
        "attention_probs_dropout_prob": 0.0,
    }


def _state(constants: dict[str, npt.NDArray[Any]], *, layers: int) -> dict[str, Floats]:
    state = {}
    for table, name in _TABLES.items():
        values = constants[f"{table}.table"].astype(np.float32)
        state[f"encoder.embeddings.{name}.weight"] = values * constants.get(f"{table}.scales", 1)
    norms = ["encoder.embeddings.LayerNorm"]
    for layer in range(layers):
        prefix = f"encoder.encoder.layer.{layer}."
        joined, bias = _linear(constants, prefix + "attention.self")
        for part, weight, shift in zip(
            ("query", "key", "value"), np.split(joined, 3), np.split(bias, 3), strict=True
        ):
            state[f"{prefix}attention.self.{part}.weight"] = weight
            state[f"{prefix}attention.self.{part}.bias"] = shift
        for part in ("attention.output.dense", "intermediate.dense", "output.dense"):
            state[f"{prefix}{part}.weight"], state[f"{prefix}{part}.bias"] = _linear(
                constants, prefix + part
            )
        norms += [prefix + "attention.output.LayerNorm", prefix + "output.LayerNorm"]
    for path in norms:
        for kind in ("weight", "bias"):
            state[f"{path}.{kind}"] = constants[f"{path}.{kind}"]
    for head in ("span", "relevance"):
        state[f"{head}.weight"] = constants[f"{head}.head"].T
        state[f"{head}.bias"] = constants[f"{head}.head.bias"]
    return state


def _linear(constants: dict[str, npt.NDArray[Any]], path: str) -> tuple[Floats, npt.NDArray[Any]]:
    """Return a layer's weight, (outputs, inputs), without int8's scales and smoothing, and bias."""
    weight = constants[f"{path}.weight"].astype(np.float32) * constants.get(f"{path}.scale", 1)
    inverse = constants.get(f"{path}.smoothing")
    if inverse is not None:
        weight = weight * inverse[:, np.newaxis]
    return np.ascontiguousarray(weight.T), constants[f"{path}.bias"]
