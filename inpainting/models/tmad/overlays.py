"""Pictures that show what T-MAD did, and where each patch came from."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from inpainting.layers.blending import cut_windows
from inpainting.models.base import Overlay
from inpainting.models.tmad.refiner import Refined

LONGEST_SIDE = 1024
DIMMED = 0.35
UNUSED = (0.45, 0.45, 0.45)


def coarse_overlay(composite: Tensor) -> Overlay:
    """The coarse network's estimate pasted into the known pixels; `composite` is (1, 3, H, W) in [-1, 1]."""
    return Overlay("coarse", "Coarse result", to_bytes(composite))


def retrieved_overlay(refined: Refined, composite: Tensor, patch: int) -> Overlay:
    """The best retrieved patch of every cell, in the cell's place, over the darkened picture."""
    picture = _dimmed(composite)
    scale = picture.shape[1] / composite.shape[-1]
    best = cut_windows(composite, refined.memory.windows[refined.retrieved[:, 0]], patch)
    for (_, top, left), texture in zip(refined.cells.tolist(), best, strict=True):
        rows, columns = (slice(round(first * scale), round((first + patch) * scale)) for first in (top, left))
        place = picture[rows, columns]
        # Cells at the lower and right edge may reach into the padding.
        size = (columns.stop - columns.start, rows.stop - rows.start)
        small = cv2.resize(to_bytes(texture[None]), size, interpolation=cv2.INTER_AREA)
        place[:] = small[: place.shape[0], : place.shape[1]]
    return Overlay("retrieved", "Retrieved patches", picture)


def memory_overlay(refined: Refined, composite: Tensor, patch: int) -> Overlay:
    """The windows of the texture memory: grey when never retrieved, from yellow to red the more often they were."""
    picture = _dimmed(composite)
    scale = picture.shape[1] / composite.shape[-1]
    uses = torch.bincount(refined.retrieved.flatten().cpu(), minlength=len(refined.memory.windows)).tolist()
    most = max(uses, default=0)
    windows = refined.memory.windows.tolist()
    for index in sorted(range(len(windows)), key=lambda position: uses[position]):
        _, top, left = windows[index]
        colour = (1.0, 0.85 * (1 - uses[index] / most), 0.1) if uses[index] else UNUSED
        corner = (round(left * scale), round(top * scale))
        opposite = (round((left + patch) * scale) - 1, round((top + patch) * scale) - 1)
        cv2.rectangle(picture, corner, opposite, [round(255 * part) for part in colour], 1)
    return Overlay("memory", "Texture memory", picture)


def patch_sources(refined: Refined, mask: NDArray[np.bool_], patch: int) -> NDArray[np.int32]:
    """(H, W, 2): for each hole pixel its (y, x) in the patch that was retrieved first for its cell; -1 elsewhere.

    Where cells overlap, a pixel belongs to the cell in whose central half it lies. Places that lie in the hole
    themselves (in patches that are partly hole) are no sources.
    """
    height, width = mask.shape
    # Cells may reach into the padding below and to the right of the picture.
    sources = np.full((height + patch, width + patch, 2), -1, dtype=np.int32)
    within = np.stack(np.meshgrid(np.arange(patch), np.arange(patch), indexing="ij"), axis=-1)
    best = refined.memory.windows[refined.retrieved[:, 0], 1:].cpu().numpy()
    cells = refined.cells[:, 1:].tolist()
    for inset in (0, patch // 4):
        part = slice(inset, patch - inset)
        for (top, left), origin in zip(cells, best, strict=True):
            sources[top : top + patch, left : left + patch][part, part] = within[part, part] + origin
    inside = sources[:height, :width]
    where = np.nonzero(mask)
    found = np.minimum(inside[where], np.array([height - 1, width - 1], dtype=np.int32))
    found[mask[found[:, 0], found[:, 1]]] = -1
    inside[...] = -1
    inside[where] = found
    return inside


def enlarged_sources(sources: NDArray[np.int32], factor: int, mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Sources found on a picture `factor` times smaller than `mask`, in pixels of the mask."""
    height, width = mask.shape
    rows, columns = np.nonzero(mask)
    small = (np.minimum(rows // factor, sources.shape[0] - 1), np.minimum(columns // factor, sources.shape[1] - 1))
    within = np.stack([rows % factor, columns % factor], axis=1)
    last = np.array([height - 1, width - 1])
    found = np.minimum(sources[small] * factor + within, last).astype(np.int32)
    found[(sources[small][:, 0] < 0) | mask[found[:, 0], found[:, 1]]] = -1
    large = np.full((height, width, 2), -1, dtype=np.int32)
    large[rows, columns] = found
    return large


def _dimmed(composite: Tensor) -> NDArray[np.uint8]:
    return (to_bytes(composite) * np.float32(DIMMED)).astype(np.uint8)


def to_bytes(image: Tensor) -> NDArray[np.uint8]:
    """(1, 3, H, W) in [-1, 1] → (h, w, 3) 8-bit, at most `LONGEST_SIDE` long."""
    longest = max(image.shape[-2:])
    if longest > LONGEST_SIDE:
        size = [max(1, round(side * LONGEST_SIDE / longest)) for side in image.shape[-2:]]
        image = F.interpolate(image, size=size, mode="area")
    pixels = ((image[0].clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0)
    return np.ascontiguousarray(pixels.cpu().numpy())
