"""Every number of a report against a second implementation, or against one worked out by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import linalg
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from inpainting.evaluation import metrics
from inpainting.evaluation.frechet import frechet_distance

RGB = NDArray[np.uint8]


def pair(height: int, width: int, seed: int = 0) -> tuple[RGB, RGB, NDArray[np.bool_]]:
    """A smooth picture, the same with a rectangle of another, and the rectangle."""
    rng = np.random.default_rng(seed)
    coarse = [rng.integers(0, 256, (17, 23, 3), dtype=np.uint8) for _ in range(2)]
    truth, other = (np.asarray(cv2.resize(each, (width, height)), np.uint8) for each in coarse)
    hole = np.zeros((height, width), np.bool_)
    hole[height // 4 : height // 2, width // 3 : width // 3 * 2] = True
    return truth, np.where(hole[:, :, None], other, truth), hole


def batch(picture: RGB) -> torch.Tensor:
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].double()


@pytest.mark.parametrize(("height", "width"), [(256, 256), (176, 300), (191, 177)])
def test_similarities_are_those_of_the_libraries_named_in_the_definitions(height: int, width: int) -> None:
    truth, result, _ = pair(height, width)
    wanted = structural_similarity(
        truth, result, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert metrics.ssim(truth, result) == pytest.approx(wanted, abs=1e-9)
    scales = float(multiscale_structural_similarity_index_measure(batch(result), batch(truth), data_range=255.0))
    assert metrics.ms_ssim(truth, result) == pytest.approx(scales, abs=1e-6)
    assert metrics.similarities(truth, result) == {
        "ssim": metrics.ssim(truth, result),
        "ms_ssim": metrics.ms_ssim(truth, result),
    }


def test_pictures_too_small_for_a_window_have_no_similarity() -> None:
    truth, result, _ = pair(175, 200)
    assert metrics.similarities(truth, result)["ms_ssim"] is None
    with pytest.raises(ValueError, match="at least 176 px"):
        metrics.ms_ssim(truth, result)
    assert metrics.similarities(truth[:8], result[:8]) == {"ssim": None, "ms_ssim": None}


def test_psnr_is_scikit_images_also_inside_the_hole() -> None:
    truth, result, hole = pair(60, 70)
    assert metrics.psnr(truth, result) == pytest.approx(peak_signal_noise_ratio(truth, result, data_range=255))
    inside = peak_signal_noise_ratio(truth[hole], result[hole], data_range=255)
    assert metrics.psnr_hole(truth, result, hole) == pytest.approx(inside)
    assert metrics.psnr_hole(truth, truth, hole) == float("inf")


def test_total_variation_of_a_staircase() -> None:
    stairs = np.repeat(np.arange(0, 50, 10, dtype=np.uint8)[None, :, None], 4, 0).repeat(3, 2)
    assert metrics.total_variation(stairs) == pytest.approx(10.0)  # 10 across, nothing down
    assert metrics.total_variation(stairs.transpose(1, 0, 2)) == pytest.approx(10.0)


def test_the_seam_is_the_step_at_the_edge_and_nothing_else() -> None:
    truth = np.full((10, 10, 3), 100, np.uint8)
    hole = np.zeros((10, 10), np.bool_)
    hole[3:7, 3:7] = True
    step = np.where(hole[:, :, None], np.uint8(151), truth)
    assert metrics.seam_error(truth, step, hole) == pytest.approx(20.0)
    inner = truth.copy()
    inner[4:6, 4:6] = 255  # wrong, but not at the edge
    assert metrics.seam_error(truth, inner, hole) == 0.0
    with pytest.raises(ValueError, match="no edge"):
        metrics.seam_error(truth, truth, np.zeros((10, 10), np.bool_))


def test_the_known_region_counts_when_it_was_changed() -> None:
    truth, result, hole = pair(40, 50)
    assert metrics.known_error(truth, result, hole) == 0.0
    result = result.copy()
    result[0, 0] ^= 64
    assert metrics.known_error(truth, result, hole) > 0.0


def test_the_frechet_distance_is_that_of_the_matrix_root() -> None:
    rng = np.random.default_rng(3)
    mixing = rng.normal(size=(6, 6))
    ones = (rng.normal(size=(300, 6)) @ mixing).astype(np.float32)
    others = (rng.normal(size=(200, 6)) * 1.7 + 0.5).astype(np.float32)
    one, other = np.cov(ones.astype(float), rowvar=False), np.cov(others.astype(float), rowvar=False)
    gap = ones.astype(float).mean(0) - others.astype(float).mean(0)
    wanted = gap @ gap + np.trace(one + other - 2 * np.real(linalg.sqrtm(one @ other)))
    assert frechet_distance(ones, others) == pytest.approx(wanted, rel=1e-6)
    assert frechet_distance(ones, ones) == pytest.approx(0.0, abs=1e-6)
    shifted = frechet_distance(ones, ones + np.float32(2))
    assert shifted == pytest.approx(24.0, rel=1e-4)  # six channels, each 2 apart
    with pytest.raises(ValueError, match="two vectors"):
        frechet_distance(ones[:1], others)
    with pytest.raises(ValueError, match="same length"):
        frechet_distance(ones[:, :3], others)
