"""Finding, for a filled hole, the known patches of the same picture that its content resembles most.

A randomised nearest-neighbour search after Barnes et al., "PatchMatch" (2009), section 3: random start, propagation from
neighbours, random search in shrinking windows. All patches are handled at once (each round looks at the neighbours of
the round before), which suits arrays better than the paper's scan order.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.imaging.photo import BoolMask
from inpainting.imaging.working import FloatImage

Index = NDArray[np.intp]
PATCH = 7
_STEP = PATCH // 2
_ROUNDS = 5
_NEIGHBOURS = ((0, -1), (0, 1), (-1, 0), (1, 0))


def find_sources(
    image: FloatImage, mask: BoolMask, *, seed: int, on_round: Callable[[float], None] | None = None
) -> NDArray[np.int32]:
    """(h, w, 2): for each hole pixel the (y, x) of the known pixel it corresponds to; -1 elsewhere, and where none is.

    `image` (h, w, 3) is filled, `mask` (h, w) True where it was. Sources are centres of patches of side `PATCH` that
    lie wholly in the known region. The same seed gives the same answer. `on_round(fraction)` may raise to stop.
    """
    height, width = mask.shape
    sources = np.full((height, width, 2), -1, np.int32)
    allowed = _patch_centres(mask)
    grid_y, grid_x = np.arange(0, height, _STEP), np.arange(0, width, _STEP)
    near_hole = cv2.dilate(mask.view(np.uint8), np.ones((PATCH, PATCH), np.uint8)).astype(bool)
    wanted = near_hole[np.ix_(grid_y, grid_x)]
    if not allowed.any() or not wanted.any():
        return sources
    search = _Search(image, allowed, wanted, np.random.default_rng(seed))
    for number in range(_ROUNDS):
        search.propagate()
        search.look_around()
        if on_round is not None:
            on_round((number + 1) / _ROUNDS)
    search.propagate()

    # Every hole pixel follows the nearest grid patch: same offset.
    ys, xs = np.nonzero(mask)
    node_y = np.minimum((ys + _STEP // 2) // _STEP, grid_y.size - 1)
    node_x = np.minimum((xs + _STEP // 2) // _STEP, grid_x.size - 1)
    number_of = search.number[node_y, node_x]
    to_y = ys + search.best_y[number_of] - node_y * _STEP
    to_x = xs + search.best_x[number_of] - node_x * _STEP
    inside = (number_of >= 0) & (to_y >= 0) & (to_y < height) & (to_x >= 0) & (to_x < width)
    inside[inside] = ~mask[to_y[inside], to_x[inside]]
    sources[ys[inside], xs[inside]] = np.stack([to_y[inside], to_x[inside]], axis=1)
    return sources


def _patch_centres(mask: BoolMask) -> BoolMask:
    """(h, w): where a whole patch fits into the picture without touching the hole."""
    half = PATCH // 2
    free = cv2.dilate(mask.view(np.uint8), np.ones((PATCH, PATCH), np.uint8)) == 0
    centres = np.zeros_like(free)
    inner = (slice(half, max(half, mask.shape[0] - half)), slice(half, max(half, mask.shape[1] - half)))
    centres[inner] = free[inner]
    return centres


class _Search:
    """The state of one search: for each wanted grid patch its best source so far."""

    def __init__(self, image: FloatImage, allowed: BoolMask, wanted: BoolMask, random: np.random.Generator) -> None:
        half = PATCH // 2
        padded = np.pad(image, ((half, half), (half, half), (0, 0)), mode="edge")
        self._row = padded.shape[1]
        self._values = np.ascontiguousarray(padded).reshape(-1, 3)
        spread = np.arange(PATCH)
        self._patch = (spread[:, np.newaxis] * self._row + spread).reshape(-1)
        self._allowed = allowed
        self._random = random
        grid_y, grid_x = np.nonzero(wanted)
        self.number: Index = np.full(wanted.shape, -1, np.intp)
        self.number[grid_y, grid_x] = np.arange(grid_y.size)
        self._grid_y, self._grid_x = grid_y, grid_x
        self._own = self._patches(grid_y * _STEP, grid_x * _STEP)
        choices_y, choices_x = np.nonzero(allowed)
        start = random.integers(0, choices_y.size, grid_y.size)
        self.best_y: Index = choices_y[start]
        self.best_x: Index = choices_x[start]
        self._best = self._distances(np.arange(grid_y.size), self.best_y, self.best_x)

    def propagate(self) -> None:
        """Offer every patch what its neighbours found, shifted by the distance to them; far neighbours first."""
        for jump in (8, 4, 2, 1, 1):
            for dy, dx in _NEIGHBOURS:
                near_y, near_x = self._grid_y + dy * jump, self._grid_x + dx * jump
                fits = (near_y >= 0) & (near_y < self.number.shape[0])
                fits &= (near_x >= 0) & (near_x < self.number.shape[1])
                who = np.flatnonzero(fits)
                neighbour = self.number[near_y[who], near_x[who]]
                who, neighbour = who[neighbour >= 0], neighbour[neighbour >= 0]
                shift_y, shift_x = dy * jump * _STEP, dx * jump * _STEP
                self._offer(who, self.best_y[neighbour] - shift_y, self.best_x[neighbour] - shift_x)

    def look_around(self) -> None:
        """Try random places around each best one, in windows that halve from the whole picture to one pixel."""
        radius = max(self._allowed.shape)
        everybody = np.arange(self._best.size)
        while radius >= 1:
            jump = self._random.integers(-radius, radius + 1, (2, everybody.size))
            self._offer(everybody, self.best_y + jump[0], self.best_x + jump[1])
            radius //= 2

    def _offer(self, who: Index, ys: Index, xs: Index) -> None:
        height, width = self._allowed.shape
        inside = (ys >= 0) & (ys < height) & (xs >= 0) & (xs < width)
        who, ys, xs = who[inside], ys[inside], xs[inside]
        open_ = self._allowed[ys, xs] & ((ys != self.best_y[who]) | (xs != self.best_x[who]))
        who, ys, xs = who[open_], ys[open_], xs[open_]
        distances = self._distances(who, ys, xs)
        better = distances < self._best[who]
        who = who[better]
        self.best_y[who], self.best_x[who], self._best[who] = ys[better], xs[better], distances[better]

    def _patches(self, ys: Index, xs: Index) -> FloatImage:
        """(n, PATCH², 3); the padding shifts centres to corners."""
        corners = ys * self._row + xs
        return self._values[corners[:, np.newaxis] + self._patch]

    def _distances(self, who: Index, ys: Index, xs: Index) -> NDArray[np.float32]:
        difference = self._patches(ys, xs)
        difference -= self._own[who]
        flat = difference.reshape(who.size, -1)
        return np.asarray(np.einsum("ij,ij->i", flat, flat), dtype=np.float32)
