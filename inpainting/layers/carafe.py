"""CARAFE: up-sampling whose interpolation kernels are predicted from the content.

Source: Wang et al., "CARAFE: Content-Aware ReAssembly of FEatures", ICCV 2019, section 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F


class CARAFE(nn.Module):
    """Doubles the resolution of a feature map, (B, C, H, W) → (B, C, 2H, 2W).

    For every output pixel a `kernel`×`kernel` set of weights is predicted and normalised by a softmax; the output is
    the weighted sum of the source neighbourhood around ``(⌊y/2⌋, ⌊x/2⌋)``. Outside the map the source is zero.
    """

    scale = 2

    def __init__(self, channels: int, *, compressed: int = 64, kernel: int = 5, encoder_kernel: int = 3) -> None:
        super().__init__()
        self.kernel = kernel
        self.compress = nn.Conv2d(channels, compressed, 1)
        self.encode = nn.Conv2d(compressed, (self.scale * kernel) ** 2, encoder_kernel, padding=encoder_kernel // 2)
        nn.init.xavier_uniform_(self.compress.weight)
        nn.init.zeros_(self.compress.bias)  # type: ignore[arg-type]
        # Small logits: the layer starts as an even 5×5 blur and learns to sharpen.
        nn.init.normal_(self.encode.weight, std=1e-3)
        nn.init.zeros_(self.encode.bias)  # type: ignore[arg-type]

    def kernels(self, features: Tensor) -> Tensor:
        """Reassembly weights, (B, kernel², scale², H, W), which sum to 1 over dimension 1.

        Dimension 2 counts the output pixels of one source pixel in reading order.
        """
        batch, _, height, width = features.shape
        logits: Tensor = self.encode(self.compress(features))
        return logits.view(batch, self.kernel**2, self.scale**2, height, width).softmax(1)

    def forward(self, features: Tensor) -> Tensor:
        weights = self.kernels(features)
        # Under autocast the softmax is float32: sum in its precision, go on in that of the features.
        raised = reassemble(features.to(weights.dtype), weights)
        return F.pixel_shuffle(raised.flatten(1, 2), self.scale).to(features.dtype)


def reassemble(features: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums of k×k neighbourhoods, zero outside the map, with gradients to both arguments.

    Args:
        features: (B, C, H, W).
        weights: (B, k², S, H, W) for S sums per pixel.

    Returns:
        (B, C, S, H, W). Neither pass ever holds more than one shift of the map: the k²-fold unfolded map would be
        25 times the input.
    """
    result: Tensor = _Reassembly.apply(features, weights)  # type: ignore[no-untyped-call]
    return result


class _Reassembly(torch.autograd.Function):
    """`reassemble` with sums in place; recording its additions one by one is three times slower."""

    @staticmethod
    def forward(ctx: FunctionCtx, features: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(features, weights)
        batch, channels, height, width = features.shape
        total = features.new_zeros(batch, channels, weights.shape[2], height, width)
        for index, source in enumerate(_shifts(_padded(features, weights), weights)):
            total.addcmul_(source.unsqueeze(2), weights[:, None, index])
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        features, weights = ctx.saved_tensors
        padded = _padded(features, weights)
        padded_grad, weights_grad = torch.zeros_like(padded), torch.empty_like(weights)
        shifts = zip(_shifts(padded, weights), _shifts(padded_grad, weights), strict=True)
        for index, (source, source_grad) in enumerate(shifts):
            for part in range(weights.shape[2]):
                pulled = grad[:, :, part]
                source_grad.addcmul_(pulled, weights[:, index, part].unsqueeze(1))
                torch.sum(pulled * source, dim=1, out=weights_grad[:, index, part])
        reach = _reach(weights)
        height, width = features.shape[-2:]
        return padded_grad[:, :, reach : reach + height, reach : reach + width], weights_grad


def _reach(weights: Tensor) -> int:
    return math.isqrt(weights.shape[1]) // 2


def _padded(features: Tensor, weights: Tensor) -> Tensor:
    return F.pad(features, (_reach(weights),) * 4)


def _shifts(padded: Tensor, weights: Tensor) -> Iterator[Tensor]:
    """Views of the padded map, one for each place of the kernel in reading order."""
    kernel, (height, width) = math.isqrt(weights.shape[1]), weights.shape[-2:]
    for top in range(kernel):
        for left in range(kernel):
            yield padded[:, :, top : top + height, left : left + width]
