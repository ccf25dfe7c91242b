"""Source maps as files: for the hole pixels of a crop, where in the photo their content was taken from.

A map has cells, stretched over a box of the photo. The file is a zlib stream of 16-bit little-endian signed integers:
the vertical offsets of all cells row by row, then the horizontal ones. An offset is source minus own position in
cells, `NOTHING` where there is none. Offsets are alike over whole copied patches, so they compress well, and a browser
reads them exactly, which a canvas does not promise for colours.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inpainting.imaging.context import Box

NOTHING = -32768
LONGEST_SIDE = 1024
"""A map has at most this many cells on a side; larger ones are thinned out."""
_LEVEL = 6


@dataclass(frozen=True, slots=True, eq=False)
class PackedSources:
    """A source map as it is stored."""

    data: bytes
    width: int
    """Cells in a row."""
    height: int


def pack_sources(sources: NDArray[np.int32], box: Box, *, longest_side: int = LONGEST_SIDE) -> PackedSources:
    """Pack a map (h, w, 2) of (y, x) in photo pixels, -1 where there is none, that is stretched over `box`.

    Sources must lie inside the box, as those of a context crop do; others, and those too far away for 16 bits, count
    as none.
    """
    thinning = -(-max(sources.shape[:2]) // longest_side)
    if thinning > 1:
        at_y, at_x = (_middles(side, -(-side // thinning)) for side in sources.shape[:2])
        sources = sources[at_y][:, at_x]
    height, width = sources.shape[:2]
    # Photo pixel p covers [p, p + 1); its middle says in which cell it lies.
    cell_y = np.floor((sources[..., 0] - box.top + 0.5) * height / box.height).astype(np.int64)
    cell_x = np.floor((sources[..., 1] - box.left + 0.5) * width / box.width).astype(np.int64)
    offsets = np.stack([cell_y - np.arange(height)[:, np.newaxis], cell_x - np.arange(width)])
    usable = (sources >= 0).all(axis=2) & (np.abs(offsets) < -NOTHING).all(axis=0)
    usable &= (cell_y >= 0) & (cell_y < height) & (cell_x >= 0) & (cell_x < width)
    stored = np.where(usable, offsets, NOTHING).astype("<i2")
    return PackedSources(zlib.compress(stored.tobytes(), _LEVEL), width, height)


def _middles(side: int, cells: int) -> NDArray[np.intp]:
    """Which of `side` places lie in the middle of `cells` equal parts."""
    return ((np.arange(cells) + 0.5) * side / cells).astype(np.intp)


def unpack_sources(packed: PackedSources) -> NDArray[np.int32]:
    """(h, w, 2): the (row, column) of the cell each cell was taken from, -1 where there is none.

    Raises `ValueError` when the data is no map of that size.
    """
    size = 4 * packed.width * packed.height
    try:
        raw = zlib.decompressobj().decompress(packed.data, size + 1)
    except zlib.error as error:
        raise ValueError(f"this is no source map: {error}") from None
    if len(raw) != size:
        raise ValueError(f"a source map of {packed.width} × {packed.height} cells has {size} bytes")
    down, across = np.frombuffer(raw, "<i2").astype(np.int32).reshape(2, packed.height, packed.width)
    cells = np.stack([down + np.arange(packed.height)[:, np.newaxis], across + np.arange(packed.width)], axis=2)
    return np.where((down == NOTHING)[..., np.newaxis], -1, cells).astype(np.int32)


def centre_in_photo(
    cells: NDArray[np.int32], packed: PackedSources, box: Box
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres (y, x) in photo pixels of `cells` (…, 2), given as (row, column)."""
    y = box.top + (cells[..., 0] + 0.5) * box.height / packed.height
    x = box.left + (cells[..., 1] + 0.5) * box.width / packed.width
    return y, x
