"""Exporting: a trained model as an ONNX graph, in float or int8, ready for the runtime reader.

The graph is written node by node rather than traced. It takes one window at a time, without padding
and so without a mask, and uses ONNX Runtime's fused operators.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from transformers import BertConfig

from rag.reading.calibration import ROUGH, save_calibration
from rag.reading.windows import WindowCutter, WindowSize
from rag.training.data import Example
from rag.training.evaluation import LONGEST_ANSWER
from rag.training.model import MASKED, SpanModel, load_model
from rag.training.smoothing import Floats, channel_ranges, factors

Array = npt.NDArray[np.generic]

MICROSOFT = "com.microsoft"
_SPANS = 4
_SAMPLES = 64


def export(
    model: Path, out: Path, *, name: str, samples: Sequence[Example], int8: bool = True
) -> Path:
    """Write a trained model as a directory for the runtime reader; return `out`.

    A few dozen of the `samples` show how large activations get; without any, int8 loses more.
    Its `calibration.json` is a rough one, by the span's score alone, until one is fitted.
    """
    out.mkdir(parents=True, exist_ok=True)
    trained = load_model(model).eval()
    ranges = {}
    if int8:
        cutter = WindowCutter(model / "tokenizer.json", WindowSize())
        step = max(1, len(samples) // _SAMPLES)
        cut = [cutter.cut(sample.question, [sample.context])[0] for sample in samples[::step]]
        ranges = channel_ranges(trained, [windows[0] for windows in cut if windows])
    network = build_graph(trained, int8=int8, ranges=ranges).SerializeToString()
    (out / "model.onnx").write_bytes(network)
    (out / "tokenizer.json").write_bytes((model / "tokenizer.json").read_bytes())
    config = {
        "name": name,
        "sha256": hashlib.sha256(network).hexdigest(),
        "window": asdict(WindowSize()),
        "longest": LONGEST_ANSWER,
        "spans": _SPANS,
    }
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    save_calibration(ROUGH, out / "calibration.json")
    return out


def build_graph(
    model: SpanModel, *, int8: bool, ranges: Mapping[str, Floats] | None = None
) -> onnx.ModelProto:
    """Return the graph of a model: `ids`, `types` (1, tokens) to `start`, `end`, `relevance`.

    With `int8`, matrices hold one scale a column and embeddings one a row, and activations are
    scaled on the fly, after smoothing by the `ranges` of channels where given.
    """
    graph = _Graph(int8=int8, ranges=ranges or {})
    weights = {key: value.detach().float().numpy() for key, value in model.state_dict().items()}
    config = model.encoder.config
    hidden = _embeddings(graph, weights, config.layer_norm_eps)
    for layer in range(config.num_hidden_layers):
        prefix = f"encoder.encoder.layer.{layer}."
        hidden = _layer(graph, weights, prefix, hidden, config)
    _heads(graph, weights, hidden)
    return graph.finish()


@dataclass
class _Graph:
    """Nodes and constants in the making."""

    int8: bool
    ranges: Mapping[str, Floats]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: Array) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def node(
        self, kind: str, inputs: list[str], output: str, domain: str = "", **attributes: float
    ) -> str:
        node = helper.make_node(kind, inputs, [output], name=output, domain=domain)
        node.attribute.extend(
            helper.make_attribute(key, value) for key, value in attributes.items()
        )
        self.nodes.append(node)
        return output

    def linear(self, name: str, source: str, weight: Floats, bias: Floats, seen: str) -> str:
        """Multiply by a (inputs, outputs) matrix and add a bias.

        `seen` names the layer of the model under which the input's ranges were noted.
        """
        bias_name = self.constant(f"{name}.bias", bias)
        if not self.int8:
            product = self.node(
                "MatMul", [source, self.constant(f"{name}.weight", weight)], f"{name}.product"
            )
            return self.node("Add", [product, bias_name], f"{name}.out")
        if seen in self.ranges:
            shares = factors(self.ranges[seen], weight)
            inverse = self.constant(f"{name}.smoothing", 1 / shares)
            source = self.node("Mul", [source, inverse], f"{name}.smoothed")
            weight = weight * shares[:, np.newaxis]
        rows, scales = quantised(weight, axis=0)
        inputs = [
            source,
            self.constant(f"{name}.weight", rows),
            self.constant(f"{name}.scale", scales),
            "",
            bias_name,
        ]
        return self.node("DynamicQuantizeMatMul", inputs, f"{name}.out", MICROSOFT)

    def lookup(self, name: str, ids: str, table: Array) -> str:
        """Take the rows of a table."""
        if not self.int8:
            return self.node("Gather", [self.constant(f"{name}.table", table), ids], f"{name}.rows")
        rows, scales = quantised(table, axis=1)
        taken = self.node(
            "Gather", [self.constant(f"{name}.table", rows), ids], f"{name}.rows.int8"
        )
        scale = self.node(
            "Gather",
            [self.constant(f"{name}.scales", scales[:, np.newaxis]), ids],
            f"{name}.rows.scale",
        )
        floats = self.node("Cast", [taken], f"{name}.rows.float", to=TensorProto.FLOAT)
        return self.node("Mul", [floats, scale], f"{name}.rows")

    def finish(self) -> onnx.ModelProto:
        def ints(name: str) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.INT64, [1, "tokens"])

        def floats(name: str, *shape: int | str) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))

        graph = helper.make_graph(
            self.nodes,
            "reader",
            [ints("ids"), ints("types")],
            [floats("start", 1, "tokens"), floats("end", 1, "tokens"), floats("relevance", 1)],
            self.constants,
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="chapterverse")
        model.ir_version = 8
        return model


def quantised(matrix: Array, *, axis: int) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Return a matrix as int8 and its scales; values along `axis` share one scale."""
    values = np.asarray(matrix, dtype=np.float32)
    largest = np.abs(values).max(axis=axis)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    rounded = np.rint(values / np.expand_dims(scales, axis)).clip(-127, 127).astype(np.int8)
    return rounded, scales


def _embeddings(graph: _Graph, weights: dict[str, Floats], epsilon: float) -> str:
    prefix = "encoder.embeddings."
    words = graph.lookup("words", "ids", weights[prefix + "word_embeddings.weight"])
    types = graph.lookup("kinds", "types", weights[prefix + "token_type_embeddings.weight"])
    length = graph.node(
        "Gather",
        [graph.node("Shape", ["ids"], "shape"), graph.constant("one", np.array(1))],
        "length",
    )
    positions = graph.node(
        "Range", [graph.constant("zero", np.array(0)), length, "one"], "positions"
    )
    places = graph.lookup("places", positions, weights[prefix + "position_embeddings.weight"])
    summed = graph.node("Add", [words, types], "words+kinds")
    return _normalised(graph, weights, prefix + "LayerNorm", [summed, places], epsilon)


def _layer(
    graph: _Graph,
    weights: dict[str, Floats],
    prefix: str,
    hidden: str,
    config: BertConfig,
) -> str:
    epsilon = config.layer_norm_eps

    def linear(name: str, source: str) -> str:
        path = prefix + name
        weight, bias = weights[path + ".weight"].T, weights[path + ".bias"]
        return graph.linear(path, source, weight, bias, path)

    parts = [prefix + f"attention.self.{part}" for part in ("query", "key", "value")]
    joined = graph.linear(
        prefix + "attention.self",
        hidden,
        np.concatenate([weights[part + ".weight"].T for part in parts], axis=1),
        np.concatenate([weights[part + ".bias"] for part in parts]),
        parts[0],
    )
    names = [f"{part}.out" for part in parts]
    graph.nodes.append(helper.make_node("Split", [joined], names, name=prefix + "split", axis=2))
    attended = graph.node(
        "MultiHeadAttention",
        names,
        prefix + "attended",
        MICROSOFT,
        num_heads=config.num_attention_heads,
    )
    mixed = linear("attention.output.dense", attended)
    hidden = _normalised(
        graph, weights, prefix + "attention.output.LayerNorm", [mixed, hidden], epsilon
    )
    wide = graph.node("Gelu", [linear("intermediate.dense", hidden)], prefix + "gelu", MICROSOFT)
    narrow = linear("output.dense", wide)
    return _normalised(graph, weights, prefix + "output.LayerNorm", [narrow, hidden], epsilon)


def _normalised(
    graph: _Graph, weights: dict[str, Floats], path: str, summands: list[str], epsilon: float
) -> str:
    constants = [
        graph.constant(f"{path}.{kind}", weights[f"{path}.{kind}"]) for kind in ("weight", "bias")
    ]
    return graph.node(
        "SkipLayerNormalization", [*summands, *constants], path, MICROSOFT, epsilon=epsilon
    )


def _heads(graph: _Graph, weights: dict[str, Floats], hidden: str) -> None:
    """Score tokens and passage in float; all but the passage and `[CLS]` is masked."""
    first = graph.constant("cls", np.array([0]))
    last = graph.constant("after cls", np.array([1]))
    axis = graph.constant("token axis", np.array([1]))
    spans = _float_linear(graph, weights, "span", hidden)
    head = graph.node("Slice", ["types", first, last, axis], "first type")
    rest = graph.node(
        "Slice",
        ["types", last, graph.constant("end of tokens", np.array([2**31])), axis],
        "other types",
    )
    ones = graph.node("Add", [head, "one"], "cls is readable")
    kinds = graph.node("Concat", [ones, rest], "readable kinds", axis=1)
    readable = graph.node("Cast", [kinds], "readable", to=TensorProto.BOOL)
    masked = graph.constant("masked", np.array(MASKED, dtype=np.float32))
    for place, name in enumerate(("start", "end")):
        scores = graph.node(
            "Gather",
            [spans, graph.constant(f"{name} column", np.array(place))],
            f"{name} scores",
            axis=2,
        )
        graph.node("Where", [readable, scores, masked], name)
    token = graph.node(
        "Gather", [hidden, graph.constant("cls position", np.array(0))], "cls hidden", axis=1
    )
    judged = _float_linear(graph, weights, "relevance", token)
    graph.node("Squeeze", [judged, graph.constant("last axis", np.array([1]))], "relevance")


def _float_linear(graph: _Graph, weights: dict[str, Floats], path: str, source: str) -> str:
    weight = graph.constant(f"{path}.head", weights[f"{path}.weight"].T)
    product = graph.node("MatMul", [source, weight], f"{path}.head.product")
    bias = graph.constant(f"{path}.head.bias", weights[f"{path}.bias"])
    return graph.node("Add", [product, bias], f"{path}.head.out")
