"""A context crop at the scale a model works at."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.imaging.photo import BoolMask, Pixels

FloatImage = NDArray[np.float32]
"""(H, W, 3), RGB, values as stored, in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class WorkingCrop:
    """What a model gets to see of a crop, and how its pixels relate to the crop's.

    Pixel (y, x) of the crop lies at ((y + 0.5) / scale_y - 0.5, (x + 0.5) / scale_x - 0.5) here.
    """

    image: FloatImage
    """(h, w, 3); zero in the hole."""
    mask: BoolMask
    """(h, w), True where a pixel is unknown, even in part."""
    scale_y: float
    scale_x: float
    """Pixels of the crop for each pixel here, 1 or more."""

    @property
    def is_reduced(self) -> bool:
        return self.scale_y > 1.0 or self.scale_x > 1.0

    def composite(self, filled: FloatImage) -> FloatImage:
        """(h, w, 3): `filled` in the hole and the known pixels elsewhere."""
        return np.where(self.mask[..., np.newaxis], filled, self.image)


def to_unit_rgb(pixels: Pixels) -> FloatImage:
    """Grey or RGB `pixels` (H, W, 1 or 3) as float RGB in [0, 1]; grey is repeated."""
    scaled = pixels.astype(np.float32)
    scaled *= np.float32(1.0 / np.iinfo(pixels.dtype).max)
    return scaled if pixels.shape[2] == 3 else np.repeat(scaled, 3, axis=2)


def working_size(height: int, width: int, max_side: int | None) -> tuple[int, int]:
    """(height, width) of a crop brought down to a long side of at most `max_side`."""
    factor = 1.0 if max_side is None else max(height, width) / max_side
    return (height, width) if factor <= 1.0 else (max(1, round(height / factor)), max(1, round(width / factor)))


def make_working_crop(pixels: Pixels, unknown: BoolMask, max_side: int | None) -> WorkingCrop:
    """Bring a crop (H, W, 1 or 3) with its `unknown` mask (H, W) to a long side of at most `max_side`.

    Known pixels are averaged over areas; an area with any unknown pixel is unknown, so nothing of the hole's old
    content reaches the model. Only where holes are so finely scattered that this would leave nothing, an area counts as
    known when at least half of it is, or, in the extreme, any of it, averaged over its known pixels.
    """
    height, width = unknown.shape
    rows, columns = working_size(height, width, max_side)
    if (rows, columns) == (height, width):
        image = to_unit_rgb(pixels)
        image[unknown] = 0.0
        return WorkingCrop(image=image, mask=unknown.copy(), scale_y=1.0, scale_x=1.0)
    size = (columns, rows)
    blanked = np.where(unknown[..., np.newaxis], pixels.dtype.type(0), pixels)
    small = cv2.resize(blanked, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    image = to_unit_rgb(small)  # type: ignore[arg-type]  # cv2 keeps the data type
    mask = _touched(_touched(unknown, size[1]).T, size[0]).T
    if mask.all():
        image, mask = _scattered(blanked, unknown, size)
    image[mask] = 0.0
    return WorkingCrop(image=image, mask=mask, scale_y=height / size[1], scale_x=width / size[0])


def _touched(unknown: BoolMask, rows: int) -> BoolMask:
    """(rows, W): True where any of the rows of `unknown` (H, W) that an area overlaps, even in part, is True."""
    height = unknown.shape[0]
    edges = np.arange(rows + 1) * height
    touched = np.logical_or.reduceat(unknown, edges[:-1] // rows, axis=0)
    # A row that is cut by the lower edge of an area belongs to that area too.
    cut = np.flatnonzero(edges[1:] % rows)
    touched[cut] |= unknown[edges[1:][cut] // rows]
    return np.ascontiguousarray(touched)


def _scattered(blanked: Pixels, unknown: BoolMask, size: tuple[int, int]) -> tuple[FloatImage, BoolMask]:
    """Image and mask of a crop in which every area has unknown pixels: averages over the known ones."""
    share = cv2.resize((~unknown).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(to_unit_rgb(blanked), size, interpolation=cv2.INTER_AREA)
    mask = share < 0.5
    if mask.all():
        mask = share <= 0.0
    if not mask.any():
        mask[np.unravel_index(np.argmin(share), share.shape)] = True  # no model is given a crop without a hole
    image = sums / np.maximum(share, np.float32(1e-6))[..., np.newaxis]
    return np.clip(image, 0.0, 1.0).astype(np.float32), mask


def soften_edge(filled: FloatImage, image: FloatImage, mask: BoolMask, reach: float) -> FloatImage:
    """Move `filled` towards the known pixels at the hole's edge, fading over `reach` pixels into the hole.

    Where a model's result differs from the photo on the known side, that difference is continued into the hole with
    normalised Gaussian weights and fades with exp(-distance / reach). Only hole pixels change.
    """
    ring = cv2.dilate(mask.view(np.uint8), np.ones((7, 7), np.uint8)).astype(bool) & ~mask
    if reach <= 0 or not ring.any():
        return filled
    weight = ring.astype(np.float32)
    difference = (image - filled) * weight[..., np.newaxis]
    spread = cv2.GaussianBlur(difference, (0, 0), reach)
    total = cv2.GaussianBlur(weight, (0, 0), reach)
    distance = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 3)
    fade = np.where(mask, np.exp(-np.maximum(distance - 1.0, 0.0) / reach), 0.0).astype(np.float32)
    correction = spread / np.maximum(total, 1e-6)[..., np.newaxis]
    return np.asarray(filled + correction * fade[..., np.newaxis], dtype=np.float32)
