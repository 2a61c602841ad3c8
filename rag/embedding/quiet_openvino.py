"""OpenVINO without its telemetry, which would report over the network that it was imported."""

import sys

# An entry of None makes the import fail, for which OpenVINO has a stand-in that does nothing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402

__all__ = ["ov"]
