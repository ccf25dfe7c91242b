"""Distances that a network sees: EfficientNet-Lite0's, and LPIPS and FID where their published weights were added.

Photos are taken apart into tiles on a fixed grid, so that memory does not grow with the photo. Tiles without hole are
identical in truth and result and count as distance 0 without being computed; a small photo is one tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpainting.backbones.efficientnet_lite import BackboneError, EfficientNetLite0
from inpainting.catalog import WEIGHTS_DIR
from inpainting.evaluation.frechet import Features
from inpainting.evaluation.inception import INCEPTION_WEIGHTS, Inception, load_inception
from inpainting.evaluation.lpips import LPIPS, LPIPS_WEIGHTS, VGG_WEIGHTS, load_lpips
from inpainting.imaging.photo import BoolMask
from inpainting.models.base import FillError

RGB = NDArray[np.uint8]
TILE = 512
CELL = 32
MOST_CELLS = 256
"""Of one picture, evenly spaced; more would let single large photos rule the Fréchet distance."""
_TAPS = ("b1", "b3", "b5")
_CELL_TAP, _CELL_STRIDE = 2, 8
_LEAST_REST = 64


@dataclass(slots=True)
class Seen:
    """The truth as the networks see it, kept so that it is computed once for all models."""

    photo: RGB
    hole: BoolMask
    tiles: dict[tuple[int, int], list[Tensor]]
    cells: Features
    lpips_tiles: dict[tuple[int, int], list[Tensor]]
    inception: Features | None


@dataclass(frozen=True, slots=True)
class Looked:
    """What the networks say about one result."""

    lite0_distance: float | None
    lpips: float | None
    cells: Features
    """(n, 240): features of the patches that are at least half hole."""
    inception: Features | None
    """(1, 2048)."""


class Viewer:
    """The networks that are available, loaded once. `missing` says of every other measure why it is not computed."""

    def __init__(self, device: str = "cpu", *, folder: Path = WEIGHTS_DIR, published: bool = True) -> None:
        self.device = torch.device(device)
        self.missing: dict[str, str] = {}
        self.checksums: dict[str, str] = {}
        self._lite0: EfficientNetLite0 | None = None
        self._lpips: LPIPS | None = None
        self._inception: Inception | None = None
        try:
            self._lite0 = EfficientNetLite0(_TAPS).to(self.device)
            for tensor in self._lite0.buffers():
                if tensor.ndim == 4:
                    tensor.data = tensor.contiguous(memory_format=torch.channels_last)  # quicker on CPUs
        except BackboneError as error:
            self.missing |= {"lite0_distance": str(error), "frechet_lite0": str(error)}
        if published:
            self._load_published(folder)

    def _load_published(self, folder: Path) -> None:
        for key, needed, how in (
            ("lpips", (VGG_WEIGHTS, LPIPS_WEIGHTS), "weights add vgg16 FILE” and “weights add lpips FILE"),
            ("fid", (INCEPTION_WEIGHTS,), "weights add inception FILE"),
        ):
            absent = [name for name in needed if not (folder / name).is_file()]
            if absent:
                self.missing[key] = (
                    f"The published weights are not here ({', '.join(absent)}). “python -m inpainting {how}” adds them."
                )
                continue
            try:
                if key == "lpips":
                    self._lpips, sums = load_lpips(folder)
                    self._lpips.to(self.device)
                else:
                    self._inception, sums = load_inception(folder)
                    self._inception.to(self.device)
                self.checksums |= sums
            except (BackboneError, FillError) as error:
                self.missing[key] = str(error)

    @torch.inference_mode()
    def see(self, photo: RGB, hole: BoolMask) -> Seen:
        """Look at the truth (H, W, 3) where tiles touch the hole."""
        tiles = {}
        lpips_tiles = {}
        for corner, window in _tiles(hole):
            if self._lite0 is not None:
                tiles[corner] = self._lite0(self._signed(photo[window]))
            if self._lpips is not None:
                lpips_tiles[corner] = self._lpips.features(self._signed(photo[window]))
        cells = self._cells(tiles, hole)
        seen = Seen(photo, hole, {}, cells, lpips_tiles, self._embedded(photo))
        seen.tiles = {corner: [_unit(tap) for tap in taps] for corner, taps in tiles.items()}
        return seen

    @torch.inference_mode()
    def look(self, result: RGB, seen: Seen) -> Looked:
        """Compare `result` (H, W, 3), which must equal the truth outside the hole, with the truth."""
        area = float(result.shape[0] * result.shape[1])
        tiles: dict[tuple[int, int], list[Tensor]] = {}
        lite0 = lpips = 0.0
        for corner, window in _tiles(seen.hole):
            part = result[window]
            share = part.shape[0] * part.shape[1] / area
            if self._lite0 is not None:
                tiles[corner] = self._lite0(self._signed(part))
                pairs = zip(tiles[corner], seen.tiles[corner], strict=True)
                gaps = [float((_unit(tap) - truth).square().sum(1).mean()) for tap, truth in pairs]
                lite0 += share * 100 * sum(gaps) / len(gaps)
            if self._lpips is not None:
                lpips += share * self._lpips.distance(
                    self._lpips.features(self._signed(part)), seen.lpips_tiles[corner]
                )
        return Looked(
            lite0_distance=None if self._lite0 is None else lite0,
            lpips=None if self._lpips is None else lpips,
            cells=self._cells(tiles, seen.hole),
            inception=self._embedded(result),
        )

    def _signed(self, pixels: RGB) -> Tensor:
        """(1, 3, H, W) in [-1, 1]."""
        tensor = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device)
        return tensor.permute(2, 0, 1)[None].float() / 127.5 - 1.0  # channels last in memory, as depthwise filters like

    def _embedded(self, photo: RGB) -> Features | None:
        if self._inception is None:
            return None
        tensor = torch.from_numpy(np.ascontiguousarray(photo)).to(self.device).permute(2, 0, 1)[None].float()
        return np.asarray(self._inception(tensor).cpu().numpy(), np.float32)

    def _cells(self, tiles: dict[tuple[int, int], list[Tensor]], hole: BoolMask) -> Features:
        """(n, 240): mean features of the cells of the fixed grid that are at least half hole, in reading order."""
        found: list[Features] = []
        for (top, left), taps in tiles.items():
            tap = taps[_CELL_TAP][0].cpu().numpy()
            side = CELL // _CELL_STRIDE
            for row in range(0, tap.shape[1] - side + 1, side):
                for column in range(0, tap.shape[2] - side + 1, side):
                    y, x = top + row * _CELL_STRIDE, left + column * _CELL_STRIDE
                    cell = hole[y : y + CELL, x : x + CELL]
                    if cell.shape == (CELL, CELL) and cell.mean() >= 0.5:
                        found.append(tap[:, row : row + side, column : column + side].mean((1, 2)))
        if not found:
            return np.zeros((0, 240), np.float32)
        if len(found) > MOST_CELLS:
            found = [found[round(place)] for place in np.linspace(0, len(found) - 1, MOST_CELLS)]
        return np.asarray(np.stack(found), np.float32)


def _unit(features: Tensor) -> Tensor:
    """Scaled to length 1 at each place (1, C, h, w)."""
    return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)


def _tiles(hole: BoolMask) -> Iterator[tuple[tuple[int, int], tuple[slice, slice]]]:
    """The tiles of the fixed grid that touch the hole, as corner and window."""
    for rows in _steps(hole.shape[0]):
        for columns in _steps(hole.shape[1]):
            if hole[rows, columns].any():
                yield (rows.start, columns.start), (rows, columns)


def _steps(length: int) -> list[slice]:
    """Pieces of `TILE`; a rest too small to look at joins the piece before it."""
    starts = list(range(0, length, TILE))
    if len(starts) > 1 and length - starts[-1] < _LEAST_REST:
        starts.pop()
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], length], strict=True)]
