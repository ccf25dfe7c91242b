"""Padding: to sizes that a network's strides divide, and inside convolutions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def pad_to_multiple(maps: Tensor, multiple: int) -> Tensor:
    """Pad (B, C, H, W) at the right and bottom until `multiple` divides H and W.

    Reflects where the map is larger than the padding, repeats the edge where it is not. Masks are padded by the same
    call: a reflected hole is still a hole. Undo with ``padded[..., :H, :W]``.
    """
    height, width = maps.shape[-2:]
    return _pad(maps, 0, -width % multiple, 0, -height % multiple)


def pad_same(maps: Tensor, amount: int) -> Tensor:
    """Pad all four sides of (B, C, H, W) by `amount`, without the dark rim that zeros make."""
    return _pad(maps, amount, amount, amount, amount)


def _pad(maps: Tensor, left: int, right: int, top: int, bottom: int) -> Tensor:
    height, width = maps.shape[-2:]
    if max(left, right) > 0:
        maps = F.pad(maps, (left, right, 0, 0), mode=_mode(max(left, right), width))
    if max(top, bottom) > 0:
        maps = F.pad(maps, (0, 0, top, bottom), mode=_mode(max(top, bottom), height))
    return maps


def _mode(amount: int, side: int) -> str:
    # Reflection leaves out the edge itself, so it needs one pixel more than it adds.
    return "reflect" if amount < side else "replicate"
