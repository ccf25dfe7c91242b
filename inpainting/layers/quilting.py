"""Joining pictures without a visible seam: minimum-error cuts (image quilting) and membrane correction."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
_RELAXATIONS = 80
_COARSEST = 4


def minimum_cut(cost: Plane) -> NDArray[np.int64]:
    """The path of least total cost from the first row of `cost` (h, w) to its last: one column for each row.

    Neighbouring rows differ by at most one column (Efros and Freeman 2001): E(y, x) = e(y, x) + min E(y-1, x-1..x+1).
    Of equal paths the leftmost last step is taken.
    """
    height, width = cost.shape
    total = cost.astype(np.float64)
    padded = np.full(width + 2, np.inf)
    for y in range(1, height):
        padded[1:-1] = total[y - 1]
        total[y] += np.minimum(np.minimum(padded[:-2], padded[1:-1]), padded[2:])
    path = np.empty(height, np.int64)
    path[-1] = int(total[-1].argmin())
    for y in range(height - 2, -1, -1):
        low = max(0, int(path[y + 1]) - 1)
        path[y] = low + int(total[y, low : int(path[y + 1]) + 2].argmin())
    return path


def quilt(
    new: NDArray[np.float32],
    old: NDArray[np.float32],
    written: NDArray[np.bool_],
    unwritten: NDArray[np.bool_],
    overlap: tuple[int, int],
) -> NDArray[np.bool_]:
    """Where a `new` patch (h, w, C) should replace what is there, `old`: (h, w), True for new.

    `written` (h, w) marks pixels of `old` that earlier patches have made, `unwritten` those that wait for this one; the
    others are the photo's. Along each side of the patch whose strip of `overlap` (rows, columns) pixels is mostly
    written, a minimum-error cut through the strip parts old from new; a pixel beyond any cut stays old. Differences
    count only where both exist.
    """
    keep_old = np.zeros(written.shape, np.bool_)
    error: Plane = np.square(new - old).sum(axis=2, dtype=np.float32) * written
    rows, columns = min(overlap[0], written.shape[0]), min(overlap[1], written.shape[1])
    for turns, depth in enumerate((columns, rows, columns, rows)):  # left, then the other sides by turning
        strip = np.rot90(error, turns)[:, :depth]
        made = np.rot90(written, turns)[:, :depth]
        # The end of a strip along another side is written too; that does not make this side an overlap.
        if made.sum() <= np.rot90(unwritten, turns)[:, :depth].sum():
            continue
        beyond = np.arange(depth)[np.newaxis, :] < minimum_cut(np.ascontiguousarray(strip))[:, np.newaxis]
        np.rot90(keep_old, turns)[:, :depth] |= beyond
    return ~(keep_old & written)


def membrane(values: NDArray[np.float32], hole: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Continue `values` (h, w, C) into the `hole` (h, w) as a soap film: Laplace's equation, 4 neighbours.

    The values around the hole stay; where the hole meets the border of the picture the film is level there. A hole
    without any surroundings becomes zero. Solved coarse to fine by red-black relaxation, to well below one 8-bit step
    for the smooth corrections this is for.
    """
    height, width = hole.shape
    if not hole.any():
        return values.copy()
    known = ~hole
    if not known.any():
        return np.zeros_like(values)
    if min(height, width) > _COARSEST:
        start = _enlarged(_coarse_membrane(values, known), values.shape)
    else:
        start = np.broadcast_to(values[known].mean(axis=0), values.shape)
    film = np.where(hole[..., np.newaxis], start, values).astype(np.float32)
    ys, xs = np.indices(hole.shape)
    colours = [hole & ((ys + xs) % 2 == parity) for parity in (0, 1)]
    sweeps = _RELAXATIONS if max(height, width) > 2 * _COARSEST else 8 * _RELAXATIONS
    for _ in range(sweeps):
        for colour in colours:
            padded = np.pad(film, ((1, 1), (1, 1), (0, 0)), mode="edge")
            around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
            film[colour] = around[colour] / 4.0
    return film


def _coarse_membrane(values: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The film at half size, from the mean of each cell's known pixels."""
    height, width = known.shape
    odd = ((0, height % 2), (0, width % 2))
    weight = np.pad(known, odd).astype(np.float32)
    weighed = np.pad(values * known[..., np.newaxis], (*odd, (0, 0)))
    cells = (weight.shape[0] // 2, 2, weight.shape[1] // 2, 2)
    count = weight.reshape(cells).sum(axis=(1, 3))
    sums = weighed.reshape(*cells, -1).sum(axis=(1, 3))
    means = (sums / np.maximum(count, 1.0)[..., np.newaxis]).astype(np.float32)
    return membrane(means, count == 0)


def _enlarged(film: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    height, width = shape[:2]
    even = (film.shape[1] * 2, film.shape[0] * 2)
    grown = cv2.resize(film, even, interpolation=cv2.INTER_LINEAR).reshape(even[1], even[0], -1)
    return np.asarray(grown[:height, :width], dtype=np.float32)
