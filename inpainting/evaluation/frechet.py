"""The Fréchet distance between two sets of feature vectors. Free of PyTorch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]


def frechet_distance(ones: Features, others: Features) -> float:
    """Squared Fréchet (2-Wasserstein) distance between Gaussians fitted to two sets of vectors (n, d) and (m, d).

    ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½), with unbiased covariances (Heusel et al. 2017, eq. 6; Dowson and Landau
    1982). The trace of the root is the sum of the roots of the eigenvalues of Σ₁Σ₂, which are real and not negative.
    Raises `ValueError` for fewer than two vectors or differing lengths.
    """
    if ones.ndim != 2 or others.ndim != 2 or ones.shape[1] != others.shape[1]:
        raise ValueError(f"Two tables of vectors of the same length are needed, not {ones.shape} and {others.shape}.")
    if min(len(ones), len(others)) < 2:
        raise ValueError("A covariance needs at least two vectors.")
    first, second = ones.astype(np.float64), others.astype(np.float64)
    gap = first.mean(0) - second.mean(0)
    covariance_one = np.atleast_2d(np.cov(first, rowvar=False))
    covariance_other = np.atleast_2d(np.cov(second, rowvar=False))
    eigenvalues = np.linalg.eigvals(covariance_one @ covariance_other)
    root_trace = float(np.sqrt(np.clip(eigenvalues.real, 0.0, None)).sum())
    distance = float(gap @ gap) + float(np.trace(covariance_one) + np.trace(covariance_other)) - 2 * root_trace
    return max(0.0, distance)
