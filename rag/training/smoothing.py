"""Smoothing: what makes int8 activations lose less (SmoothQuant, Xiao and others, 2023).

A few channels of a BERT's activations are ten times larger than the rest and would take all of the
256 steps. Dividing each channel by a factor before it is quantised, and multiplying the matching
row of the matrix by the same, changes nothing but what is lost.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rag.reading.windows import Window
from rag.training.features import pad
from rag.training.model import SpanModel

Floats = npt.NDArray[np.float32]

_TOWARDS_WEIGHTS = 0.8
_LEAST = 1e-3


def channel_ranges(model: SpanModel, windows: Sequence[Window]) -> dict[str, Floats]:
    """Return the largest absolute input of every linear layer, channel by channel, by its name."""
    ranges: dict[str, Floats] = {}
    handles = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):

            def note(_: nn.Module, inputs: tuple[Tensor, ...], *, name: str = name) -> None:
                largest = inputs[0].detach().abs().flatten(0, -2).amax(0).float().numpy()
                ranges[name] = np.maximum(ranges.get(name, largest), largest)

            handles.append(module.register_forward_pre_hook(note))
    with torch.inference_mode():
        for window in windows:
            model(*pad([window]))
    for handle in handles:
        handle.remove()
    return ranges


def factors(ranges: Floats, weight: Floats) -> Floats:
    """Return by what to divide each input channel of a (inputs, outputs) matrix."""
    inputs = np.maximum(ranges, _LEAST)
    rows = np.maximum(np.abs(weight).max(axis=1), _LEAST)
    found: Floats = inputs**_TOWARDS_WEIGHTS / rows ** (1 - _TOWARDS_WEIGHTS)
    return found.astype(np.float32)
