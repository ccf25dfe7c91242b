"""Cutting windows out of images and putting patches back.

A set of windows is an int64 tensor (N, 3): the image's index in the batch, and the top and left of the window. Windows
may reach over the image's border: there the image is mirrored (without repeating the edge pixel).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Tiling = Literal["grid", "overlap"]
Area = tuple[int, int, int, int]
"""Top, left, bottom and right of a part of an image; the last two lie past it."""


def hole_cells(mask: Tensor, patch: int, tiling: Tiling = "grid") -> Tensor:
    """The windows (N, 3) of the patch grid that hold at least one hole pixel, in reading order.

    `mask` is (B, 1, H, W) with 1 in the hole, H and W multiples of `patch`. ``"grid"`` is the paper's tiling without
    overlap, anchored at (0, 0); ``"overlap"`` adds the three grids moved by half a patch down, right and both.
    """
    step = patch if tiling == "grid" else patch // 2
    touched = F.max_pool2d(mask.float(), patch, step)[:, 0]
    windows = touched.nonzero()
    windows[:, 1:] *= step
    return windows


def covered_area(windows: Tensor, size: int) -> Area:
    """The smallest area that holds all `windows` (N, 3) of side `size`; an empty one where there is none."""
    if not len(windows):
        return (0, 0, 0, 0)
    top, left = windows[:, 1:].amin(0).tolist()
    bottom, right = (windows[:, 1:].amax(0) + size).tolist()
    return (top, left, bottom, right)


def training_cells(mask: Tensor, patch: int, count: int, generator: torch.Generator) -> Tensor:
    """Exactly `count` grid windows an image, (B·count, 3), image by image.

    Hole cells first (a random choice where there are more), then random cells of the known region, as in section IV
    of the T-MAD paper; an image with fewer than `count` cells repeats some.
    """
    touched = F.max_pool2d(mask.float(), patch)[:, 0]
    columns = touched.shape[2]
    chosen = []
    for index, cells in enumerate(touched.flatten(1).cpu()):
        order = torch.randperm(len(cells), generator=generator)
        order = order[cells[order].sort(descending=True, stable=True).indices]
        order = order.repeat(-(-count // len(order)))[:count]
        rows = order.div(columns, rounding_mode="floor")
        chosen.append(torch.stack([torch.full_like(order, index), rows * patch, order % columns * patch], dim=1))
    return torch.cat(chosen).to(mask.device)


def cut_windows(images: Tensor, windows: Tensor, size: int, margin: int = 0) -> Tensor:
    """The windows' pixels with `margin` more on each side: (N, C, size + 2·margin, size + 2·margin)."""
    rows, columns = _window_indices(windows, size, margin)
    rows, columns = _mirrored(rows, images.shape[-2]), _mirrored(columns, images.shape[-1])
    cut = images.permute(0, 2, 3, 1)[windows[:, 0, None, None], rows[:, :, None], columns[:, None, :]]
    return cut.permute(0, 3, 1, 2).contiguous()


def blend_window(patch: int, tiling: Tiling, *, device: torch.device | str = "cpu") -> Tensor:
    """The weight (patch, patch) of each pixel of a synthesised patch.

    Ones for ``"grid"``. For ``"overlap"`` a squared sine in both directions: two of them half a patch apart add up to
    1 exactly, so the four overlapping grids are a partition of unity.
    """
    if tiling == "grid":
        return torch.ones(patch, patch, device=device)
    phase = (torch.arange(patch, device=device) + 0.5) * (math.pi / patch)
    ramp = phase.sin().square()
    return ramp[:, None] * ramp[None, :]


class PatchCanvas:
    """Collects synthesised patches and blends them over a batch of composites.

    Patches are accumulated with their blend weights and divided by the sum of the weights, so that every pixel is a
    weighted mean of the patches that cover it, also at the image's border where fewer do.

    With an `area` (top, left, bottom, right), only that part of the images is kept account of: a hole in a large photo
    then needs memory for itself, not for the photo.
    """

    def __init__(self, images: Tensor, patch: int, tiling: Tiling, area: Area | None = None) -> None:
        batch, channels, height, width = images.shape
        self.patch = patch
        self.area = area or (0, 0, height, width)
        top, left, bottom, right = self.area
        self.weight = blend_window(patch, tiling, device=images.device).to(images.dtype)
        self.colour = images.new_zeros(batch, bottom - top, right - left, channels)
        self.covered = images.new_zeros(batch, bottom - top, right - left)

    def add(self, windows: Tensor, patches: Tensor) -> None:
        """Add `patches` (N, C, patch, patch) at `windows` (N, 3), which must lie inside the area. Differentiable."""
        rows, columns = _window_indices(windows, self.patch, 0)
        top, left = self.area[:2]
        where = (windows[:, 0, None, None], rows[:, :, None] - top, columns[:, None, :] - left)
        weight = self.weight.expand(len(windows), -1, -1)
        coloured = (patches * self.weight).permute(0, 2, 3, 1).to(self.colour.dtype)
        if torch.is_grad_enabled():
            self.colour = self.colour.index_put(where, coloured, accumulate=True)
        else:
            self.colour.index_put_(where, coloured, accumulate=True)
        self.covered.index_put_(where, weight, accumulate=True)

    def over(self, images: Tensor, mask: Tensor) -> Tensor:
        """`images` (B, C, H, W) with the blended patches in those hole pixels that patches cover."""
        top, left, bottom, right = self.area
        rows, columns = slice(top, bottom), slice(left, right)
        blended = (self.colour / self.covered.clamp_min(1e-6).unsqueeze(-1)).permute(0, 3, 1, 2)
        filled = (mask[..., rows, columns] > 0.5) & (self.covered > 0).unsqueeze(1)
        part = torch.where(filled, blended, images[..., rows, columns])
        if part.shape == images.shape:
            return part
        whole = images.clone()
        whole[..., rows, columns] = part
        return whole


def _window_indices(windows: Tensor, size: int, margin: int) -> tuple[Tensor, Tensor]:
    offsets = torch.arange(-margin, size + margin, device=windows.device)
    return windows[:, 1, None] + offsets, windows[:, 2, None] + offsets


def _mirrored(index: Tensor, length: int) -> Tensor:
    if length == 1:
        return torch.zeros_like(index)
    period = 2 * (length - 1)
    index = index.remainder(period)
    return torch.minimum(index, period - index)
