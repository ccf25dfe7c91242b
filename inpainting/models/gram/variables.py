"""What the optimiser moves: the hole's pixels, as a sum of pictures at several scales."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

LEVELS = 4
"""Halvings below full size."""
LEVEL_WEIGHT = 0.5
"""A pixel of the next coarser level spreads over four; half its weight keeps the norm of what it does. Less makes the
optimiser prefer fine changes."""


class PyramidVariables:
    """Pictures as ``base + movable · Σ_j w^j · enlarge(v_j)``, the v_j being the variables, all zero at first.

    The sum can be any picture, so the minimum is where it was. But L-BFGS sees broad changes as single variables
    instead of thousands that must move together: it grows structure first and leaves less speckle.
    """

    def __init__(self, base: Tensor, movable: Tensor, level_weight: float = LEVEL_WEIGHT) -> None:
        """`base` is (B, 3, H, W); `movable` (B, 1, H, W) is 1 where the picture may change; w is `level_weight`."""
        self.base, self.movable, self.level_weight = base, movable, level_weight
        height, width = base.shape[-2:]
        levels = [level for level in range(LEVELS + 1) if level == 0 or min(height, width) >> level >= 2]
        self.shapes = [(height >> level, width >> level) for level in levels]

    def start(self, pictures: Tensor | None = None) -> Tensor:
        """(B, n): the variables of `pictures` (B, 3, H, W) where they may move; of the base itself without them."""
        count = sum(3 * height * width for height, width in self.shapes)
        variables = self.base.new_zeros(len(self.base), count)
        if pictures is not None:
            finest = (pictures - self.base) * (self.movable > 0)
            variables[:, : finest[0].numel()] = finest.flatten(1)
        return variables

    def pictures(self, variables: Tensor) -> Tensor:
        """(B, 3, H, W); differentiable."""
        change = torch.zeros_like(self.base)
        first = 0
        for level, (height, width) in enumerate(self.shapes):
            picture = variables[:, first : first + 3 * height * width].view(-1, 3, height, width)
            first += 3 * height * width
            if level:
                picture = F.interpolate(picture, size=self.base.shape[-2:], mode="bilinear", align_corners=False)
            change = change + picture * self.level_weight**level
        return self.base + self.movable * change
