"""Bringing a result from a model's working scale to the photo's, with the photo's own fine detail.

A hole filled at reduced scale and enlarged is soft. When it is known where in the photo the content of each hole pixel
comes from, the detail that the reduction took away at that place (the photo minus its reduced and enlarged self)
belongs into the hole as well. It is copied patch by patch; neighbouring patches are blended over their overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.imaging.photo import BoolMask, Pixels
from inpainting.imaging.working import FloatImage

Index = NDArray[np.intp]
_REMAP_COLUMNS = 4096  # cv2.remap wants no side of 32768 or more


def enlarge_at(small: FloatImage, scale_y: float, scale_x: float, ys: Index, xs: Index) -> FloatImage:
    """(n, 3): `small` enlarged with bicubic interpolation, at pixels (`ys`, `xs`) of the large picture only."""
    count = ys.size
    rows = -(-count // _REMAP_COLUMNS)
    map_y = np.zeros(rows * _REMAP_COLUMNS, np.float32)
    map_x = np.zeros(rows * _REMAP_COLUMNS, np.float32)
    map_y[:count] = (ys + 0.5) / scale_y - 0.5
    map_x[:count] = (xs + 0.5) / scale_x - 0.5
    shape = (rows, _REMAP_COLUMNS)
    values = cv2.remap(
        small, map_x.reshape(shape), map_y.reshape(shape), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(values.reshape(-1, 3)[:count], dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class DetailSource:
    """Where each patch of a reduced hole comes from, on a grid of patch centres."""

    offsets: NDArray[np.int32]
    """(rows, columns, 2): source minus destination (y, x) in working pixels, of the patch centred on a grid node."""
    known: BoolMask
    """(rows, columns): whether the node has a source."""
    step: int
    """Working pixels between neighbouring nodes; each patch reaches this far to all sides."""

    @classmethod
    def from_sources(cls, sources: NDArray[np.int32], patch: int) -> DetailSource:
        """From an index map (h, w, 2) of (y, x), -1 where there is none, made of patches of side `patch`."""
        height, width = sources.shape[:2]
        step = max(1, patch // 2)
        nodes_y = np.arange(0, height - 1 + step, step)
        nodes_x = np.arange(0, width - 1 + step, step)
        offsets = np.zeros((nodes_y.size, nodes_x.size, 2), np.int32)
        known = np.zeros(offsets.shape[:2], np.bool_)
        reach = range(-step, step + 1)
        # A node just outside the hole has no source itself: it takes over that of the nearest pixel which has one.
        for dy, dx in sorted(((dy, dx) for dy in reach for dx in reach), key=lambda d: (d[0] ** 2 + d[1] ** 2, d)):
            at_y = np.clip(nodes_y + dy, 0, height - 1)[:, np.newaxis]
            at_x = np.clip(nodes_x + dx, 0, width - 1)[np.newaxis, :]
            found = sources[at_y, at_x]
            new = (found[..., 0] >= 0) & ~known
            offsets[..., 0][new] = (found[..., 0] - at_y)[new]
            offsets[..., 1][new] = (found[..., 1] - at_x)[new]
            known |= new
        return cls(offsets=offsets, known=known, step=step)


def detail_at(
    pixels: Pixels | FloatImage,
    unknown: BoolMask,
    small: FloatImage,
    source: DetailSource,
    scale_y: float,
    scale_x: float,
    ys: Index,
    xs: Index,
) -> FloatImage:
    """(n, 3): the fine detail to add to the enlarged result at the hole pixels (`ys`, `xs`) of a crop.

    `pixels` (H, W, 1 or 3; whole numbers, or floating point in [0, 1]) and `unknown` (H, W) are the crop at full
    resolution, `small` (h, w, 3) its filled version at working scale. Places without a usable source get no detail
    (zero).
    """
    height, width = unknown.shape
    unit = np.float32(1.0 if pixels.dtype.kind == "f" else 1.0 / np.iinfo(pixels.dtype).max)  # type: ignore[type-var]
    grid_y = np.maximum((ys + 0.5) / scale_y - 0.5, 0.0) / source.step
    grid_x = np.maximum((xs + 0.5) / scale_x - 0.5, 0.0) / source.step
    low_y, low_x = grid_y.astype(np.intp), grid_x.astype(np.intp)
    part_y, part_x = grid_y - low_y, grid_x - low_x
    total = np.zeros((ys.size, 3), np.float32)
    weights = np.zeros(ys.size, np.float32)
    for up in (0, 1):
        for right in (0, 1):
            node_y = np.minimum(low_y + up, source.known.shape[0] - 1)
            node_x = np.minimum(low_x + right, source.known.shape[1] - 1)
            weight = (part_y if up else 1.0 - part_y) * (part_x if right else 1.0 - part_x)
            offset = source.offsets[node_y, node_x]
            from_y = ys + np.rint(offset[:, 0] * scale_y).astype(np.intp)
            from_x = xs + np.rint(offset[:, 1] * scale_x).astype(np.intp)
            usable = source.known[node_y, node_x] & (weight > 0)
            usable &= (from_y >= 0) & (from_y < height) & (from_x >= 0) & (from_x < width)
            at = np.flatnonzero(usable)
            at = at[~unknown[from_y[at], from_x[at]]]
            if at.size == 0:
                continue
            from_y, from_x = from_y[at], from_x[at]
            detail = pixels[from_y, from_x].astype(np.float32) * unit - enlarge_at(
                small, scale_y, scale_x, from_y, from_x
            )
            share = weight[at].astype(np.float32)
            total[at] += detail * share[:, np.newaxis]
            weights[at] += share
    total /= np.maximum(weights, np.float32(1e-6))[:, np.newaxis]
    return total
