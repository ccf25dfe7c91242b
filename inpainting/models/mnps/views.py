"""Turned and enlarged copies of a photo, so that texture can be taken from it at other angles and sizes too."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

ANGLES = (0.0, math.pi / 24, -math.pi / 24)
FACTORS = (1.0, 1.05, 1 / 1.05)
"""The copies of the published code: three angles at three sizes."""


@dataclass(frozen=True, slots=True)
class View:
    """A copy of the photo on a canvas of the same size, turned by `angle` and enlarged by `factor` about its centre."""

    angle: float = 0.0
    factor: float = 1.0

    @property
    def is_plain(self) -> bool:
        return self.angle == 0.0 and self.factor == 1.0

    def of(self, picture: Tensor) -> Tensor:
        """The copy of `picture` (1, C, H, W), bilinear; zero where the canvas shows nothing of it."""
        if self.is_plain:
            return picture
        height, width = picture.shape[-2:]
        rows, columns = torch.meshgrid(
            torch.arange(height, device=picture.device), torch.arange(width, device=picture.device), indexing="ij"
        )
        points = self.in_photo(torch.stack([rows, columns], dim=-1).float().flatten(0, 1), (height, width))
        points = points.view(height, width, 2)
        # grid_sample counts from -1 to 1 between the outer edges of the outer pixels, x before y.
        grid = torch.stack([(2 * points[..., 1] + 1) / width - 1, (2 * points[..., 0] + 1) / height - 1], dim=-1)
        return F.grid_sample(picture, grid[None].to(picture), padding_mode="zeros", align_corners=False)

    def in_photo(self, points: Tensor, size: tuple[int, int]) -> Tensor:
        """Where in the photo (y, x) the `points` (N, 2) of the canvas show; pixel centres are whole numbers."""
        centre = points.new_tensor([(size[0] - 1) / 2, (size[1] - 1) / 2])
        y, x = ((points - centre) / self.factor).unbind(-1)
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        return torch.stack([cosine * y - sine * x, sine * y + cosine * x], dim=-1) + centre


UPRIGHT = (View(),)
TURNED = tuple(View(angle, factor) for angle in ANGLES for factor in FACTORS)
