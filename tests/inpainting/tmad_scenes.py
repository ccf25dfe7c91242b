"""Small photos, holes and networks for T-MAD's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from inpainting.catalog import get_entry
from inpainting.models.base import BoolMask, FillInput, FillOutput, FloatImage, Step
from inpainting.models.tmad import TMADConfig

TINY = TMADConfig(coarse=(8, 8, 12, 12), synthesis=(8, 8, 12), texture=(8, 8, 12), embedding=4, coarse_blocks=2)


def photo(height: int, width: int, seed: int = 0) -> FloatImage:
    rng = np.random.default_rng(seed)
    blocks = rng.random((height // 8 + 1, width // 8 + 1, 3), dtype=np.float32).repeat(8, 0).repeat(8, 1)
    noise = rng.random((height, width, 3), dtype=np.float32)
    return 0.7 * blocks[:height, :width] + 0.3 * noise


def box(height: int, width: int, top: int, left: int, bottom: int, right: int) -> BoolMask:
    mask = np.zeros((height, width), dtype=np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def job(
    mask: BoolMask, *, seed: int = 0, on_step: Callable[[Step], None] = lambda step: None, **params: Any
) -> FillInput:
    image = photo(*mask.shape)
    image[mask] = 0
    return FillInput(image, mask, get_entry("tmad").parse_params(params), seed, on_step)


def assert_sound(output: FillOutput, crop: FillInput) -> None:
    known = ~crop.mask
    assert output.image.shape == crop.image.shape
    assert output.image.dtype == np.float32
    assert np.isfinite(output.image).all()
    assert output.image.min() >= 0
    assert output.image.max() <= 1
    np.testing.assert_allclose(output.image[known], crop.image[known], atol=1e-6)
