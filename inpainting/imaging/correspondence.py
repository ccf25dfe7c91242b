"""Finding, for a filled hole, the known patches of the same picture that its content resembles most.

A randomised nearest-neighbour search after Barnes et al., "PatchMatch" (2009), section 3: random start, propagation
from neighbours, random search in shrinking windows. All patches are handled at once (each round looks at the
neighbours of the round before), which suits arrays better than the paper's scan order. It starts on a small picture,
where few places have to be tried, and carries what it found to finer scales.
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
_COARSEST_SIDE = 160
_FIRST_ROUNDS, _ROUNDS = 8, 3
_NEIGHBOURS = ((0, -1), (0, 1), (-1, 0), (1, 0))


def find_sources(
    image: FloatImage, mask: BoolMask, *, seed: int, on_round: Callable[[float], None] | None = None
) -> NDArray[np.int32]:
    """(h, w, 2): for each hole pixel the (y, x) of the known pixel it corresponds to; -1 elsewhere, and where none is.

    `image` (h, w, 3) is filled, `mask` (h, w) True where it was. Sources are centres of patches of side `PATCH` that
    lie wholly in the known region. The same seed gives the same answer. `on_round(fraction)` may raise to stop.
    """
    sources = np.full((*mask.shape, 2), -1, np.int32)
    scales = _scales(image, mask)
    if not scales:
        return sources
    random = np.random.default_rng(seed)
    search = _Search(*scales[-1], random)
    total = _FIRST_ROUNDS + sum(4**k for k in range(len(scales)))  # roughly the work, in rounds of the coarsest scale
    done = 0.0
    for index, scale in enumerate(reversed(scales)):
        if index:
            search = _Search(*scale, random, coarser=search)
        rounds = _ROUNDS if index else _FIRST_ROUNDS
        for _round in range(rounds):
            search.propagate()
            search.look_around()
            done += 4**index / _ROUNDS
            if on_round is not None:
                on_round(min(1.0, done / total))
        search.propagate()
    search.write_offsets(mask, sources)
    return sources


def _scales(image: FloatImage, mask: BoolMask) -> list[tuple[FloatImage, BoolMask]]:
    """The picture at scales 1, 1/2, 1/4 …, finest first, as far as each still has a patch to copy and one to fill."""
    scales: list[tuple[FloatImage, BoolMask]] = []
    while _patch_centres(mask).any() and mask.any():
        scales.append((image, mask))
        height, width = mask.shape
        if max(height, width) <= _COARSEST_SIDE:
            break
        size = (-(-width // 2), -(-height // 2))
        mask = cv2.resize(mask.view(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_AREA) > 0
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    return scales


def _patch_centres(mask: BoolMask) -> BoolMask:
    """(h, w): where a whole patch fits into the picture without touching the hole."""
    half = PATCH // 2
    free = cv2.dilate(mask.view(np.uint8), np.ones((PATCH, PATCH), np.uint8)) == 0
    centres = np.zeros(mask.shape, np.bool_)
    inner = (slice(half, max(half, mask.shape[0] - half)), slice(half, max(half, mask.shape[1] - half)))
    centres[inner] = free[inner]
    return centres


class _Search:
    """The state of one search: for each wanted grid patch its best source so far."""

    def __init__(
        self, image: FloatImage, mask: BoolMask, random: np.random.Generator, coarser: _Search | None = None
    ) -> None:
        half = PATCH // 2
        padded = np.pad(image, ((half, half), (half, half), (0, 0)), mode="edge")
        self._row = padded.shape[1]
        self._values = np.ascontiguousarray(padded).reshape(-1, 3)
        spread = np.arange(PATCH)
        self._patch = (spread[:, np.newaxis] * self._row + spread).reshape(-1)
        self._allowed = _patch_centres(mask)
        self._random = random
        near_hole = cv2.dilate(mask.view(np.uint8), np.ones((PATCH, PATCH), np.uint8)).astype(bool)
        wanted = near_hole[::_STEP, ::_STEP]
        self._grid_y, self._grid_x = np.nonzero(wanted)
        self.number: Index = np.full(wanted.shape, -1, np.intp)
        self.number[self._grid_y, self._grid_x] = np.arange(self._grid_y.size)
        self._own = self._patches(self._grid_y * _STEP, self._grid_x * _STEP)
        choices_y, choices_x = np.nonzero(self._allowed)
        start = random.integers(0, choices_y.size, self._grid_y.size)
        self.best_y: Index = choices_y[start]
        self.best_x: Index = choices_x[start]
        everybody = np.arange(self._grid_y.size)
        self._best = self._distances(everybody, self.best_y, self.best_x)
        if coarser is not None:
            offset_y, offset_x = coarser.offsets_near(self._grid_y / 2, self._grid_x / 2)
            self._offer(everybody, self._grid_y * _STEP + 2 * offset_y, self._grid_x * _STEP + 2 * offset_x)

    def offsets_near(self, grid_y: NDArray[np.float64], grid_x: NDArray[np.float64]) -> tuple[Index, Index]:
        """Source minus destination (y, x), of the patches nearest to these grid positions; 0 where there is none."""
        node_y = np.minimum(np.rint(grid_y).astype(np.intp), self.number.shape[0] - 1)
        node_x = np.minimum(np.rint(grid_x).astype(np.intp), self.number.shape[1] - 1)
        number = self.number[node_y, node_x]
        offset_y = np.where(number >= 0, self.best_y[number] - node_y * _STEP, 0)
        offset_x = np.where(number >= 0, self.best_x[number] - node_x * _STEP, 0)
        return offset_y, offset_x

    def write_offsets(self, mask: BoolMask, sources: NDArray[np.int32]) -> None:
        """Let every hole pixel follow the patch nearest to it: same offset, where that leads to a known pixel."""
        ys, xs = np.nonzero(mask)
        offset_y, offset_x = self.offsets_near(ys / _STEP, xs / _STEP)
        to_y, to_x = ys + offset_y, xs + offset_x
        inside = (to_y >= 0) & (to_y < mask.shape[0]) & (to_x >= 0) & (to_x < mask.shape[1])
        inside[inside] = ~mask[to_y[inside], to_x[inside]]
        sources[ys[inside], xs[inside]] = np.stack([to_y[inside], to_x[inside]], axis=1)

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
        return np.asarray(self._values[corners[:, np.newaxis] + self._patch], dtype=np.float32)

    def _distances(self, who: Index, ys: Index, xs: Index) -> NDArray[np.float32]:
        difference = self._patches(ys, xs)
        difference -= self._own[who]
        flat = difference.reshape(-1, PATCH * PATCH * 3)
        return np.asarray(np.einsum("ij,ij->i", flat, flat), dtype=np.float32)
