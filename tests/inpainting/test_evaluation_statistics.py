"""Intervals, win rates and strengths against known solutions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from inpainting.evaluation.statistics import bradley_terry, mean_interval, paired_difference, rate_of, win_rate


def test_the_interval_of_a_mean_agrees_with_student_t() -> None:
    values = np.random.default_rng(1).normal(3, 2, 300)
    found = mean_interval(values)
    wanted = stats.t.interval(0.95, 299, loc=values.mean(), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx(wanted, abs=0.03)
    with pytest.raises(ValueError, match="no finite value"):
        mean_interval(np.array([np.nan, np.inf]))


def test_holes_of_the_same_photo_count_as_one_draw() -> None:
    """Five copies of each of 40 values say no more than the 40 values, however many rows there are."""
    values = np.random.default_rng(2).normal(0, 1, 40)
    alone = mean_interval(values, seed=4)
    copied = np.repeat(values, 5)
    grouped = mean_interval(copied, seed=4, groups=np.repeat(np.arange(40), 5).tolist())
    assert (grouped.low, grouped.high) == pytest.approx((alone.low, alone.high))
    naive = mean_interval(copied, seed=4)
    assert (naive.high - naive.low) < 0.6 * (grouped.high - grouped.low)
    paired = paired_difference(copied, np.zeros(200), seed=4, groups=np.repeat(np.arange(40), 5).tolist())
    assert (paired.low, paired.high) == pytest.approx((alone.low, alone.high))
    with pytest.raises(ValueError, match="group labels"):
        mean_interval(values, groups=[1, 2])


def test_a_paired_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for trial in range(200):
        base = rng.normal(25, 4, 60)
        found = paired_difference(base + rng.normal(0.2, 0.6, 60), base, seed=trial)
        covered += found.low <= 0.2 <= found.high
    assert 180 <= covered <= 198


def test_win_rates_have_wilsons_interval() -> None:
    found = rate_of(37, 0, 13)
    wanted = stats.binomtest(37, 50).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=1e-9)
    ours, theirs = np.array([1.0, 2.0, np.inf, 4.0, np.nan]), np.array([2.0, 2.0, 1.0, 1.0, 1.0])
    rate = win_rate(ours, theirs, higher_is_better=True)
    assert (rate.wins, rate.ties, rate.losses, rate.rate) == (2, 1, 1, 0.625)
    assert win_rate(ours, theirs, higher_is_better=False).rate == 0.375
    with pytest.raises(ValueError, match="at least one"):
        rate_of(0, 0, 0)


def test_two_contenders_have_the_closed_solution() -> None:
    found = bradley_terry({("a", "b"): 30, ("b", "a"): 10}, resamples=200)
    assert [each.name for each in found] == ["a", "b"]
    assert found[0].value - found[1].value == pytest.approx(math.log(3), abs=1e-6)
    assert found[0].low < found[0].value < found[0].high
    assert found[0].low > found[1].high  # 30 of 40 is no accident


def test_strengths_are_the_maximum_of_the_likelihood() -> None:
    wins = {
        ("tta", "lbp"): 18.0, ("lbp", "tta"): 9.0, ("tta", "telea"): 25.5, ("telea", "tta"): 2.5,
        ("lbp", "telea"): 20.0, ("telea", "lbp"): 6.0, ("tmad", "telea"): 11.0, ("telea", "tmad"): 3.0,
        ("tmad", "tta"): 7.0, ("tta", "tmad"): 8.0,
    }  # fmt: skip
    names = sorted({name for pair in wins for name in pair})

    def loss(strengths: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        value = dict(zip(names, strengths, strict=True))
        return sum(count * math.log1p(math.exp(value[b] - value[a])) for (a, b), count in wins.items())

    best = optimize.minimize(loss, np.zeros(len(names)), tol=1e-12).x
    wanted = dict(zip(names, best - best.mean(), strict=True))
    found = bradley_terry(wins, resamples=50)
    assert {each.name: each.value for each in found} == pytest.approx(wanted, abs=1e-4)
    assert sum(each.value for each in found) == pytest.approx(0, abs=1e-9)
    assert [each.value for each in found] == sorted((each.value for each in found), reverse=True)


@pytest.mark.parametrize(
    "wins",
    [
        {("a", "b"): 5},  # b never won
        {("a", "b"): 5, ("b", "a"): 2, ("c", "d"): 1, ("d", "c"): 1},  # two groups that never met
        {},
    ],
)
def test_undetermined_strengths_are_refused(wins: dict[tuple[str, str], float]) -> None:
    with pytest.raises(ValueError, match="do not determine"):
        bradley_terry(wins)
