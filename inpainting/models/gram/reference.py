"""Where the texture to be matched is measured: the look-up of reference windows by masked Gramians."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from inpainting.imaging.context import Box
from inpainting.layers.gram_statistics import EXPANSIONS, STRIDES, Statistics, known_masks, statistics_distance
from inpainting.models.gram.backbone import Backbone, ColourSpace
from inpainting.models.gram.layout import lattice

STEPS = (64, 32, 16)
"""Lattices of candidate windows in photo pixels: the paper's, and finer ones for where it has no free window."""
EXACT_EXPANSIONS: Mapping[str, int] = {**EXPANSIONS, "pool3": 4, "pool4": 4, "pool5": 4}
"""Growth of the hole that really covers what convolutions spread: one pixel for each of a stage's convolutions."""


class ReferenceTexture:
    """The known region of one picture (possibly reduced): its features are computed once, windows are slices of them.

    Args:
        colours: (1, 3, H, W) whitened, with anything in the hole.
        hole: (1, 1, H, W), 1 in the hole.
    """

    def __init__(self, backbone: Backbone, space: ColourSpace, colours: Tensor, hole: Tensor) -> None:
        self.hole = hole[0, 0].cpu().numpy() > 0.5
        with torch.no_grad():
            self.features = backbone.features(colours, space)
        self.taps = backbone.taps[: len(self.features)]
        self.mask = hole

    def look_up(self, target: list[Tensor], size: tuple[int, int], hole: Tensor, step: int = STEPS[0]) -> Box | None:
        """The window of `size` (height, width) whose masked Gramians are nearest to those of `target` (section 3.2).

        `target` are the features of the patch, one (1, C, h, w) a tap, and `hole` (1, 1, height, width) its unknown
        pixels: both sides of the comparison are masked alike. Windows are tried on a lattice of `step` pixels, on
        finer ones where that has none. Ties go to the first in scan order. ``None`` where no
        window is free of the hole, or the patch has nothing known to compare.
        """
        windows: list[Box] = []
        for each in (each for each in STEPS if each <= step):
            windows = lattice(self.hole.shape, size, self.hole, each)
            if windows:
                break
        if len(windows) <= 1:
            return windows[0] if windows else None
        taps = self.taps[: len(target)]
        known = known_masks(hole, taps)
        usable = [bool(mask.any()) for mask in known]
        if not any(usable):
            return None
        wanted = Statistics.of(taps, target, known)
        distances = [
            float(statistics_distance(Statistics.of(taps, self._slices(window, target), known), wanted, usable))
            for window in windows
        ]
        return windows[int(np.argmin(distances))]

    def known_region(self) -> Statistics:
        """The masked statistics of everything known; taps that the hole reaches everywhere are left out."""
        exact = known_masks(self.mask, self.taps, EXACT_EXPANSIONS)
        loose = known_masks(self.mask, self.taps)
        kept: list[str] = []
        masks: list[Tensor] = []
        for tap, strict, lax in zip(self.taps, exact, loose, strict=True):
            mask = strict if strict.any() else lax
            if not mask.any():
                break  # deeper taps see even less
            kept.append(tap)
            masks.append(mask)
        return Statistics.of(kept, self.features[: len(kept)], masks)

    def _slices(self, window: Box, like: list[Tensor]) -> list[Tensor]:
        """The features of `window`, tap by tap; for as many taps as `like` has."""
        slices = []
        for tap, features in zip(self.taps[: len(like)], self.features, strict=False):
            stride = STRIDES[tap]
            rows = slice(window.top // stride, max(window.top // stride + 1, window.bottom // stride))
            columns = slice(window.left // stride, max(window.left // stride + 1, window.right // stride))
            slices.append(features[..., rows, columns])
        return slices


def active_masks(hole: Tensor, margin: int, count: int) -> list[Tensor]:
    """Where features are mostly about the hole: it and `margin` pixels around it, for the first `count` strides.

    (B, 1, H, W) to one (B, 1, h, w) a tap, 1 where any pixel is in it; fewer where a map would vanish. In a patch that
    is mostly known, Gramians over the whole patch make the hole pay for every difference between its surroundings and
    the reference, several times over: blotches. Over the active part only, the hole has to be like the reference and
    nothing more.
    """
    grown = F.max_pool2d(hole.float(), 2 * margin + 1, 1, margin) if margin else hole.float()
    masks = [grown]
    while len(masks) < count and min(masks[-1].shape[-2:]) >= 2:
        masks.append(F.max_pool2d(masks[-1], 2))
    return masks[:count]


def cut(picture: Tensor, box: Box) -> Tensor:
    """The part of `picture` (B, C, H, W) in `box`."""
    return picture[..., box.top : box.bottom, box.left : box.right]


def mirrored_cut(picture: Tensor, window: Box) -> Tensor:
    """The part of `picture` (B, C, H, W) in `window`; beyond the border the picture is mirrored."""
    rows = _mirrored(torch.arange(window.top, window.bottom, device=picture.device), picture.shape[2])
    columns = _mirrored(torch.arange(window.left, window.right, device=picture.device), picture.shape[3])
    return picture[:, :, rows[:, None], columns]


def _mirrored(index: Tensor, length: int) -> Tensor:
    period = max(1, 2 * (length - 1))
    index = index.remainder(period)
    return torch.minimum(index, period - index).clamp_max(length - 1)
