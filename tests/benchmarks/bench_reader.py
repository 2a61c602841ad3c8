"""Times one question over eight passages of 200 tokens, in every way a reader can be run.

    python tests/benchmarks/bench_reader.py [TRAINED_DIRECTORY]

With a trained (float) directory PyTorch, ONNX Runtime in float and OpenVINO are timed beside the
shipped int8 model. All rows take turns within each round, so that a busy machine slows all alike;
each figure is the median round.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime

from rag.chunks import Chunk
from rag.reading.onnx import SHIPPED, OnnxReader, load_config
from rag.reading.windows import Window, WindowCutter

THREADS = 2
ROUNDS = 15
QUESTION = "Which of the villages asked for a second lifeboat station?"
SENTENCES = (
    "The lifeboat station at {0} was opened in 18{1:02d} after a petition of the harbour masters. ",
    "Its first crew of {1} men rowed to wrecks on the Skarven reef until an engine came in 19{2}. ",
    "The parish of {0} paid for the slipway, which a storm damaged in the winter that followed. ",
    "Records name the coxswain as a baker, a pilot and, for {2} years, the keeper of the light. ",
)
VILLAGES = ("Tolvik", "Ravnby", "Skarmo", "Ostrand", "Lindvar", "Hamsoy", "Brekkow", "Falstad")


def passages(cutter: WindowCutter, tokens: int = 200) -> list[Chunk]:
    """Return eight invented passages, each cut so that its window has `tokens` tokens."""
    chunks = []
    for number, village in enumerate(VILLAGES):
        text = "".join(line.format(village, 20 + number, 30 + number) for line in SENTENCES) * 5
        (window,) = cutter.cut(QUESTION, [text])[0][:1]
        last = window.offsets[tokens - window.first - 2]
        text = text[: int(last[1])]
        chunks.append(
            Chunk(
                id=number,
                document=village,
                start=0,
                end=len(text),
                text=text,
                section=(),
                page=None,
                tokens=tokens,
            )
        )
    return chunks


def session_of(network: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Open a network on ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def one_by_one(network: bytes, windows: list[Window], threads: int) -> Callable[[], object]:
    """Run windows one after another, each on all threads."""
    session = session_of(network, threads)
    feeds = [{"ids": window.ids[None], "types": window.types[None]} for window in windows]
    return lambda: [session.run(None, feed) for feed in feeds]


def with_torch(directory: Path, windows: list[Window]) -> dict[str, Callable[[], object]]:
    """Return what needs the trained weights: PyTorch, ONNX Runtime in float, and OpenVINO."""
    import torch

    from rag.training.exporting import build_graph
    from rag.training.features import pad
    from rag.training.model import load_model

    torch.set_num_threads(THREADS)
    model = load_model(directory).eval()
    inputs = pad(windows)

    def run(*, bfloat16: bool) -> object:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            return model(*inputs)

    network = build_graph(model, int8=False).SerializeToString()
    ways: dict[str, Callable[[], object]] = {
        "PyTorch float32, one batch": lambda: run(bfloat16=False),
        "PyTorch bfloat16, one batch": lambda: run(bfloat16=True),
        "ONNX Runtime float32": one_by_one(network, windows, THREADS),
    }
    try:
        import openvino
    except ImportError:
        print("OpenVINO is not installed")
        return ways
    traced = openvino.convert_model(
        model,
        example_input=inputs,
        input=[("ids", [-1, -1]), ("types", [-1, -1]), ("mask", [-1, -1])],
    )
    arrays = [tensor.numpy() for tensor in inputs]
    for precision in ("f32", "bf16"):
        hints = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": THREADS}
        compiled = openvino.Core().compile_model(traced, "CPU", hints)
        ways[f"OpenVINO {precision}, one batch"] = lambda compiled=compiled: compiled(arrays)
    return ways


def main(trained: Path | None) -> None:
    """Print the table."""
    config = load_config(SHIPPED)
    cutter = WindowCutter(SHIPPED / "tokenizer.json", config.window)
    chunks = passages(cutter)
    windows = [cut[0] for cut in cutter.cut(QUESTION, [chunk.text for chunk in chunks])]
    tokens = sum(len(window.ids) for window in windows)
    network = (SHIPPED / "model.onnx").read_bytes()
    reader = OnnxReader(threads=THREADS)
    bare = OnnxReader(threads=THREADS)
    ways: dict[str, Callable[[], object]] = with_torch(trained, windows) if trained else {}
    ways["int8, a window on both threads"] = one_by_one(network, windows, THREADS)
    ways["int8, a window on each thread"] = lambda: bare._run(windows)
    ways["the reader, end to end"] = lambda: reader.read(QUESTION, chunks)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS + 2):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            times[name].append(1000 * (time.perf_counter() - began))
    medians = {name: statistics.median(taken[2:]) for name, taken in times.items()}
    fastest = min(value for name, value in medians.items() if name.startswith("int8"))
    print(f"{len(windows)} windows, {tokens} tokens, {THREADS} threads, {ROUNDS} rounds")
    for name, value in medians.items():
        rate = tokens / value * 1000
        print(f"{name:34} {value:7.1f} ms {rate:8.0f} tokens/s {value / fastest:6.2f} x bare int8")
    print(f"resident memory {_resident_megabytes():.0f} MB")
    assert np.isfinite(fastest)


def _resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
