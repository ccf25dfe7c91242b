"""Putting filled holes back into the photo, and proving that nothing else changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.imaging.context import HoleGroup
from inpainting.imaging.detail import DetailSource, Index, detail_at, enlarge_at
from inpainting.imaging.photo import BoolMask, Photo, Pixels
from inpainting.imaging.working import FloatImage, WorkingCrop

_PIXELS_AT_ONCE = 1 << 18
_ALPHA_SIDE = 1024
_ALPHA_RADIUS = 5


@dataclass(frozen=True, slots=True)
class Proof:
    """How many pixels had to stay as they were, and how many of them did not."""

    known_pixels: int
    changed_pixels: int

    def as_dict(self) -> dict[str, int]:
        return {"known_pixels": self.known_pixels, "changed_pixels": self.changed_pixels}


def prove(before: Pixels, after: Pixels, mask: BoolMask) -> Proof:
    """Compare two versions of a photo, (H, W, C) of one type, outside the hole of `mask` (H, W)."""
    if before.shape != after.shape or before.dtype != after.dtype:
        raise ValueError(f"cannot compare {before.dtype} {before.shape} with {after.dtype} {after.shape}")
    changed = 0
    rows_at_once = max(1, _PIXELS_AT_ONCE // max(1, mask.shape[1]))
    for top in range(0, mask.shape[0], rows_at_once):
        rows = slice(top, top + rows_at_once)
        if np.array_equal(before[rows], after[rows]):
            continue
        differs = (before[rows] != after[rows]).any(axis=2)
        changed += int(np.count_nonzero(differs & ~mask[rows]))
    return Proof(known_pixels=mask.size - int(np.count_nonzero(mask)), changed_pixels=changed)


def paste_fill(
    result: Pixels,
    photo: Photo,
    group: HoleGroup,
    unknown: BoolMask,
    working: WorkingCrop,
    filled: FloatImage,
    detail: DetailSource | None,
    on_piece: Callable[[float], None] | None = None,
) -> None:
    """Write one group's fill into `result` (H, W, C), which starts as a copy of the photo's pixels.

    `filled` (h, w, 3) is the model's result at working scale, `unknown` (crop height, crop width) every hole pixel of
    the crop. Only the group's own hole pixels are assigned: rounded to the photo's type, grey averaged from RGB. A
    reduced result is enlarged bicubically, with the photo's own detail where `detail` tells where from. Alpha is
    continued from around the hole. `on_piece(share of the crop's rows done)` may raise to stop.
    """
    target = result[group.crop.slices]
    source = photo.color_pixels[group.crop.slices]
    channels = source.shape[2]
    small = working.composite(filled)
    for ys, xs in _hole_pixels(group.mask):
        if working.is_reduced:
            values = enlarge_at(small, working.scale_y, working.scale_x, ys, xs)
            if detail is not None:
                values += detail_at(source, unknown, small, detail, working.scale_y, working.scale_x, ys, xs)
        else:
            values = filled[ys, xs]
        if channels == 1:
            values = values.mean(axis=1, keepdims=True, dtype=np.float32)
        target[ys, xs, :channels] = _to_type(values, photo)
        if on_piece is not None:
            on_piece(float(ys[-1] + 1) / unknown.shape[0])
    if photo.has_alpha:
        _fill_alpha(target, group.mask, unknown, photo)


def _hole_pixels(mask: BoolMask) -> Iterator[tuple[Index, Index]]:
    """Rows and columns of the hole's pixels, in pieces of bounded size."""
    rows_at_once = max(1, _PIXELS_AT_ONCE // max(1, mask.shape[1]))
    for top in range(0, mask.shape[0], rows_at_once):
        ys, xs = np.nonzero(mask[top : top + rows_at_once])
        if ys.size:
            yield ys + top, xs


def _to_type(values: FloatImage, photo: Photo) -> Pixels:
    scaled = np.rint(np.clip(values, 0.0, 1.0) * np.float32(photo.max_value))
    return np.asarray(scaled, dtype=photo.pixels.dtype)


def _fill_alpha(target: Pixels, own: BoolMask, unknown: BoolMask, photo: Photo) -> None:
    """Continue transparency into the hole: opaque where everything around is, else smoothly from the hole's edge."""
    alpha = target[..., -1]
    if (alpha[~unknown] == photo.max_value).all():
        alpha[own] = photo.max_value
        return
    height, width = unknown.shape
    factor = max(1.0, max(height, width) / _ALPHA_SIDE)
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    eight = np.where(unknown, 0, alpha // (photo.max_value // 255)).astype(np.uint8)
    hole = unknown.view(np.uint8) * np.uint8(255)
    if factor > 1.0:
        eight = cv2.resize(eight, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        hole = (cv2.resize(hole, size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    smooth: NDArray[np.uint8] = cv2.inpaint(eight, hole, _ALPHA_RADIUS, cv2.INPAINT_TELEA).astype(np.uint8)
    if factor > 1.0:
        smooth = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    alpha[own] = smooth[own].astype(target.dtype) * (photo.max_value // 255)
