"""A handful of small photos to train on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from inpainting.training.pack import PhotoPack, build_pack


def small_pack(folder: Path, out: Path) -> PhotoPack:
    """Photos in `folder` and a pack of them in `out`: four to learn from, two to be measured on."""
    names = ["photo-2.png", "photo-3.png", "photo-5.png", "photo-6.png", "photo-4.png", "valid-18.png"]
    for number, name in enumerate(names):
        coarse = np.random.default_rng(number).integers(0, 255, (4, 4, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / name), cv2.resize(coarse, (160, 136), interpolation=cv2.INTER_CUBIC))
    return build_pack([folder], out, side=136)
