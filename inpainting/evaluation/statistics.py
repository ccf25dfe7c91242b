"""Paired comparisons: two methods on the same pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of ours minus theirs with its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def paired_difference(ours: NDArray[np.float64], theirs: NDArray[np.float64], *, seed: int = 0) -> Difference:
    """Percentile bootstrap over pictures (10 000 resamples) of the mean paired difference.

    Both arrays have one value a picture, in the same order. Pictures where either value is not finite (PSNR of an
    identical result) are left out of both. Raises `ValueError` when nothing is left or the lengths differ.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"Paired values must be as many: {ours.shape} and {theirs.shape}.")
    usable = np.isfinite(ours) & np.isfinite(theirs)
    gaps = (ours - theirs)[usable]
    if not gaps.size:
        raise ValueError("There is no picture with two finite values.")
    rng = np.random.default_rng(seed)
    means = np.array([gaps[rng.integers(gaps.size, size=gaps.size)].mean() for _ in range(_RESAMPLES)])
    low, high = np.quantile(means, [0.025, 0.975])
    return Difference(float(gaps.mean()), float(low), float(high))
