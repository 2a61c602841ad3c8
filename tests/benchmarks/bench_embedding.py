"""Speed of embedding, and agreement with sentence-transformers in float32, by backend.

    python tests/benchmarks/bench_embedding.py [--texts 64] [--rounds 3] [--threads 2]

All variants run in turn in each round, so that they share the machine's ups and downs; the best
round counts. Ratios are to sentence-transformers in float32. Per CPU second is the figure to trust
where other work runs beside it. The ONNX rows need the package onnx.
"""

import argparse
import importlib.util
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from sentence_transformers import SentenceTransformer

from rag.embedding import compiled
from rag.embedding.compiled import CompiledEmbedder
from rag.embedding.converted import open_converted
from rag.embedding.quiet_openvino import ov
from rag.embedding.reference import ReferenceEmbedder
from rag.embedding.tokens import Tokens
from rag.embedding.weights import find_weights
from rag.sentences import sentence_spans

Rows = npt.NDArray[np.float32]
Embed = Callable[[list[str]], Rows]


def passages(tokens: Tokens, *, count: int) -> list[str]:
    """Return passages of 150 to 200 tokens from Python's own manual."""
    texts: list[str] = []
    for topic in topics.values():
        passage = ""
        for start, end in sentence_spans(topic):
            passage += topic[start:end] + " "
            size = tokens.count_tokens([passage])[0]
            if 150 <= size <= 200:
                texts.append(passage)
            if size >= 150:
                passage = ""
    return texts[:: max(1, len(texts) // count)][:count]


def by_torch(model: SentenceTransformer, *, autocast: bool = False) -> Embed:
    """Embed with sentence-transformers."""

    def embed(texts: list[str]) -> Rows:
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            rows = model.encode(
                texts, normalize_embeddings=True, convert_to_tensor=True, show_progress_bar=False
            )
        unit: Rows = rows.float().numpy()
        return unit / np.linalg.norm(unit, axis=1, keepdims=True)

    return embed


def by_openvino(embedder: CompiledEmbedder, *, batch: int) -> Embed:
    """Embed as the product does, with batches of another size."""

    def embed(texts: list[str]) -> Rows:
        usual, compiled._BATCH = compiled._BATCH, batch
        try:
            return embedder.embed_passages(texts)
        finally:
            compiled._BATCH = usual

    return embed


def export(model: SentenceTransformer, file: Path) -> None:
    """Write the encoder as ONNX, and beside it with 8-bit weights and activations."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            return self.model(features)["sentence_embedding"]

    names = ["input_ids", "attention_mask"]
    example = (torch.tensor([[2, 3, 4]] * 2), torch.tensor([[1, 1, 1], [1, 1, 0]]))
    torch.onnx.export(
        Encoder(),
        example,
        file,
        input_names=names,
        dynamic_axes={name: {0: "batch", 1: "length"} for name in names},
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(
        file,
        file.with_suffix(".int8.onnx"),
        weight_type=QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["MatMul"],
        extra_options={"MatMulConstBOnly": True},
    )


def by_onnx(file: Path, tokens: Tokens, *, threads: int) -> Embed:
    """Embed one text at a time: with 8 bits a vector depends on what else is in its batch."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def embed(texts: list[str]) -> Rows:
        rows = []
        for ids in tokens.ids(texts):
            given = np.array([ids])
            inputs = {"input_ids": given, "attention_mask": np.ones_like(given)}
            rows.append(session.run(None, inputs)[0][0])
        unit = np.array(rows, np.float32)
        return unit / np.linalg.norm(unit, axis=1, keepdims=True)

    return embed


def variants(cache: Path, *, threads: int) -> tuple[Tokens, dict[str, Embed]]:
    """Return all ways to embed, the reference first."""
    weights = find_weights("minilm")
    reference = ReferenceEmbedder(weights)
    half = ReferenceEmbedder(weights)
    half.model.to(torch.bfloat16)
    converted = open_converted(weights, cache=cache)
    default = CompiledEmbedder(converted, threads=threads)
    exact = CompiledEmbedder(converted, threads=threads, precision="f32")
    print("OpenVINO on this CPU:", ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    print("The default computes in", default.precision)
    found: dict[str, Embed] = {
        "sentence-transformers float32": by_torch(reference.model),
        "sentence-transformers bfloat16 autocast": by_torch(reference.model, autocast=True),
        "sentence-transformers bfloat16": by_torch(half.model),
        "OpenVINO float32, batch 8": by_openvino(exact, batch=8),
        **{
            f"OpenVINO {default.precision}, batch {batch}": by_openvino(default, batch=batch)
            for batch in (1, 4, 8, 16, 32)
        },
    }
    if importlib.util.find_spec("onnx"):
        file = cache / "encoder.onnx"
        export(reference.model, file)
        found["ONNX Runtime float32"] = by_onnx(file, reference.tokens, threads=threads)
        found["ONNX Runtime int8"] = by_onnx(
            file.with_suffix(".int8.onnx"), reference.tokens, threads=threads
        )
    return reference.tokens, found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as cache:
        tokens, found = variants(Path(cache), threads=arguments.threads)
        texts = passages(tokens, count=arguments.texts)
        rows = {name: embed(texts) for name, embed in found.items()}
        wall, cpu = dict.fromkeys(found, 0.0), dict.fromkeys(found, 0.0)
        for _ in range(arguments.rounds):
            for name, embed in found.items():
                start, start_cpu = time.perf_counter(), time.process_time()
                embed(texts)
                wall[name] = max(wall[name], len(texts) / (time.perf_counter() - start))
                cpu[name] = max(cpu[name], len(texts) / (time.process_time() - start_cpu))
    first = next(iter(found))
    print(f"{len(texts)} texts of 150 to 200 tokens, {arguments.threads} threads")
    print(
        f"{'':40} {'texts/s':>8} {'ratio':>6} {'a CPU s':>8} {'ratio':>6} {'least cosine':>12} mean"
    )
    for name in found:
        cosine = np.sum(rows[name] * rows[first], axis=1)
        print(
            f"{name:40} {wall[name]:8.1f} {wall[name] / wall[first]:6.2f} {cpu[name]:8.1f} "
            f"{cpu[name] / cpu[first]:6.2f} {cosine.min():12.5f} {cosine.mean():.5f}"
        )


if __name__ == "__main__":
    main()
