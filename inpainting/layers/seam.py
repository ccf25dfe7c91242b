"""Closing the seam between a network's fill and the photo: the error at the hole's edge, continued into the hole.

A network that is a shade too dark fills a hole that shows as a stain, however right its texture is. Its error is known
on the pixels around the hole. Subtracted from the fill as the membrane (harmonic function) that those errors span, it
vanishes at the edge and fades into the hole, and the fill's own gradients stay: the seamless cloning of Pérez, Gangnet
and Blake ("Poisson Image Editing", 2003). Linear and differentiable, so networks can be trained through it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

RING = 2
"""Known pixels around the hole, in pixels from its edge, at which the error is taken."""
SWEEPS = 8
"""Relaxations at full resolution; twice as many at each coarser level, up to `MOST_SWEEPS`."""
MOST_SWEEPS = 64


def seamless(prediction: Tensor, photo: Tensor, mask: Tensor) -> Tensor:
    """The photo with `prediction` in the hole, moved so that it meets the photo at the hole's edge.

    Args:
        prediction: (B, C, H, W), the network's picture, known region included.
        photo: (B, C, H, W); what it holds in the hole is not looked at.
        mask: (B, 1, H, W), 1 in the hole.

    Returns:
        (B, C, H, W) in single precision; outside the hole `photo`'s own values.
    """
    hole = mask > 0.5
    ring = (F.max_pool2d(hole.float(), 2 * RING + 1, stride=1, padding=RING) > 0) & ~hole
    photo, prediction = photo.float(), prediction.float()
    error = torch.where(ring, photo - prediction, torch.zeros_like(photo))
    return torch.where(hole, prediction + membrane(error, ring.float()), photo)


def painted_beyond(prediction: Tensor, mask: Tensor) -> Tensor:
    """`prediction` continued over the hole's edge: known pixels beside it take the mean of the hole's nearest ones.

    For networks that have learnt nothing about the known region: the error at the edge is then the step there.

    Args:
        prediction: (B, C, H, W); only the hole's values are looked at.
        mask: (B, 1, H, W), 1 in the hole.
    """
    hole = (mask > 0.5).to(prediction.dtype)
    window = 2 * RING + 3
    share = F.avg_pool2d(hole, window, stride=1, padding=window // 2)
    near = F.avg_pool2d(prediction * hole, window, stride=1, padding=window // 2) / share.clamp_min(1e-6)
    return torch.where(hole > 0, prediction, near)


def membrane(values: Tensor, known: Tensor) -> Tensor:
    """The smoothest continuation of scattered values: harmonic between them, level at the picture's border.

    Solved coarse to fine: at each level the given values stay, and the rest, begun with the coarser solution, is
    relaxed. What remains is some hundredths of the values' range, smooth and zero at the edge, for less work than
    one of a network's convolutions. `imaging.membrane` is the exact one, for single pictures and no gradients.

    Args:
        values: (B, C, H, W), zero where nothing is known.
        known: (B, 1, H, W), 1 where a value is known. Pictures without any come out as zeros.
    """
    levels = [(values, known)]
    while max(levels[-1][1].shape[-2:]) > 1:
        finer, share = levels[-1]
        pad = (0, finer.shape[-1] % 2, 0, finer.shape[-2] % 2)
        levels.append((F.avg_pool2d(F.pad(finer, pad), 2), F.avg_pool2d(F.pad(share, pad), 2)))
    solution = torch.zeros_like(levels[-1][0])
    for number in range(len(levels) - 1, -1, -1):
        sums, share = levels[number]
        height, width = sums.shape[-2:]
        if number < len(levels) - 1:
            solution = F.interpolate(solution, scale_factor=2, mode="bilinear", align_corners=False)
            solution = solution[..., :height, :width]
        given = share > 0
        fixed = sums / share.clamp_min(1e-6)
        solution = torch.where(given, fixed, solution)
        for _ in range(min(MOST_SWEEPS, SWEEPS * 2**number)):
            solution = torch.where(given, fixed, _neighbours(solution))
    return solution


def _neighbours(picture: Tensor) -> Tensor:
    """The mean of each pixel's four neighbours; at the border a pixel stands in for the neighbour it lacks."""
    grown = F.pad(picture, (1, 1, 1, 1), mode="replicate")
    return 0.25 * (grown[..., 1:-1, :-2] + grown[..., 1:-1, 2:] + grown[..., :-2, 1:-1] + grown[..., 2:, 1:-1])
