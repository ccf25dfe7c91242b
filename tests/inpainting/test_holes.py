import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inpainting.holes import KINDS, sample_hole


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("low", "high"), [(0.05, 0.1), (0.1, 0.4), (0.4, 0.5)])
def test_shares_stay_in_the_asked_range(kind: str, low: float, high: float) -> None:
    shares = [
        sample_hole(np.random.default_rng([seed, 7]), 64, 64, low=low, high=high, kinds=(kind,)).mean()
        for seed in range(60)
    ]
    assert min(shares) >= low
    assert max(shares) < high


def test_shares_fill_the_range_evenly() -> None:
    shares = np.array([sample_hole(np.random.default_rng(seed), 64, 64).mean() for seed in range(600)])
    counts, _ = np.histogram(shares, bins=3, range=(0.05, 0.5))
    assert counts.min() > 140  # of 200 expected


@settings(max_examples=40, deadline=None)
@given(st.integers(16, 90), st.integers(16, 90), st.integers(0, 2**32 - 1))
def test_any_size_gives_a_hole_of_that_size_and_the_same_one_again(height: int, width: int, seed: int) -> None:
    hole = sample_hole(np.random.default_rng(seed), height, width)
    assert hole.shape == (height, width)
    assert hole.dtype == np.bool_
    assert 0 < hole.sum() < hole.size
    assert np.array_equal(hole, sample_hole(np.random.default_rng(seed), height, width))


def test_families_differ_as_their_names_say() -> None:
    rng = np.random.default_rng(3)
    rectangle = sample_hole(rng, 96, 96, kinds=("rectangle",))
    rows, columns = rectangle.any(1), rectangle.any(0)
    assert rectangle.sum() == rows.sum() * columns.sum()
    ragged = sample_hole(rng, 96, 96, low=0.2, high=0.3, kinds=("irregular",))
    edge = (ragged[1:] != ragged[:-1]).sum() + (ragged[:, 1:] != ragged[:, :-1]).sum()
    assert edge > 4 * np.sqrt(ragged.sum())


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.5), (0.5, 0.5), (0.2, 1.0), (0.6, 0.3)])
def test_an_impossible_range_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="hole share"):
        sample_hole(np.random.default_rng(0), 64, 64, low=low, high=high)


def test_an_unknown_family_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no kind of hole spiral"):
        sample_hole(np.random.default_rng(0), 64, 64, kinds=("spiral",))
