"""What is measured: the name, the unit and the exact meaning of every column of a report. Free of PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One column."""

    key: str
    title: str
    unit: str
    better: Better | None
    """None for what describes a result without ranking it."""
    digits: int
    definition: str
    set_level: bool = False
    """One number a model over all pictures, not one a picture."""

    @property
    def label(self) -> str:
        """Title with unit: ``PSNR (dB)``."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def arrow(self) -> str:
        """↑ where higher is better, ↓ where lower is."""
        return {"higher": "↑", "lower": "↓", None: ""}[self.better]

    def number(self, value: float | None) -> str:
        """`value` with this measure's digits; a dash for none."""
        return "–" if value is None else f"{value:.{self.digits}f}"


MEASURES: tuple[Measure, ...] = (
    Measure(
        "l1_mean",
        "L1",
        "%",
        "lower",
        3,
        "Mean absolute difference over the whole picture and its three channels, in per cent of 255.",
    ),
    Measure(
        "l1_hole",
        "L1 in the hole",
        "%",
        "lower",
        2,
        "Mean absolute difference inside the hole only, in per cent of 255.",
    ),
    Measure(
        "psnr",
        "PSNR",
        "dB",
        "higher",
        2,
        "10·log₁₀(255² / MSE) over the whole picture. Identical pictures (infinite) are left out of means and counted.",
    ),
    Measure("psnr_hole", "PSNR in the hole", "dB", "higher", 2, "As PSNR, the squared error taken over the hole only."),
    Measure(
        "ssim",
        "SSIM",
        "",
        "higher",
        4,
        "Wang et al. 2004: Gaussian window of 11 × 11, σ 1.5, K₁ 0.01, K₂ 0.03, data range 255, windows inside the "
        "picture only, mean of the three channels; as scikit-image with gaussian_weights, use_sample_covariance off.",
    ),
    Measure(
        "ms_ssim",
        "MS-SSIM",
        "",
        "higher",
        4,
        "Wang, Simoncelli and Bovik 2003: five scales, weights .0448 .2856 .3001 .2363 .1333, windows as SSIM's; as "
        "torchmetrics 1.9 with data_range 255. Needs sides of at least 176 px.",
    ),
    Measure(
        "lite0_distance",
        "Lite0 distance",
        "×100",
        "lower",
        2,
        "Perceptual distance on ImageNet features of EfficientNet-Lite0 (expansions of blocks 1, 3 and 5): features "
        "scaled to length 1 at each place, squared differences summed over channels, mean over places, mean over the "
        "three taps, times 100. Not LPIPS, and not comparable with it.",
    ),
    Measure(
        "lpips",
        "LPIPS (VGG)",
        "",
        "lower",
        4,
        "Zhang et al. 2018, version 0.1 with VGG-16, on pictures in [-1, 1]. Computed with the published weights only.",
    ),
    Measure(
        "seam_error",
        "Seam error",
        "%",
        "lower",
        2,
        "Mean |Δresult − Δtruth| over all pairs of neighbours across the hole's edge, in per cent of 255.",
    ),
    Measure(
        "total_variation",
        "TV",
        "grey levels",
        None,
        2,
        "Mean absolute difference of horizontal neighbours plus that of vertical ones, 0 to 255. A property of the "
        "result alone: it should come close to the truth's, which is printed beside.",
    ),
    Measure(
        "known_error",
        "Known-region error",
        "%",
        None,
        4,
        "Mean absolute difference outside the hole, in per cent of 255. Must be 0.",
    ),
    Measure(
        "seconds", "Time", "s", "lower", 2, "Wall-clock seconds a picture from photo and hole to the filled photo."
    ),
)
SET_MEASURES: tuple[Measure, ...] = (
    Measure(
        "frechet_lite0",
        "Fréchet distance (Lite0)",
        "",
        "lower",
        3,
        "Fréchet distance between Gaussians fitted to the EfficientNet-Lite0 features (expansion of block 5, 240 "
        "channels) of all 32 × 32 px patches that are at least half hole, of the results and of the truth. Not FID.",
        set_level=True,
    ),
    Measure(
        "fid",
        "FID",
        "",
        "lower",
        2,
        "Heusel et al. 2017: Fréchet distance on the 2048 pooled features of the published TensorFlow Inception-v3, "
        "whole pictures at 299 × 299 px. Computed with the published weights only.",
        set_level=True,
    ),
)
MEASURE_BY_KEY = {measure.key: measure for measure in (*MEASURES, *SET_MEASURES)}
RANKED = tuple(measure for measure in MEASURES if measure.better is not None)
LEAST_PATCHES = 2400
"""Ten a feature channel: below, the Fréchet distance on Lite0 features carries a warning."""
LEAST_PATCHES_AT_ALL = 480
"""Two a channel: below, it is not computed."""
LEAST_PICTURES_FOR_FID = 10_000
"""Below, FID carries a warning; the estimate is biased upwards (Heusel et al. recommend at least 10 000)."""
LEAST_PICTURES_FOR_INTERVALS = 20
"""Below, percentile bootstrap intervals are too narrow to be trusted."""
