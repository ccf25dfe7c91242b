"""Bringing the edge of a mask that was found at reduced scale to the photo's own resolution.

A guided filter (He, Sun and Tang, "Guided image filtering", 2010, eq. 14 and 15 with a colour guide) makes the enlarged
mask a locally linear function of the colours, so that its edge moves to where the colours change. Only a band around
the edge is looked at, tile by tile: time and memory follow the length of the edge, not the size of the photo.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.imaging.photo import BoolMask

_TILE = 512
_LEAST_RADIUS = 2
_SMOOTHNESS = (4.0 / 255.0) ** 2
"""ε of the paper, for colours in [0, 1]: differences well below 4 levels count as noise."""


def refine_edge(
    pixels: NDArray[np.uint8], coarse: BoolMask, *, on_part: Callable[[float], None] | None = None
) -> BoolMask:
    """`coarse` (h, w) at the size of `pixels` (H, W, 3), with its edge moved to the edge in the colours.

    The edge may move by about a pixel of `coarse`. `on_part(fraction)` may raise to stop.
    """
    height, width = pixels.shape[:2]
    scale = max(height / coarse.shape[0], width / coarse.shape[1])
    radius = max(_LEAST_RADIUS, math.ceil(1.5 * scale))
    soft = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    refined = np.asarray(soft > 0.5)
    edge = cv2.morphologyEx(coarse.view(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    band = cv2.resize(edge, (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)
    tiles = [
        (top, left)
        for top in range(0, height, _TILE)
        for left in range(0, width, _TILE)
        if band[top : top + _TILE, left : left + _TILE].any()
    ]
    for number, (top, left) in enumerate(tiles):
        bottom, right = min(top + _TILE, height), min(left + _TILE, width)
        above, before = max(0, top - 2 * radius), max(0, left - 2 * radius)
        around = (slice(above, bottom + 2 * radius), slice(before, right + 2 * radius))
        guide = pixels[around].astype(np.float32) / np.float32(255.0)
        filtered = _guided(guide, np.asarray(soft[around], dtype=np.float32), radius)
        inner = filtered[top - above : bottom - above, left - before : right - before]
        tile = (slice(top, bottom), slice(left, right))
        refined[tile] = np.where(band[tile], inner > 0.5, refined[tile])
        if on_part is not None:
            on_part((number + 1) / len(tiles))
    return refined


def _guided(guide: NDArray[np.float32], values: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """The filter's output (h, w) for `values` (h, w) and `guide` (h, w, 3) with windows of side 2 · radius + 1."""

    def mean(array: NDArray[np.float32]) -> NDArray[np.float32]:
        side = 2 * radius + 1
        averaged = cv2.blur(array, (side, side), borderType=cv2.BORDER_REFLECT)
        return np.asarray(averaged, dtype=np.float32)

    centre, level = mean(guide), mean(values)
    covariance = mean(guide * values[..., np.newaxis]) - centre * level[..., np.newaxis]
    spread = {}
    for row in range(3):
        for column in range(row, 3):
            product = mean(guide[..., row] * guide[..., column]) - centre[..., row] * centre[..., column]
            spread[row, column] = product + np.float32(_SMOOTHNESS) if row == column else product
    slope = _solve(spread, covariance)
    offset = level - (slope * centre).sum(axis=2)
    return np.asarray((mean(slope) * guide).sum(axis=2) + mean(offset), dtype=np.float32)


def _solve(matrix: dict[tuple[int, int], NDArray[np.float32]], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Solve a symmetric 3 × 3 system for every pixel by its cofactors; NumPy's own solver takes ten times as long."""
    aa, ab, ac = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    bb, bc, cc = matrix[1, 1], matrix[1, 2], matrix[2, 2]
    first, second, third = bb * cc - bc * bc, ac * bc - ab * cc, ab * bc - ac * bb
    determinant = aa * first + ab * second + ac * third
    middle, last, cross = aa * cc - ac * ac, aa * bb - ab * ab, ab * ac - aa * bc
    x, y, z = right[..., 0], right[..., 1], right[..., 2]
    solved = np.stack(
        [first * x + second * y + third * z, second * x + middle * y + cross * z, third * x + cross * y + last * z],
        axis=2,
    )
    return np.asarray(solved / determinant[..., np.newaxis], dtype=np.float32)
