"""Bringing photos to the sides that a network can take, and coordinates back."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def pad_to_multiple(maps: Tensor, multiple: int) -> Tensor:
    """Extend (B, C, H, W) at the right and bottom until both sides are multiples of `multiple`.

    Photos and masks must go through this alike: the border is mirrored where there is enough to mirror and repeated
    otherwise, so that a mirrored hole stays a hole.
    """
    height, width = maps.shape[-2:]
    for right, bottom, side in ((-width % multiple, 0, width), (0, -height % multiple, height)):
        extra = right or bottom
        if extra:
            maps = F.pad(maps, (0, right, 0, bottom), mode="reflect" if extra < side else "replicate")
    return maps


def fold_back(coordinates: Tensor, side: int, multiple: int) -> Tensor:
    """Positions on an axis of length `side` extended by `pad_to_multiple`, as positions on the axis before."""
    if -side % multiple < side:
        return coordinates.where(coordinates < side, 2 * (side - 1) - coordinates)
    return coordinates.clamp(max=side - 1)
