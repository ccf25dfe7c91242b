"""Which patches are synthesised, in which order, and how wide the window of the global branch is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inpainting.imaging.context import Box, bounding_box
from inpainting.models.base import BoolMask

PATCH = 256
"""Side of a patch (section 4)."""
OVERLAP = PATCH // 4
"""Patches overlap each other and the known region by a quarter."""
ALIGN = 16
"""Patches start at multiples of this: the stride of pool4, so that features of a whole photo can be sliced."""
SINGLE_MARGIN = 32
"""Known pixels around a hole that fits a single patch."""
MAX_POOLINGS = 3


@dataclass(frozen=True, slots=True)
class Layout:
    """The plan of one hole."""

    patches: tuple[Box, ...]
    """Top to bottom, left to right; each has hole pixels. Boxes lie inside the picture and start at multiples of 16."""
    poolings: int
    """Q: how often the picture is halved for the global branch; 0 when a patch sees enough by itself."""
    window: Box
    """What the global branch sees, in photo pixels; starts at multiples of 16·2^Q."""


def plan_layout(hole: BoolMask, wanted_poolings: int | None = None) -> Layout:
    """The layout for `hole` (H, W), which must have hole pixels.

    Without `wanted_poolings`, Q is as large as it takes for the window to hold the hole and a quarter-patch around it.
    """
    around = bounding_box(hole)
    if around is None:
        raise ValueError("There is no hole to lay patches over.")
    height, width = hole.shape
    rows = _spans(around.top, around.bottom, height)
    columns = _spans(around.left, around.right, width)
    boxes = [Box(left, top, right, bottom) for top, bottom in rows for left, right in columns]
    poolings = wanted_poolings or 0
    if wanted_poolings is None and (len(rows) > 1 or len(columns) > 1):
        reach = max(around.width, around.height) + 2 * OVERLAP
        poolings = min(MAX_POOLINGS, math.ceil(math.log2(reach / PATCH)))
    poolings = min(poolings, max(0, int(math.log2(max(1, min(height, width) / (2 * ALIGN))))))
    return Layout(
        tuple(box for box in boxes if hole[box.slices].any()),
        poolings,
        _window(around, height, width, poolings),
    )


def non_overlapping(patches: Sequence[Box], *, together: bool) -> list[list[Box]]:
    """The patches in groups that can be optimised at once: one each, or, `together`, equal ones that do not touch.

    Then it is a checkerboard order: greedy over the scan order, so that at most four groups cover a full grid.
    """
    groups: list[list[Box]] = []
    for box in patches:
        for group in groups if together else []:
            alike = (group[0].width, group[0].height) == (box.width, box.height)
            if alike and not any(_touch(box, other) for other in group):
                group.append(box)
                break
        else:
            groups.append([box])
    return groups


def _touch(first: Box, second: Box) -> bool:
    return (
        first.left < second.right
        and second.left < first.right
        and first.top < second.bottom
        and second.top < first.bottom
    )


def _spans(low: int, high: int, limit: int) -> list[tuple[int, int]]:
    """How one axis of a hole from `low` to `high` is covered by patches inside 0 to `limit`."""
    if high - low + 2 * SINGLE_MARGIN <= PATCH:
        start = max(0, low - SINGLE_MARGIN) // ALIGN * ALIGN
        return [(start, min(limit, _up(high + SINGLE_MARGIN)))]
    start, end = max(0, low - OVERLAP) // ALIGN * ALIGN, min(limit, _up(high + OVERLAP))
    last = max(start, (end - PATCH) // ALIGN * ALIGN)
    starts = [*range(start, last, PATCH - OVERLAP), last]
    # Where the picture ends between two multiples of 16, the last patch is up to 15 pixels longer.
    return [(at, end if at == last else at + PATCH) for at in starts]


def _up(value: int) -> int:
    return -(-value // ALIGN) * ALIGN


def _window(around: Box, height: int, width: int, poolings: int) -> Box:
    side, align = PATCH << poolings, ALIGN << poolings

    def span(low: int, high: int, limit: int) -> tuple[int, int]:
        start = min(max(0, (low + high - side) // 2), max(0, limit - side)) // align * align
        return start, min(limit, start + side + align)

    left, right = span(around.left, around.right, width)
    top, bottom = span(around.top, around.bottom, height)
    return Box(left, top, right, bottom)


def lattice(shape: tuple[int, int], size: tuple[int, int], hole: BoolMask, step: int) -> list[Box]:
    """All windows of `size` (height, width) on a lattice of `step` pixels that touch no hole pixel, in scan order."""
    height, width = size
    sums = np.zeros((shape[0] + 1, shape[1] + 1), np.int64)
    sums[1:, 1:] = hole.cumsum(axis=0).cumsum(axis=1)
    found = []
    for top in range(0, shape[0] - height + 1, step):
        for left in range(0, shape[1] - width + 1, step):
            bottom, right = top + height, left + width
            if sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left] == 0:
                found.append(Box(left, top, right, bottom))
    return found
