"""Picture metrics on eight-bit pictures: exact definitions, without PyTorch.

All take the truth and the result as uint8 (H, W, 3), sRGB values as stored, and return one number a picture. Those that
speak of the hole also take it as bool (H, W), True inside. Nothing is scaled, converted to grey or linearised before
it is measured.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.imaging.photo import BoolMask

RGB = NDArray[np.uint8]
_Float = NDArray[np.float64]

SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the five scales, finest first (Wang, Simoncelli and Bovik 2003)."""
MS_SSIM_LEAST_SIDE = 176
"""Below, the coarsest scale has less than the window's eleven pixels."""


def l1_mean(truth: RGB, result: RGB) -> float:
    """Mean absolute difference over the whole picture in per cent of 255."""
    return float(np.abs(truth.astype(np.int16) - result).mean() * (100 / 255))


def l1_hole(truth: RGB, result: RGB, hole: BoolMask) -> float:
    """Mean absolute difference inside the hole in per cent of 255."""
    return float(np.abs(truth[hole].astype(np.int16) - result[hole]).mean() * (100 / 255))


def psnr(truth: RGB, result: RGB) -> float:
    """Peak signal-to-noise ratio, 10·log₁₀(255² / MSE), in dB over the whole picture; infinite for identical ones."""
    return _decibels(float(np.mean((truth.astype(np.float64) - result) ** 2)))


def psnr_hole(truth: RGB, result: RGB, hole: BoolMask) -> float:
    """As `psnr`, with the mean squared error taken over the hole only."""
    return _decibels(float(np.mean((truth[hole].astype(np.float64) - result[hole]) ** 2)))


def ssim(truth: RGB, result: RGB) -> float:
    """Structural similarity (Wang et al. 2004), 1 for identical pictures: the mean of the three channels' means.

    Gaussian window of 11 × 11, σ = 1.5, K₁ = 0.01, K₂ = 0.03, data range 255, variances without Bessel's correction;
    only windows that lie inside the picture count. The same number as scikit-image's ``structural_similarity`` with
    ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2``. (torchmetrics
    mirrors the picture at its border and counts those windows too, which gives a slightly different number.)
    """
    _check_side(truth, SSIM_WINDOW, "SSIM")
    similarity, _ = _similarity(truth.astype(np.float64), result.astype(np.float64))
    return float(_inside(similarity).mean())


def ms_ssim(truth: RGB, result: RGB) -> float:
    """Multi-scale structural similarity (Wang, Simoncelli and Bovik 2003), 1 for identical pictures.

    Π over the scales of the mean contrast-structure term to the power of `MS_SSIM_WEIGHTS`; at the coarsest scale the
    mean of the full similarity. Each scale halves the last one by 2 × 2 means; window, constants and data range as in
    `ssim`, means over all three channels together, negative means count as 0. As in torchmetrics 1.9
    (``multiscale_structural_similarity_index_measure`` with ``data_range=255``), whose number this is: the picture
    is mirrored at its border, and of the windows that reach over it only the coarsest scale's are counted. Needs sides
    of at least 176 px; raises `ValueError` for smaller pictures.
    """
    _check_side(truth, MS_SSIM_LEAST_SIDE, "MS-SSIM")
    return _multi_scale(truth, result, _similarity(truth.astype(np.float64), result.astype(np.float64)))


def similarities(truth: RGB, result: RGB) -> dict[str, float | None]:
    """`ssim` and `ms_ssim` together, which share the finest scale; None for what the picture is too small for."""
    found: dict[str, float | None] = {"ssim": None, "ms_ssim": None}
    if min(truth.shape[:2]) < SSIM_WINDOW:
        return found
    finest = _similarity(truth.astype(np.float64), result.astype(np.float64))
    found["ssim"] = float(_inside(finest[0]).mean())
    if min(truth.shape[:2]) >= MS_SSIM_LEAST_SIDE:
        found["ms_ssim"] = _multi_scale(truth, result, finest)
    return found


def total_variation(picture: RGB) -> float:
    """Mean |Δ| between horizontal neighbours plus the mean between vertical ones, in grey levels (0 to 255).

    A property of one picture: the truth has a value too, and a result should come close to that one. T-MAD's “TV loss”
    (Xu et al. 2020, Table III) is of this magnitude, but its formula is not printed.
    """
    values = picture.astype(np.int16)
    across, down = np.abs(np.diff(values, axis=1)), np.abs(np.diff(values, axis=0))
    return float(across.mean() + down.mean())


def seam_error(truth: RGB, result: RGB, hole: BoolMask) -> float:
    """Gradient mismatch across the hole's edge in per cent of 255.

    The mean, over all pairs of horizontal or vertical neighbours of which one is known and one is hole, and over the
    channels, of |(r_hole − r_known) − (t_hole − t_known)|. Where known pixels are the truth's own this is how far the
    outermost ring of the fill is off: a visible seam.
    """
    error = result.astype(np.int16) - truth
    gaps = []
    for axis in (0, 1):
        crosses = np.diff(hole, axis=axis)
        gaps.append(np.abs(np.diff(error, axis=axis))[crosses])
    pairs = np.concatenate(gaps)
    if not pairs.size:
        raise ValueError("The hole has no edge inside the picture.")
    return float(pairs.mean() * (100 / 255))


def known_error(truth: RGB, result: RGB, hole: BoolMask) -> float:
    """Mean absolute difference outside the hole in per cent of 255. Must be 0: known pixels are not to change."""
    known = ~hole
    return float(np.abs(truth[known].astype(np.int16) - result[known]).mean() * (100 / 255))


def _decibels(mean_squared_error: float) -> float:
    return float("inf") if mean_squared_error == 0 else float(10 * np.log10(255**2 / mean_squared_error))


def _check_side(picture: RGB, least: int, name: str) -> None:
    if min(picture.shape[:2]) < least:
        raise ValueError(f"{name} needs sides of at least {least} px; the picture has {min(picture.shape[:2])}.")


def _similarity(one: _Float, other: _Float) -> tuple[_Float, _Float]:
    """The similarity map (H, W, 3) and its contrast-structure factor; borders are mirrored."""
    mean_one, mean_other = _blurred(one), _blurred(other)
    products = mean_one * mean_other
    squares = mean_one**2 + mean_other**2
    variances = np.maximum(_blurred(one * one) - mean_one**2, 0) + np.maximum(_blurred(other**2) - mean_other**2, 0)
    covariance = _blurred(one * other) - products
    contrast = (2 * covariance + _C2) / (variances + _C2)
    return (2 * products + _C1) / (squares + _C1) * contrast, contrast


def _multi_scale(truth: RGB, result: RGB, finest: tuple[_Float, _Float]) -> float:
    one, other = truth.astype(np.float64), result.astype(np.float64)
    product = 1.0
    for scale, weight in enumerate(MS_SSIM_WEIGHTS):
        similarity, contrast = finest if scale == 0 else _similarity(one, other)
        last = scale == len(MS_SSIM_WEIGHTS) - 1
        term = float(similarity.mean() if last else _inside(contrast).mean())
        product *= max(term, 0.0) ** weight
        one, other = _halved(one), _halved(other)
    return product


def _blurred(values: _Float) -> _Float:
    window = (SSIM_WINDOW, SSIM_WINDOW)
    blurred = cv2.GaussianBlur(values, window, sigmaX=SSIM_SIGMA, sigmaY=SSIM_SIGMA, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, np.float64)


def _inside(values: _Float) -> _Float:
    """Without the positions whose window reaches over the border."""
    margin = SSIM_WINDOW // 2
    return values[margin:-margin, margin:-margin]


def _halved(values: _Float) -> _Float:
    height, width = values.shape[0] // 2 * 2, values.shape[1] // 2 * 2
    even = values[:height, :width]
    total = even[0::2, 0::2] + even[1::2, 0::2] + even[0::2, 1::2] + even[1::2, 1::2]
    return np.asarray(total / 4, np.float64)
