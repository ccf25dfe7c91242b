"""Selections: from a rough stroke to the object under it, and finding text. Torch-free.

Objects are cut out by GrabCut (Rother, Kolmogorov and Blake, "GrabCut: interactive foreground extraction using
iterated graph cuts", 2004) at reduced scale; the edge is then brought to the photo's own resolution by a guided
filter (He, Sun and Tang, "Guided image filtering", 2010). Text is found by the detector of the optional package
`rapidocr`, whose wheel brings its networks along.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.imaging.context import Box, bounding_box
from inpainting.imaging.edges import refine_edge
from inpainting.imaging.photo import BoolMask, Photo, to_8_bit

Kind = Literal["object", "text"]
OnRound = Callable[[str, float], None]
Pixels8 = NDArray[np.uint8]
Side = tuple[slice, slice]

_WORKING_SIDE = 512
_ROUNDS = 6
_SETTLED_SHARE = 5e-4
"""A round that changes fewer of the pixels than this is the last one."""
_CORE = 0.5
"""What lies at least this deep in the stroke, relative to its deepest place, is certainly the object."""
_LEAST_REACH = 0.25
"""The object is looked for as far beyond the stroke as that is long, and at least this share of the photo's long side.
Where the surroundings shown are mostly object, their colours cannot be told apart."""
_MUCH_CLOSER = 0.7
"""When what was found fits into a window smaller by this, it is looked at again from that near."""
_SHARE_OF_FINDING = 0.7
_SPECK = 0.02
"""Holes in the selection smaller than this share of it are closed."""
_TEXT_MARGIN = 0.05
"""Text areas are grown by this share of their height: letters have blurred edges."""


class SelectionError(ValueError):
    """Nothing to select was found, or it cannot be looked for here; the text is meant for people."""

    code = "cannot_select"


def abilities() -> list[Kind]:
    """What can be selected with the packages that are installed."""
    has_text = all(importlib.util.find_spec(name) is not None for name in ("rapidocr", "onnxruntime"))
    return ["object", "text"] if has_text else ["object"]


def select(photo: Photo, hint: BoolMask, kind: Kind, *, on_round: OnRound | None = None) -> BoolMask:
    """The object under the stroke `hint` (H, W), or the text within it, as a mask (H, W).

    `on_round(stage, fraction)` hears of progress and may raise to stop. Raises `SelectionError` with a sentence when
    nothing is found.
    """
    told = on_round or _nobody_listens
    return select_object(photo, hint, on_round=told) if kind == "object" else select_text(photo, hint, on_round=told)


def select_object(photo: Photo, hint: BoolMask, *, on_round: OnRound) -> BoolMask:
    """The object that the stroke `hint` (H, W) was painted over; see `select`."""
    stroke = _check_hint(photo, hint)
    reach = max(math.ceil(_LEAST_REACH * max(photo.width, photo.height)), stroke.width, stroke.height)
    searches = _Searches(photo, hint, on_round)
    window = _clip(_grown(stroke, reach, reach), photo)
    found, goes_on = searches.look(window)
    if goes_on:
        window = Box(0, 0, photo.width, photo.height)
        found, _ = searches.look(window)
    closer = _around(found, window, photo)
    if max(closer.width, closer.height) < _MUCH_CLOSER * max(window.width, window.height):
        found, _ = searches.look(closer, (found, window))
        window = closer
    on_round("Refining the edge", _SHARE_OF_FINDING)

    def on_part(part: float) -> None:
        on_round("Refining the edge", _SHARE_OF_FINDING + (1.0 - _SHARE_OF_FINDING) * part)

    mask = np.zeros(hint.shape, np.bool_)
    mask[window.slices] = refine_edge(_rgb(photo, window), found, on_part=on_part)
    return mask


def select_text(photo: Photo, hint: BoolMask, *, on_round: OnRound) -> BoolMask:
    """All text that touches `hint` (H, W); see `select`. Needs the package `rapidocr`."""
    if "text" not in abilities():
        raise SelectionError("Text cannot be selected here: the package “rapidocr” is not installed.")
    stroke = _check_hint(photo, hint)
    # Detectors need to see around what they look for.
    margin = math.ceil(0.25 * max(stroke.width, stroke.height)) + 32
    window = _clip(_grown(stroke, margin, margin), photo)
    on_round("Looking for text", 0.1)
    areas = _text_areas(_rgb(photo, window))
    inner = np.zeros((window.height, window.width), np.uint8)
    for area in areas:
        one = np.zeros_like(inner)
        cv2.fillPoly(one, [np.rint(_grow_area(area)).astype(np.int32)], 255)
        if (one.view(np.bool_) & hint[window.slices]).any():
            inner |= one
    if not inner.any():
        raise SelectionError("No text was found there.")
    mask = np.zeros(hint.shape, np.bool_)
    mask[window.slices] = inner > 0
    return mask


def _nobody_listens(_stage: str, _fraction: float) -> None:
    return None


def _check_hint(photo: Photo, hint: BoolMask) -> Box:
    if hint.shape != (photo.height, photo.width):
        raise SelectionError("The stroke was painted on a picture of another size.")
    stroke = bounding_box(hint)
    if stroke is None:
        raise SelectionError("Paint a rough stroke over what should be selected.")
    return stroke


class _Searches:
    """Searches for one object in windows of one photo, as parts of one progress."""

    def __init__(self, photo: Photo, hint: BoolMask, on_round: OnRound) -> None:
        self._photo, self._hint, self._on_round = photo, hint, on_round
        self._begun = 0

    def look(self, window: Box, known: tuple[BoolMask, Box] | None = None) -> tuple[BoolMask, bool]:
        """The object (h, w) in `window` at reduced scale, and whether it seems to go on beyond it.

        `known` is what a search in a larger window found, and that window.
        """
        scale = min(1.0, _WORKING_SIDE / max(window.width, window.height))
        size = (max(1, round(window.width * scale)), max(1, round(window.height * scale)))
        small = np.asarray(cv2.resize(_rgb(self._photo, window), size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        sides = _open_sides(window, self._photo)
        seeds = _seeds(_reduce(self._hint[window.slices], size), sides)
        if known is not None:
            before = _part_of(*known, window, size)
            seeds[before & (seeds == cv2.GC_PR_BGD)] = cv2.GC_PR_FGD
        found = _tidy(_grab(small, seeds, self._on_share), seeds == cv2.GC_FGD)
        self._begun += 1
        # The sides themselves are background by decree, so look right beside them.
        near = cv2.dilate(found.view(np.uint8), np.ones((5, 5), np.uint8))
        return found, any(bool(near[side].any()) for side in sides)

    def _on_share(self, share: float) -> None:
        # What would be left if this were the last search; it never goes back when another follows.
        self._on_round("Finding the object", _SHARE_OF_FINDING * (1.0 - 0.5**self._begun * (1.0 - 0.5 * share)))


def _around(found: BoolMask, window: Box, photo: Photo) -> Box:
    """The part of the photo around what was found in `window`, with as much beside it as half its own size."""
    box = bounding_box(found)
    if box is None:
        return window
    across, down = window.width / found.shape[1], window.height / found.shape[0]
    exact = Box(
        window.left + math.floor(box.left * across),
        window.top + math.floor(box.top * down),
        window.left + math.ceil(box.right * across),
        window.top + math.ceil(box.bottom * down),
    )
    margin = math.ceil(max(exact.width, exact.height) / 2 + 4 * across)
    return _clip(_grown(exact, margin, margin), photo)


def _part_of(found: BoolMask, window: Box, part: Box, size: tuple[int, int]) -> BoolMask:
    """What was `found` in `window`, as seen in the smaller window `part` at `size` (width, height)."""
    rows = part.top - window.top + (np.arange(size[1]) + 0.5) * part.height / size[1]
    columns = part.left - window.left + (np.arange(size[0]) + 0.5) * part.width / size[0]
    at_y = np.clip(rows * found.shape[0] / window.height, 0, found.shape[0] - 1).astype(np.intp)
    at_x = np.clip(columns * found.shape[1] / window.width, 0, found.shape[1] - 1).astype(np.intp)
    return np.asarray(found[at_y][:, at_x])


def _open_sides(window: Box, photo: Photo) -> list[Side]:
    """The window's outermost rows and columns, but for those at the photo's edge, where an object may well be cut."""
    sides = (
        (window.left > 0, np.s_[:, :1]),
        (window.right < photo.width, np.s_[:, -1:]),
        (window.top > 0, np.s_[:1, :]),
        (window.bottom < photo.height, np.s_[-1:, :]),
    )
    return [side for is_open, side in sides if is_open]


def _grown(box: Box, across: int, down: int) -> Box:
    return Box(box.left - across, box.top - down, box.right + across, box.bottom + down)


def _clip(box: Box, photo: Photo) -> Box:
    return Box(max(0, box.left), max(0, box.top), min(photo.width, box.right), min(photo.height, box.bottom))


def _rgb(photo: Photo, window: Box) -> Pixels8:
    """The colours in the window, 8-bit RGB as stored, (h, w, 3)."""
    values = to_8_bit(np.ascontiguousarray(photo.color_pixels[window.slices]))
    return values if values.shape[2] == 3 else np.repeat(values, 3, axis=2)


def _reduce(mask: BoolMask, size: tuple[int, int]) -> BoolMask:
    """`mask` at `size` (width, height); a thin stroke stays whole."""
    return np.asarray(cv2.resize(mask.view(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_AREA) > 0)


def _seeds(stroke: BoolMask, sides: list[Side]) -> Pixels8:
    """GrabCut's labels (h, w): the stroke's core is object, the window's sides background, the rest is to be found out.

    The stroke's own rim is only probably object, because people paint over edges.
    """
    seeds = np.full(stroke.shape, cv2.GC_PR_BGD, np.uint8)
    for side in sides:
        seeds[side] = cv2.GC_BGD
    seeds[stroke] = cv2.GC_PR_FGD
    depth = cv2.distanceTransform(np.pad(stroke.view(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    count, labels = cv2.connectedComponents(stroke.view(np.uint8), connectivity=8)
    for label in range(1, count):
        part = labels == label
        seeds[part & (depth >= _CORE * depth[part].max())] = cv2.GC_FGD
    return seeds


def _grab(image: Pixels8, seeds: Pixels8, on_share: Callable[[float], None]) -> BoolMask:
    if not ((seeds == cv2.GC_BGD) | (seeds == cv2.GC_PR_BGD)).any():
        raise SelectionError("The stroke covers everything around it; paint over the object only.")
    # GrabCut's colour models come from k-means, which draws from OpenCV's own generator.
    cv2.setRNGSeed(0)
    labels = seeds.copy()
    background, foreground = np.zeros((1, 65), np.float64), np.zeros((1, 65), np.float64)
    before = _is_object(labels)
    for number in range(_ROUNDS):
        mode = cv2.GC_EVAL if number else cv2.GC_INIT_WITH_MASK
        cv2.grabCut(image, labels, (0, 0, 0, 0), background, foreground, 1, mode)
        on_share((number + 1) / _ROUNDS)
        after = _is_object(labels)
        if number and np.count_nonzero(after != before) < _SETTLED_SHARE * after.size:
            break
        before = after
    return _is_object(labels)


def _is_object(labels: Pixels8) -> BoolMask:
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))


def _tidy(found: BoolMask, core: BoolMask) -> BoolMask:
    """Only what hangs together with the stroke's core, without specks of holes."""
    _, labels = cv2.connectedComponents(found.view(np.uint8), connectivity=4)
    wanted = np.unique(labels[core & found])
    kept = np.isin(labels, wanted[wanted > 0])
    _, labels, facts, _ = cv2.connectedComponentsWithStats((~kept).view(np.uint8), connectivity=4)
    small = np.flatnonzero(facts[:, cv2.CC_STAT_AREA] < _SPECK * np.count_nonzero(kept))
    return np.asarray(kept | np.isin(labels, small[small > 0]))


_detector: Any = None


def _text_areas(pixels: Pixels8) -> list[NDArray[np.float64]]:
    """Quadrangles (4, 2) of (x, y) around pieces of text."""
    global _detector
    if _detector is None:
        settings = {"Global.log_level": "warning", "Global.use_cls": False, "Global.use_rec": False}
        _detector = importlib.import_module("rapidocr").RapidOCR(params=settings)
    if np.unique(pixels.reshape(-1, 3)[:: max(1, pixels.size // 30000)], axis=0).shape[0] < 2:
        return []  # a plain surface; the detector's own stretching of contrast would find text in its noise
    answer = _detector(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), use_det=True, use_cls=False, use_rec=False)
    return [] if answer.boxes is None else [np.asarray(box, np.float64) for box in answer.boxes]


def _grow_area(area: NDArray[np.float64]) -> NDArray[np.float64]:
    """A quadrangle grown outwards by `_TEXT_MARGIN` of its height on every side."""
    across, down = area[1] - area[0], area[3] - area[0]
    width, height = float(np.hypot(*across)), float(np.hypot(*down))
    margin = _TEXT_MARGIN * min(width, height) + 1.0
    right, below = margin * across / max(width, 1e-6), margin * down / max(height, 1e-6)
    return np.asarray(area + np.stack([-right - below, right - below, right + below, below - right]))
