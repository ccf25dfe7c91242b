"""Texture statistics: Gramians and shifted Gramians of feature maps, their masked form, and the loss between two sets.

After Laube et al., "Image inpainting for high-resolution textures using CNN texture synthesis" (2018), who combine
Gatys et al. (2015) with the cross-correlations of Berger and Memisevic (2016). Differences from the formulas as
printed, none of which changes what is compared:

- Gramians are divided by the number of positions they sum over, so that windows of different sizes can be compared;
  the printed loss divides by that number squared afterwards.
- Features are expected at a mean activation of about 1 (`VGG.calibrate`): the paper's weights 1e6 and 1e7 beside a
  boundary weight of 5 to 25 mean nothing otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

SHIFTS: Mapping[str, int] = {"relu1_1": 6, "pool1": 6, "pool2": 5, "pool3": 4, "pool4": 3, "pool5": 2}
"""δ of each tap in its own pixels (section 4; 2 for pool5, which the paper leaves open)."""
EXPANSIONS: Mapping[str, int] = {"relu1_1": 1, "pool1": 1, "pool2": 2, "pool3": 3, "pool4": 2, "pool5": 2}
"""e of each tap (section 4): by how many pixels the hole grows before that tap's pooling."""
STRIDES: Mapping[str, int] = {"relu1_1": 1, "pool1": 2, "pool2": 4, "pool3": 8, "pool4": 16, "pool5": 32}
"""Photo pixels for each pixel of a tap."""
WEIGHT_PLAIN, WEIGHT_SHIFTED = 1e6, 1e7
"""w_s and w_cc (section 3.3)."""


def gramians(features: Tensor, shift: int, known: Tensor | None = None) -> Tensor:
    """Plain, horizontally and vertically shifted Gramians of `features` (B, C, h, w): (B, 3, C, C).

    The second holds the mean over all positions of F_i(x, y) · F_j(x + δ, y), where both exist; the third the same
    downwards. A map too small for the shift has zeros there. With a mask `known` (B or 1, 1, h, w; 1 where the
    photo is known) only products of two known positions count; the mean is over those.
    """
    batch, channels, height, width = features.shape
    if known is not None:
        features = features * known
    found = [_products(features, features, known, known)]
    for down, right in ((0, shift), (shift, 0)):
        if down >= height or right >= width:
            found.append(features.new_zeros(batch, channels, channels))
            continue
        here = (..., slice(0, height - down), slice(0, width - right))
        there = (..., slice(down, height), slice(right, width))
        if known is None:
            found.append(_products(features[here], features[there], None, None))
        else:
            found.append(_products(features[here], features[there], known[here], known[there]))
    return torch.stack(found, dim=1)


def _products(first: Tensor, second: Tensor, known_first: Tensor | None, known_second: Tensor | None) -> Tensor:
    """Σ_k first_i(k) · second_j(k) / number of positions: (B, C, C)."""
    sums = torch.bmm(first.flatten(2), second.flatten(2).transpose(1, 2))
    if known_first is None or known_second is None:
        return sums / (first.shape[2] * first.shape[3])
    return sums / (known_first * known_second).sum((1, 2, 3)).clamp_min(1.0)[:, None, None]


@dataclass(frozen=True, slots=True)
class Statistics:
    """The Gramians of one or several windows, tap by tap."""

    taps: tuple[str, ...]
    gramians: tuple[Tensor, ...]
    """One (B, 3, C, C) a tap."""

    @classmethod
    def of(cls, taps: Sequence[str], features: Sequence[Tensor], known: Sequence[Tensor] | None = None) -> Statistics:
        """The statistics of `features`, one (B, C, h, w) a tap; `known` as from `known_masks`."""
        masks: Sequence[Tensor | None] = [None] * len(taps) if known is None else known
        return cls(
            tuple(taps),
            tuple(gramians(f, SHIFTS[tap], mask) for tap, f, mask in zip(taps, features, masks, strict=True)),
        )


def texture_loss(
    statistics: Statistics,
    reference: Statistics,
    *,
    plain: float = WEIGHT_PLAIN,
    shifted: float = WEIGHT_SHIFTED,
) -> Tensor:
    """L_s,cc = w_s · L_s + w_cc · L_cc, eq. (2) and after: (B,), the sum over taps of mean squares / 4."""
    total: Tensor | None = None
    for found, wanted in zip(statistics.gramians, reference.gramians, strict=True):
        squares = (found - wanted).square().mean((2, 3)) / 4.0
        term = plain * squares[:, 0] + shifted * (squares[:, 1] + squares[:, 2])
        total = term if total is None else total + term
    if total is None:
        raise ValueError("Texture statistics need at least one tap.")
    return total


def known_masks(hole: Tensor, taps: Sequence[str], expansions: Mapping[str, int] = EXPANSIONS) -> list[Tensor]:
    """Where features of each tap are free of the hole, 1 or 0: one (B, 1, h, w) float mask a tap (section 3.2).

    `hole` is (B, 1, H, W), 1 in the hole. It grows by e at every tap of `EXPANSIONS` on the way, also those not asked
    for, and a pooled pixel is a hole when any of its pixels is. That is less than convolutions really spread: exact
    growth would leave nothing of a quarter-patch border at the deepest tap.
    """
    grown = hole.float()
    found: dict[str, Tensor] = {}
    for tap in SHIFTS:
        if len(found) == len(set(taps)):
            break
        margin = expansions[tap]
        grown = F.max_pool2d(grown, 2 * margin + 1, 1, margin) if margin else grown
        if tap != "relu1_1":
            grown = F.max_pool2d(grown, 2)
        if tap in taps:
            found[tap] = 1.0 - grown
    return [found[tap] for tap in taps]


def statistics_distance(statistics: Statistics, reference: Statistics, usable: Sequence[bool]) -> Tensor:
    """ΔG of section 3.2 between masked Gramians: (B,). Taps that are not `usable` (no known position) do not count."""
    total: Tensor | None = None
    for found, wanted, counts in zip(statistics.gramians, reference.gramians, usable, strict=True):
        if counts:
            squares = (found - wanted).square().mean((1, 2, 3)) * (3.0 / 4.0)
            total = squares if total is None else total + squares
    if total is None:
        raise ValueError("No tap has a known position to compare.")
    return total
