"""Giving a smooth fill the photo's own grain.

Networks that are unsure paint the mean of what could be, and the mean has no grain. For each part of the hole the known
place is found that looks like it once both are blurred alike; what the blur takes away there is added here. That is
the step of `inpainting.imaging.detail` at one and the same scale: there it is the reduction that took detail away.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from inpainting.imaging.correspondence import PATCH, find_sources
from inpainting.imaging.detail import DetailSource, detail_at
from inpainting.imaging.photo import BoolMask
from inpainting.imaging.working import FloatImage, working_size

_COARSEST = 3.0
"""Standard deviation of the blur in pixels: what it takes away counts as grain."""
_COMPARED = 0.8
"""That of the blur under which places are compared: a fill without grain is to find places that have some."""
_LARGEST_COMPARED = 1024
"""Long side in pixels at which places are looked for; the search takes as long as the hole has pixels."""


def add_grain(
    image: FloatImage,
    mask: BoolMask,
    strength: float,
    *,
    seed: int,
    on_round: Callable[[float], None] | None = None,
) -> FloatImage:
    """(h, w, 3): the filled `image` (h, w, 3) in [0, 1] with grain in its hole, `mask` (h, w).

    `strength` is the share of the grain found: 1 gives the hole the contrast of its surroundings, less is nearer to
    the truth pixel by pixel, as the grain is plausible and not known. Parts of the hole for which there is no whole
    known patch stay as they are. Places are compared at a long side of at most 1024 pixels. The same seed gives the
    same grain. `on_round(fraction)` may raise to stop.
    """
    height, width = mask.shape
    rows, columns = working_size(height, width, _LARGEST_COMPARED)
    small, small_mask = image, mask
    if (rows, columns) != mask.shape:
        small = np.asarray(cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
        touched = cv2.resize(mask.view(np.uint8) * np.uint8(255), (columns, rows), interpolation=cv2.INTER_AREA)
        small_mask = touched > 0
    sources = find_sources(_blurred(small, _COMPARED), small_mask, seed=seed, on_round=on_round)
    if not (sources[..., 0] >= 0).any():
        return image
    ys, xs = np.nonzero(mask)
    scale_y, scale_x = height / rows, width / columns
    smooth = _blurred(small, _COARSEST / max(scale_y, scale_x))
    grain = detail_at(image, mask, smooth, DetailSource.from_sources(sources, PATCH), scale_y, scale_x, ys, xs)
    grained = image.copy()
    grained[ys, xs] = np.clip(grained[ys, xs] + np.float32(strength) * grain, 0.0, 1.0)
    return grained


def _blurred(image: FloatImage, deviation: float) -> FloatImage:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), deviation), np.float32)
