"""OpenVINO without its telemetry, which would report over the network that it was imported."""

import sys
from pathlib import Path

from rag.errors import ModelError

# An entry of None makes the import fail, for which OpenVINO has a stand-in that does nothing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402

__all__ = ["compile_model", "native_precision", "ov"]


def native_precision() -> str:
    """Return "bf16" where the CPU computes in it: anywhere else it is slower than float32."""
    return "bf16" if "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"


def compile_model(file: Path, *, threads: int, precision: str) -> ov.CompiledModel:
    """Load a graph to run `threads` requests side by side, one thread each.

    Raises ModelError for a file that is no graph.
    """
    core = ov.Core()
    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": threads,
    }
    try:
        return core.compile_model(core.read_model(file), "CPU", options)
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot load {file}: {error}") from error
