"""ONNX Runtime without its telemetry, which would report over the network what it runs on.

It does so from version 1.29 on, at the end of a process and unless this is set before it is loaded
(its Privacy.md).
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime"]
