"""Which parts of a photo a model has to see: one context crop for each group of holes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.imaging.photo import BoolMask

JOIN_DISTANCE = 32
"""Holes whose dilations by this many pixels touch belong together."""
MIN_CONTEXT = 64
CONTEXT_SHARE = 0.75
"""A crop reaches beyond its hole by this share of the hole's side, and at least `MIN_CONTEXT` pixels, on each side."""
_GROUPING_SIDE = 1024
_MAX_GROUPS = 48


class Box(NamedTuple):
    """A half-open rectangle in pixels: columns `left` to `right` - 1, rows `top` to `bottom` - 1."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def area(self) -> int:
        return self.width * self.height

    @property
    def slices(self) -> tuple[slice, slice]:
        """To index an (H, W, …) array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def union(self, other: Box) -> Box:
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


@dataclass(frozen=True, slots=True, eq=False)
class HoleGroup:
    """Holes that are filled together: their bounding box, and the crop a model sees to fill them.

    `mask` is (crop height, crop width): the hole pixels that this group fills. Other groups' holes inside the crop
    are unknown too, but are filled by their own crops.
    """

    box: Box
    crop: Box
    mask: BoolMask


def bounding_box(mask: BoolMask) -> Box | None:
    """The smallest box around all hole pixels; ``None`` when there are none."""
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(mask[top:bottom].any(axis=0))
    return Box(int(columns[0]), top, int(columns[-1]) + 1, bottom)


def context_crop(box: Box, *, width: int, height: int, min_side: int) -> Box:
    """`box` with its context, grown to `min_side` where a photo of `width` × `height` has room, and clipped to it."""
    left, right = _widen(box.left, box.right, width, min_side)
    top, bottom = _widen(box.top, box.bottom, height, min_side)
    return Box(left, top, right, bottom)


def _widen(low: int, high: int, limit: int, min_side: int) -> tuple[int, int]:
    margin = max(MIN_CONTEXT, math.ceil(CONTEXT_SHARE * (high - low)))
    low, high = low - margin, high + margin
    lacking = max(0, min_side - (high - low))
    low, high = low - lacking // 2, high + lacking - lacking // 2
    if high - low >= limit:
        return 0, limit
    # Shift back inside before clipping, so that a hole at the photo's edge still gets its full context.
    shift = max(0, -low) - max(0, high - limit)
    return low + shift, high + shift


def group_holes(mask: BoolMask, *, min_side: int = 256) -> list[HoleGroup]:
    """Groups of holes with their context crops, top to bottom; empty when there is no hole.

    Holes closer than about twice `JOIN_DISTANCE` form a group, and groups are merged while one crop around both is
    not larger than their two crops. On large photos nearness is judged at reduced scale; boxes are always exact.
    """
    height, width = mask.shape
    around = bounding_box(mask)
    if around is None:
        return []
    labels, boxes, factor = _label(mask[around.slices], around)
    members = [[index] for index in range(len(boxes))]
    boxes, members = _merge(boxes, members, width=width, height=height, min_side=min_side)
    groups = []
    for box, labelled in sorted(zip(boxes, members, strict=True), key=lambda pair: (pair[0].top, pair[0].left)):
        crop = context_crop(box, width=width, height=height, min_side=min_side)
        if mask[crop.slices].all():
            crop = Box(0, 0, width, height)
        own = _own_mask(mask, labels, around, factor, box, crop, labelled)
        groups.append(HoleGroup(box=box, crop=crop, mask=own))
    return groups


def _label(hole: BoolMask, around: Box) -> tuple[NDArray[np.int32], list[Box], int]:
    """Labels (from 1) of dilated holes at reduced scale, each label's exact box in the photo, and the reduction."""
    factor = max(1, math.ceil(max(hole.shape) / _GROUPING_SIDE))
    reduced = _reduce_any(hole, factor)
    distance = JOIN_DISTANCE
    while True:
        radius = math.ceil(distance / factor)
        padded = np.pad(reduced.view(np.uint8), radius)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        count, found = cv2.connectedComponents(cv2.dilate(padded, disc), connectivity=8, ltype=cv2.CV_32S)
        if count - 1 <= _MAX_GROUPS:
            break
        distance *= 2  # many specks: fewer, larger groups
    labels = np.where(reduced, found[radius : radius + reduced.shape[0], radius : radius + reduced.shape[1]], 0)
    labels = labels.astype(np.int32)
    boxes = []
    for label in range(1, count):
        rough = bounding_box(labels == label)
        if rough is None:  # cannot be: every component contains the hole it was dilated from
            raise AssertionError("a group of holes without a hole")
        rows, columns = rough.slices
        window = (
            slice(rows.start * factor, min(rows.stop * factor, hole.shape[0])),
            slice(columns.start * factor, min(columns.stop * factor, hole.shape[1])),
        )
        # Neighbouring groups are further apart than a reduced cell, but may share the rough window: mask them off.
        exact = hole[window] & _enlarge(labels[rough.slices] == label, factor, window)
        inner = bounding_box(exact)
        if inner is None:
            raise AssertionError("a group of holes without a hole")
        left, top = around.left + window[1].start, around.top + window[0].start
        boxes.append(Box(left + inner.left, top + inner.top, left + inner.right, top + inner.bottom))
    return labels, boxes, factor


def _reduce_any(hole: BoolMask, factor: int) -> BoolMask:
    """(ceil(H / factor), ceil(W / factor)): True where a cell has any hole pixel."""
    if factor == 1:
        return np.ascontiguousarray(hole)
    rows = np.logical_or.reduceat(hole, np.arange(0, hole.shape[0], factor), axis=0)
    return np.logical_or.reduceat(rows, np.arange(0, hole.shape[1], factor), axis=1)


def _enlarge(cells: BoolMask, factor: int, window: tuple[slice, slice]) -> BoolMask:
    if factor == 1:
        return cells
    enlarged = np.repeat(np.repeat(cells, factor, axis=0), factor, axis=1)
    return enlarged[: window[0].stop - window[0].start, : window[1].stop - window[1].start]


def _merge(
    boxes: list[Box], members: list[list[int]], *, width: int, height: int, min_side: int
) -> tuple[list[Box], list[list[int]]]:
    """Join groups as long as their common crop has no more pixels than the two crops it replaces."""

    def crop_area(box: Box) -> int:
        return context_crop(box, width=width, height=height, min_side=min_side).area

    boxes, members = list(boxes), [list(labels) for labels in members]
    areas = [crop_area(box) for box in boxes]
    index = 0
    while index < len(boxes):
        for other in range(index + 1, len(boxes)):
            joined = boxes[index].union(boxes[other])
            area = crop_area(joined)
            if area <= areas[index] + areas[other]:
                boxes[index], areas[index] = joined, area
                members[index] += members.pop(other)
                del boxes[other], areas[other]
                index = -1  # a grown group may now suit an earlier one
                break
        index += 1
    return boxes, members


def _own_mask(
    mask: BoolMask,
    labels: NDArray[np.int32],
    around: Box,
    factor: int,
    box: Box,
    crop: Box,
    members: list[int],
) -> BoolMask:
    """The hole pixels of one group, (crop height, crop width)."""
    own = np.zeros((crop.height, crop.width), np.bool_)
    wanted = np.zeros(int(labels.max()) + 1, np.bool_)
    wanted[[index + 1 for index in members]] = True
    top, left = (box.top - around.top) // factor, (box.left - around.left) // factor
    bottom, right = -(-(box.bottom - around.top) // factor), -(-(box.right - around.left) // factor)
    cells = np.repeat(np.repeat(wanted[labels[top:bottom, left:right]], factor, axis=0), factor, axis=1)
    skip_rows, skip_columns = (box.top - around.top) - top * factor, (box.left - around.left) - left * factor
    cells = cells[skip_rows : skip_rows + box.height, skip_columns : skip_columns + box.width]
    inside = (slice(box.top - crop.top, box.bottom - crop.top), slice(box.left - crop.left, box.right - crop.left))
    own[inside] = mask[box.slices] & cells
    return own
