"""The smoothest continuation of values into a hole."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_RELAXATIONS = 80
_COARSEST = 4


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
