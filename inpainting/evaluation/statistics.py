"""Paired comparisons: how sure a difference is, how often one wins, how strong many are. NumPy only."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 10_000
_CHUNK = 500
Values = NDArray[np.float64]


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


@dataclass(frozen=True, slots=True)
class Rate:
    """How often one was better than the other, ties counted half, with its 95 % interval."""

    wins: int
    ties: int
    losses: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Strength:
    """One contender's log-strength, centred so that all of them sum to 0, with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float


def paired_difference(
    ours: Values, theirs: Values, *, seed: int = 0, groups: Sequence[Hashable] | None = None
) -> Difference:
    """Percentile bootstrap over pictures (10 000 resamples) of the mean paired difference.

    Both arrays have one value a picture, in the same order. Pictures where either value is not finite (PSNR of an
    identical result) are left out of both. With `groups`, one label a picture, whole groups are drawn: several holes in
    the same photo are not independent of each other. Raises `ValueError` when nothing is left or the lengths differ.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"Paired values must be as many: {ours.shape} and {theirs.shape}.")
    usable = np.isfinite(ours) & np.isfinite(theirs)
    gaps = (ours - theirs)[usable]
    if not gaps.size:
        raise ValueError("There is no picture with two finite values.")
    low, high = _interval(gaps, _kept(groups, usable), seed)
    return Difference(float(gaps.mean()), low, high)


def mean_interval(values: Values, *, seed: int = 0, groups: Sequence[Hashable] | None = None) -> Difference:
    """The mean of the finite values with its 95 % percentile bootstrap interval, drawn as in `paired_difference`.

    Raises `ValueError` when there is no finite value.
    """
    usable = np.isfinite(values)
    kept = values[usable]
    if not kept.size:
        raise ValueError("There is no finite value.")
    low, high = _interval(kept, _kept(groups, usable), seed)
    return Difference(float(kept.mean()), low, high)


def win_rate(ours: Values, theirs: Values, *, higher_is_better: bool) -> Rate:
    """On how many pictures ours is better, with the Wilson score interval of that share.

    Infinite values count (an identical picture wins); pictures with a value that is not a number do not. Raises
    `ValueError` when nothing is left or the lengths differ.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"Paired values must be as many: {ours.shape} and {theirs.shape}.")
    usable = ~(np.isnan(ours) | np.isnan(theirs))
    one, other = ours[usable], theirs[usable]
    if not higher_is_better:
        one, other = other, one
    return rate_of(int((one > other).sum()), int((one == other).sum()), int((one < other).sum()))


def rate_of(wins: int, ties: int, losses: int) -> Rate:
    """A `Rate` with the Wilson score interval (Wilson 1927); raises `ValueError` for no comparison at all."""
    count = wins + ties + losses
    if count < 1 or min(wins, ties, losses) < 0:
        raise ValueError("A win rate needs at least one comparison.")
    share = (wins + ties / 2) / count
    z = 1.959963984540054
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return Rate(wins, ties, losses, share, max(0.0, middle - half), min(1.0, middle + half))


def bradley_terry(
    wins: Mapping[tuple[str, str], float], *, resamples: int = 1000, seed: int = 0, tolerance: float = 1e-9
) -> list[Strength]:
    """Log-strengths of the Bradley–Terry model (1952) from votes between pairs, strongest first.

    The model says that a beats b with probability e^(β_a − β_b) / (1 + e^(β_a − β_b)); the estimate is the maximum of
    the likelihood, found by Hunter's (2004) minorisation steps. A tie counts as half a win for each.

    Args:
        wins: ``(winner, loser)`` → how often, halves for ties.
        resamples: parametric-free bootstrap over the votes of each pair, for the 95 % intervals.

    Raises `ValueError` with a sentence when the strengths are not determined: fewer than two contenders, or a group of
    them that never lost to the others (the likelihood then has no maximum; Ford 1957). Resamples that are not
    determined are drawn again, so intervals of small samples are somewhat too narrow.
    """
    names = sorted({name for pair in wins for name in pair})
    place = {name: number for number, name in enumerate(names)}
    table = np.zeros((len(names), len(names)))
    for (winner, loser), count in wins.items():
        if winner == loser or count < 0:
            raise ValueError("A vote needs two different contenders and cannot count negatively.")
        table[place[winner], place[loser]] += count
    if len(names) < 2 or not _determined(table):
        raise ValueError(
            "The votes do not determine all strengths yet: somebody never won, never lost, or was never compared."
        )
    found = _strengths(table, tolerance)
    drawn = _resampled(table, resamples, seed, tolerance)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0) if len(drawn) else (found, found)
    order = np.argsort(-found, kind="stable")
    return [Strength(names[n], float(found[n]), float(low[n]), float(high[n])) for n in order]


def _kept(groups: Sequence[Hashable] | None, usable: NDArray[np.bool_]) -> NDArray[np.intp] | None:
    """The groups of the usable values as numbers from 0."""
    if groups is None:
        return None
    if len(groups) != usable.size:
        raise ValueError(f"There are {len(groups)} group labels for {usable.size} values.")
    numbers: dict[Hashable, int] = {}
    labels = [
        numbers.setdefault(group, len(numbers)) for group, kept in zip(groups, usable.tolist(), strict=True) if kept
    ]
    return np.asarray(labels, np.intp)


def _interval(values: Values, groups: NDArray[np.intp] | None, seed: int) -> tuple[float, float]:
    """2.5 % and 97.5 % quantiles of the mean when pictures, or whole groups of them, are drawn with replacement."""
    rng = np.random.default_rng(seed)
    if groups is None:
        sums, counts = values, np.ones(values.size)
    else:
        sums = np.asarray(np.bincount(groups, weights=values), np.float64)
        counts = np.bincount(groups).astype(np.float64)
    means = np.empty(_RESAMPLES)
    for start in range(0, _RESAMPLES, _CHUNK):
        picks = rng.integers(sums.size, size=(min(_CHUNK, _RESAMPLES - start), sums.size))
        means[start : start + len(picks)] = sums[picks].sum(1) / counts[picks].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _determined(table: Values) -> bool:
    """Whether a path of wins leads from everybody to everybody."""
    reach = (table > 0) | np.eye(len(table), dtype=np.bool_)
    for middle in range(len(table)):
        reach |= reach[:, middle, None] & reach[None, middle, :]
    return bool(reach.all())


def _strengths(table: Values, tolerance: float) -> Values:
    """Centred log-strengths by minorisation-maximisation."""
    total = table.sum(1)
    games = table + table.T
    strength = np.ones(len(table))
    for _ in range(100_000):
        shares = games / (strength[:, None] + strength[None, :])
        updated = total / shares.sum(1)
        updated /= np.exp(np.log(updated).mean())
        if np.abs(np.log(updated) - np.log(strength)).max() < tolerance:
            break
        strength = updated
    return np.asarray(np.log(updated), np.float64)


def _resampled(table: Values, resamples: int, seed: int, tolerance: float) -> Values:
    """Strengths of tables whose votes are drawn again, pair by pair."""
    rng = np.random.default_rng(seed)
    found: list[Values] = []
    for _ in range(10 * resamples):
        if len(found) == resamples:
            break
        drawn = np.zeros_like(table)
        for one in range(len(table)):
            for other in range(one):
                games = table[one, other] + table[other, one]
                if games > 0:
                    won = rng.binomial(round(games), table[one, other] / games)
                    drawn[one, other], drawn[other, one] = won, round(games) - won
        if _determined(drawn):
            found.append(_strengths(drawn, max(tolerance, 1e-6)))
    return np.asarray(found)
