"""What a hole holds before it is optimised."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.catalog import get_entry
from inpainting.imaging.context import Box, bounding_box
from inpainting.imaging.correspondence import find_sources
from inpainting.imaging.membrane import membrane
from inpainting.imaging.working import soften_edge
from inpainting.layers.quilting import quilt
from inpainting.models.base import BoolMask, FillInput, FloatImage
from inpainting.models.baselines import PatchMatch

RIM = 16
"""Over how many pixels around a piece its surroundings must fit, and pieces overlap."""
SMALLEST_PIECE = 8
LARGEST_PIECE = 192
TOLERANCE = 0.03
"""A place may fit this much worse than the best one (squared differences)."""
EDGE_REACH = 8.0
"""Over how many pixels a copied piece is moved towards the colours at the hole's edge."""
_ROUNDING = 1e-3
_LEAST_SPREAD = 1e-4
GOOD_FIT = 0.05
"""A copy that is off by a smaller share is taken as it is: it continues the photo's pattern."""
BAND, NARROWEST_BAND = 20, 3
"""How far from the hole's edge a copied start is made to fit, and when a hole is too narrow for it."""
BAND_CONTEXT = 160
"""How far around the hole the texture of that band may come from."""


def start_of(job: FillInput, on_stage: Callable[[str, float], None]) -> tuple[FloatImage, NDArray[np.int32] | None]:
    """The hole as the parameter ``start`` wants it to begin, and for ``copy`` where each pixel came from.

    `on_stage` hears what is done and its share of the start, and may raise to stop.
    """
    start = job.params["start"]
    if start == "mean":
        return mean_start(job.image, job.mask), None
    if start == "telea":
        return telea_start(job.image, job.mask), None
    if start == "copy":
        copied, sources, misfit = copied_start(
            job.image, job.mask, job.seed, lambda: on_stage("Finding similar texture", 0.2)
        )
        if misfit < GOOD_FIT:
            return copied, sources
        return joined_to_edge(
            copied, sources, job.mask, job.seed, lambda share: on_stage("Joining it", 0.2 + 0.8 * share)
        )
    return _patchmatch(job.image, job.mask, job.seed, on_stage), None


def _patchmatch(image: FloatImage, hole: BoolMask, seed: int, on_stage: Callable[[str, float], None]) -> FloatImage:
    entry = get_entry("patchmatch")
    job = FillInput(image, hole, entry.parse_params(None), seed, lambda step: on_stage(step.stage, step.fraction))
    return PatchMatch(entry).fill(job).image


def mean_start(image: FloatImage, hole: BoolMask) -> FloatImage:
    """The hole in the mean colour of the known pixels (section 3.3)."""
    started = image.copy()
    started[hole] = image[~hole].mean(axis=0)
    return started


def telea_start(image: FloatImage, hole: BoolMask) -> FloatImage:
    """The hole filled smoothly from its edge inwards (Telea 2004)."""
    bytes_ = np.rint(image * 255.0).astype(np.uint8)
    filled = cv2.inpaint(bytes_, hole.astype(np.uint8), 5.0, cv2.INPAINT_TELEA)
    return np.where(hole[..., np.newaxis], filled.astype(np.float32) / np.float32(255.0), image)


def copied_start(
    image: FloatImage, hole: BoolMask, seed: int, on_piece: Callable[[], None]
) -> tuple[FloatImage, NDArray[np.int32], float]:
    """The hole quilted from pieces of the known region, each chosen for the fit of its rim.

    Pieces are as large as the photo can supply: up to `LARGEST_PIECE` pixels, split in four where no place of the
    known region has room for the piece with its rim. What no piece fits stays a membrane. Of the places that fit about
    equally well `seed` picks one. `on_piece` may raise to stop.

    Returns:
        The picture (H, W, 3); (H, W, 2): for each hole pixel the (y, x) it was copied from, -1 for none; and how far
        the pieces, if they went on, would be off around the hole: their mean squared difference from the photo
        there, as a share of its variance.
    """
    sources = np.full((*hole.shape, 2), -1, np.int32)
    random = np.random.default_rng(seed)
    started = membrane(np.where(hole[..., np.newaxis], np.float32(0), image), hole)
    around = bounding_box(hole)
    if around is None:
        return started, sources, 0.0
    written = np.zeros_like(hole)
    beyond = image.copy()
    for piece in _tiles(around, LARGEST_PIECE):
        _copy(started, beyond, sources, image, hole, written, piece, random, on_piece)
    joined = np.where(hole[..., np.newaxis], started, beyond)
    rim = cv2.dilate(hole.astype(np.uint8), np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)).astype(bool) & ~hole
    misfit = 0.0
    if rim.any():
        misfit = float(
            np.square(beyond - image)[rim].mean() / max(float(image[~hole].var(axis=0).mean()), _LEAST_SPREAD)
        )
    return np.where(hole[..., np.newaxis], soften_edge(joined, image, hole, EDGE_REACH), image), sources, misfit


def joined_to_edge(
    start: FloatImage,
    sources: NDArray[np.int32],
    hole: BoolMask,
    seed: int,
    on_part: Callable[[float], None],
) -> tuple[FloatImage, NDArray[np.int32]]:
    """A copied `start` whose band along the hole's edge is made anew, so that it fits on both sides.

    A piece ends at the hole's edge, whatever it shows there, and no cut can go around it outside. In the band
    PatchMatch (Barnes et al. 2009) puts the photo's own texture together so that the known pixels continue into the
    piece. The band is `BAND` pixels wide, or half of what a narrow hole has room for. `on_part` hears the share that is
    done, and may raise to stop.

    Returns:
        As `copied_start`; the sources of the band are the places that its content resembles most.
    """
    depth = cv2.distanceTransform(np.pad(hole, 1).view(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    reach = min(float(BAND), float(depth.max()) / 2.0)
    around = bounding_box(hole)
    if around is None or reach < NARROWEST_BAND:
        return start, sources
    height, width = hole.shape
    box = Box(
        max(0, around.left - BAND_CONTEXT),
        max(0, around.top - BAND_CONTEXT),
        min(width, around.right + BAND_CONTEXT),
        min(height, around.bottom + BAND_CONTEXT),
    )
    band = (hole & (depth <= reach))[box.slices]
    given = np.where(band[..., np.newaxis], np.float32(0), start[box.slices].clip(0.0, 1.0))
    made = _patchmatch(given, band, seed, lambda _stage, share: on_part(0.6 * share))
    found = find_sources(made, band, seed=seed, on_round=lambda share: on_part(0.6 + 0.4 * share))
    joined, joined_sources = start.copy(), sources.copy()
    joined[box.slices][band] = made[band]
    joined_sources[box.slices][band] = _first_sources(found, sources, hole, box)[band]
    return joined, joined_sources


def _first_sources(found: NDArray[np.int32], sources: NDArray[np.int32], hole: BoolMask, box: Box) -> NDArray[np.int32]:
    """`found`, places in `box`, as places in the picture; those in the hole lead on to where that was copied from."""
    there = found + np.array([box.top, box.left], np.int32)
    y, x = there[..., 0], there[..., 1]
    first = np.where(hole[y, x][..., np.newaxis], sources[y, x], there)
    return np.where(found < 0, np.int32(-1), first).astype(np.int32)


def _tiles(box: Box, side: int) -> list[Box]:
    """`box` in equal parts of at most `side` pixels, in scan order."""
    rows = np.linspace(box.top, box.bottom, -(-box.height // side) + 1).round().astype(int)
    columns = np.linspace(box.left, box.right, -(-box.width // side) + 1).round().astype(int)
    return [
        Box(int(left), int(top), int(right), int(bottom))
        for top, bottom in itertools.pairwise(rows)
        for left, right in itertools.pairwise(columns)
    ]


def _copy(
    started: FloatImage,
    beyond: FloatImage,
    sources: NDArray[np.int32],
    image: FloatImage,
    hole: BoolMask,
    written: BoolMask,
    piece: Box,
    random: np.random.Generator,
    on_piece: Callable[[], None],
) -> None:
    """Fill the hole pixels of `piece`, or of its quarters where nothing in the photo has room for it.

    `beyond` takes what the copied windows have where the photo is known, to compare at the hole's edge.
    """
    if not hole[piece.slices].any():
        return
    on_piece()
    height, width = hole.shape
    left, right = max(0, piece.left - RIM), min(width, piece.right + RIM)
    top, bottom = max(0, piece.top - RIM), min(height, piece.bottom + RIM)
    frame = Box(left, top, right, bottom)
    own = np.zeros_like(hole[frame.slices])
    own[piece.top - frame.top : piece.bottom - frame.top, piece.left - frame.left : piece.right - frame.left] = True
    own &= hole[frame.slices] & ~written[frame.slices]
    reach = cv2.dilate(own.astype(np.uint8), np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)).astype(bool)
    rim = reach & ~own & (~hole[frame.slices] | written[frame.slices])
    found = _best_place(started[frame.slices], image, hole, own | rim, rim, random)
    if found is None:
        if max(piece.width, piece.height) > SMALLEST_PIECE:
            for quarter in _tiles(piece, -(-max(piece.width, piece.height) // 2)):
                _copy(started, beyond, sources, image, hole, written, quarter, random, on_piece)
        return
    top, left = found
    new = image[top : top + frame.height, left : left + frame.width]
    old = started[frame.slices]
    overlap = rim & written[frame.slices]
    taken = own | (overlap & quilt(new, old, overlap, own, (RIM, RIM)))
    there = np.moveaxis(np.indices(own.shape), 0, 2) + np.array([top, left])
    sources[frame.slices] = np.where((taken & hole[frame.slices])[..., np.newaxis], there, sources[frame.slices])
    started[frame.slices] = np.where(taken[..., np.newaxis], new, old)
    written[frame.slices] |= own
    beyond[frame.slices] = np.where((rim & ~hole[frame.slices])[..., np.newaxis], new, beyond[frame.slices])


def _best_place(
    target: FloatImage,
    image: FloatImage,
    hole: BoolMask,
    footprint: BoolMask,
    rim: BoolMask,
    random: np.random.Generator,
) -> tuple[int, int] | None:
    """Top and left of a window of `image` known on all of `footprint` and about as like `target` on the rim as any."""
    if footprint.shape[0] > image.shape[0] or footprint.shape[1] > image.shape[1]:
        return None
    blocked = cv2.matchTemplate(hole.astype(np.float32), footprint.astype(np.float32), cv2.TM_CCORR)
    free = blocked < 0.5
    if not free.any():
        return None
    if not rim.any():
        return _one_of(free, random)
    weight = np.repeat(rim[..., np.newaxis], 3, axis=2).astype(np.float32)
    known = np.where(hole[..., np.newaxis], np.float32(0), image)
    difference = cv2.matchTemplate(known, np.ascontiguousarray(target * weight), cv2.TM_SQDIFF, mask=weight)
    # The transforms behind the search leave errors about as large as a difference of one 8-bit step in a few pixels.
    good = free & (difference <= (1.0 + TOLERANCE) * max(0.0, float(difference[free].min())) + _ROUNDING)
    return _one_of(good, random)


def _one_of(places: NDArray[np.bool_], random: np.random.Generator) -> tuple[int, int]:
    tops, lefts = np.nonzero(places)
    index = int(random.integers(len(tops)))
    return int(tops[index]), int(lefts[index])


def as_copied(image: FloatImage, sources: NDArray[np.int32]) -> FloatImage:
    """`image` (H, W, 3) with the very pixels that `sources` (H, W, 2) point to where they do."""
    copied = image.copy()
    there = sources[..., 0] >= 0
    copied[there] = image[tuple(sources[there].T)]
    return copied


def shifted_window(sources: NDArray[np.int32], box: Box) -> Box | None:
    """`box` moved to where most of its copied pixels came from; ``None`` when none was. It may leave the picture."""
    ys, xs = np.nonzero(sources[box.slices][..., 0] >= 0)
    if not len(ys):
        return None
    shifts = sources[box.slices][ys, xs] - np.stack([ys + box.top, xs + box.left], axis=1)
    found, counts = np.unique(shifts, axis=0, return_counts=True)
    down, right = (int(part) for part in found[counts.argmax()])
    return Box(box.left + right, box.top + down, box.right + right, box.bottom + down)
