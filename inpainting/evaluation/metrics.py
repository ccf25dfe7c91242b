"""Picture metrics on uint8, and what they are called.

All take the truth and the result as uint8 (H, W, 3) and say nothing about the mask unless they have one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from inpainting.models.base import BoolMask

RGB = NDArray[np.uint8]


def l1_mean(truth: RGB, result: RGB) -> float:
    """Mean absolute difference over the whole picture in per cent of 255."""
    return float(np.abs(truth.astype(np.int16) - result).mean() * (100 / 255))


def l1_hole(truth: RGB, result: RGB, hole: BoolMask) -> float:
    """Mean absolute difference inside the hole in per cent of 255."""
    return float(np.abs(truth[hole].astype(np.int16) - result[hole]).mean() * (100 / 255))


def psnr(truth: RGB, result: RGB) -> float:
    """Peak signal-to-noise ratio in dB over the whole picture; infinite when the pictures are identical."""
    error = float(np.mean((truth.astype(np.float64) - result) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def ssim(truth: RGB, result: RGB) -> float:
    """Structural similarity (Wang et al. 2004): Gaussian window of 11, sigma 1.5, mean of the three channels."""
    value = structural_similarity(  # type: ignore[no-untyped-call]
        truth,
        result,
        channel_axis=2,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(value)
