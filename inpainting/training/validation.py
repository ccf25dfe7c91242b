"""Validation on a fixed set: the same photos, crops and holes for every run, checkpoint and classical peer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpainting.evaluation.features import Seen, Viewer
from inpainting.evaluation.metrics import l1_mean, psnr, ssim
from inpainting.holes import sample_hole
from inpainting.imaging import decode, to_display
from inpainting.models.base import BoolMask
from inpainting.training.batches import to_signed
from inpainting.training.pack import PhotoPack, find_photos

RGB = NDArray[np.uint8]
_SALT = 20121109


@dataclass(frozen=True, slots=True)
class Case:
    """One validation picture with its hole."""

    name: str
    photo: RGB
    hole: BoolMask


def validation_cases(
    pack: PhotoPack,
    side: int,
    *,
    most: int | None = None,
    low: float = 0.1,
    high: float = 0.4,
    box: tuple[int, int] | None = None,
) -> list[Case]:
    """Centre squares of the pack's validation photos at `side` px, each with its own free-form hole, or with `box`.

    A hole depends only on the photo's place in the list, `side` and the range, so scores of different runs compare.
    """
    return [
        _case(pack.photos[number].name, pack.pixels(number), row, side, low, high, box)
        for row, number in enumerate(pack.numbers("validation")[:most])
    ]


def folder_cases(folder: Path, side: int, *, most: int = 8, box: tuple[int, int] | None = None) -> list[Case]:
    """The same of the first photos in `folder`, by name; raises `PhotoError` for one that cannot be read."""
    return [
        _case(path.name, np.asarray(to_display(decode(path.read_bytes())).convert("RGB")), row, side, 0.1, 0.4, box)
        for row, path in enumerate(find_photos([folder])[:most])
    ]


def _case(name: str, pixels: RGB, row: int, side: int, low: float, high: float, box: tuple[int, int] | None) -> Case:
    short = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - short) // 2, (pixels.shape[1] - short) // 2
    square = pixels[top : top + short, left : left + short]
    method = cv2.INTER_AREA if short > side else cv2.INTER_CUBIC
    photo = np.asarray(cv2.resize(square, (side, side), interpolation=method), np.uint8)
    rng = np.random.default_rng([_SALT, row, side])
    if box is None:
        hole = sample_hole(rng, side, side, low=low, high=high, kinds=("brush",))
    else:
        hole = np.zeros((side, side), np.bool_)
        hole[box[0] : box[1], box[0] : box[1]] = True
    return Case(name, photo, hole)


Fill = Callable[[Tensor, Tensor], Tensor]
"""(damaged in [-1, 1], masks) → predictions in [-1, 1]."""


def fill_cases(cases: list[Case], fill: Fill, device: torch.device, *, batch: int = 8) -> list[RGB]:
    """The composites of `fill` on all cases, in eight bits."""
    results: list[RGB] = []
    with torch.inference_mode():
        for start in range(0, len(cases), batch):
            part = cases[start : start + batch]
            images = to_signed(np.stack([case.photo for case in part])).to(device)
            masks = torch.from_numpy(np.stack([case.hole for case in part])[:, None].astype(np.float32)).to(device)
            values = fill(images * (1 - masks), masks).float().clamp(-1, 1).add(1).mul(127.5).round()
            bytes_ = values.to("cpu", torch.uint8).permute(0, 2, 3, 1).numpy()
            results += [
                np.where(case.hole[:, :, None], row, case.photo) for case, row in zip(part, bytes_, strict=True)
            ]
    return results


Scores = dict[str, NDArray[np.float64]]
"""Metric → one value a case."""


def scores(cases: list[Case], results: list[RGB]) -> Scores:
    """PSNR (dB), SSIM and L1 (per cent) of every case."""
    rows = [
        (psnr(case.photo, result), ssim(case.photo, result), l1_mean(case.photo, result))
        for case, result in zip(cases, results, strict=True)
    ]
    table = np.asarray(rows, np.float64)
    return {"psnr": table[:, 0], "ssim": table[:, 1], "l1": table[:, 2]}


def look(viewer: Viewer, seen: list[Seen], results: list[RGB]) -> Scores:
    """The perceptual distance (`inpainting.evaluation.features`) of every case; nothing when its network is missing."""
    distances = [viewer.look(result, truth).lite0_distance for truth, result in zip(seen, results, strict=True)]
    known = [distance for distance in distances if distance is not None]
    return {"lite0_distance": np.asarray(known, np.float64)} if len(known) == len(distances) else {}


def sheet(cases: list[Case], results: list[RGB], *, most: int = 12) -> RGB:
    """A contact sheet: damaged, filled and true, side by side, one case a row, two cases next to each other."""
    strips = []
    for case, result in list(zip(cases, results, strict=True))[:most]:
        damaged = case.photo.copy()
        damaged[case.hole] = 128
        strips.append(np.concatenate([damaged, result, case.photo], axis=1))
    if len(strips) % 2:
        strips.append(np.full_like(strips[0], 255))
    rows = [np.concatenate(strips[n : n + 2], axis=1) for n in range(0, len(strips), 2)]
    return np.asarray(np.concatenate(rows, axis=0), np.uint8)
