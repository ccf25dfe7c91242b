import numpy as np
import pytest
from scipy import stats

from inpainting.evaluation.metrics import l1_hole, l1_mean, psnr, ssim
from inpainting.evaluation.peers import PEERS
from inpainting.evaluation.statistics import paired_difference
from inpainting.holes import sample_hole

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (48, 40, 3)).astype(np.uint8)


def test_metrics_of_known_differences() -> None:
    black, grey = np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 3), 51, np.uint8)
    assert l1_mean(black, grey) == pytest.approx(20.0)
    assert psnr(black, grey) == pytest.approx(20 * np.log10(5))
    assert psnr(black, black) == float("inf")
    assert ssim(PHOTO, PHOTO) == pytest.approx(1.0)
    assert ssim(PHOTO, 255 - PHOTO) < 0
    hole = np.zeros((20, 20), np.bool_)
    hole[:10] = True
    assert l1_hole(black, np.where(hole[..., None], grey, black), hole) == pytest.approx(20.0)


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_changes_the_hole_and_nothing_else(name: str) -> None:
    gradient = np.linspace(0, 255, 64, dtype=np.float32)
    photo = np.stack(np.broadcast_arrays(gradient[:, None], gradient[None, :], np.float32(90)), -1).astype(np.uint8)
    hole = sample_hole(np.random.default_rng(1), 64, 64, low=0.1, high=0.2)
    damaged = photo.copy()
    damaged[hole] = 0
    result = PEERS[name](damaged, hole)
    assert result.dtype == np.uint8
    assert np.array_equal(result[~hole], photo[~hole])
    assert l1_hole(photo, result, hole) < l1_hole(photo, damaged, hole)


def test_the_paired_interval_agrees_with_student_t_and_is_paired() -> None:
    base = RNG.normal(25, 4, 200)
    ours = base + RNG.normal(0.3, 0.5, 200)
    found = paired_difference(ours, base)
    wanted = stats.t.interval(0.95, 199, loc=(ours - base).mean(), scale=stats.sem(ours - base))
    assert found.mean == pytest.approx((ours - base).mean())
    assert (found.low, found.high) == pytest.approx(wanted, abs=0.02)
    assert found.certain
    assert not paired_difference(base, base[::-1].copy()).certain


def test_infinite_values_are_left_out_of_both_sides() -> None:
    found = paired_difference(np.array([1.0, np.inf, 3.0]), np.array([0.0, 1.0, 2.0]))
    assert (found.mean, found.low, found.high) == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="no picture"):
        paired_difference(np.array([np.inf]), np.array([1.0]))
    with pytest.raises(ValueError, match="as many"):
        paired_difference(np.zeros(2), np.zeros(3))
