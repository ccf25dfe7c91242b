"""Joining pictures without a visible seam: minimum-error cuts (image quilting)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


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
