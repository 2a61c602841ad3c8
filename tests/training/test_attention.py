"""Plain attention, compared with PyTorch's own."""

import torch
from torch.nn.functional import scaled_dot_product_attention

from rag.training.attention import plain_attention


def _drawn(dtype: torch.dtype) -> list[torch.Tensor]:
    dice = torch.Generator().manual_seed(7)
    return [torch.randn(3, 4, 9, 8, generator=dice).to(dtype).requires_grad_() for _ in range(3)]


def _shown(lengths: list[int]) -> torch.Tensor:
    keys = torch.arange(9) < torch.tensor(lengths)[:, None]
    return keys[:, None, None, :].expand(3, 1, 9, 9)


def test_attends_and_learns_as_scaled_dot_products_do() -> None:
    """Values and gradients are those of PyTorch, with padding and without."""
    for mask in (None, _shown([9, 4, 1])):
        ours, theirs = _drawn(torch.float32), _drawn(torch.float32)
        result, _ = plain_attention(torch.nn.Identity(), *ours, mask, scaling=8**-0.5)
        expected = scaled_dot_product_attention(*theirs, attn_mask=mask).transpose(1, 2)
        torch.testing.assert_close(result, expected)
        result.square().sum().backward()
        expected.square().sum().backward()
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one.grad, other.grad)


def test_keeps_half_precision_under_autocast() -> None:
    """Bfloat16 stays bfloat16 inside autocast, close to the float32 result."""
    half, exact = _drawn(torch.bfloat16), _drawn(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        result, _ = plain_attention(torch.nn.Identity(), *half, _shown([9, 4, 1]), scaling=8**-0.5)
    assert result.dtype == torch.bfloat16
    expected, _ = plain_attention(torch.nn.Identity(), *exact, _shown([9, 4, 1]), scaling=8**-0.5)
    torch.testing.assert_close(result.float(), expected, atol=0.03, rtol=0.03)
