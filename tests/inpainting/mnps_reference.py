"""Multi-scale neural patch synthesis written down as the paper has it: whole photos and networks, loops over patches.

Slow on purpose. The model computes the same numbers from windows, blocks and sorted sums.
"""

from __future__ import annotations

import torch
from torch import Tensor

from inpainting.backbones.vgg import VGG

STRIDES = {"relu3_1": 4, "relu4_1": 8}


def hole_region(hole: Tensor, stride: int) -> list[tuple[int, int]]:
    """R^φ: feature positions whose cell of `stride` pixels shows any hole pixel."""
    height, width = hole.shape
    return [
        (y, x)
        for y in range(height // stride)
        for x in range(width // stride)
        if bool(hole[y * stride : (y + 1) * stride, x * stride : (x + 1) * stride].any())
    ]


def patch(features: Tensor, y: int, x: int) -> tuple[Tensor, Tensor]:
    """The 3×3 patch (C, 3, 3) around a position, and which of its positions lie inside the map."""
    channels, height, width = features.shape
    found, inside = features.new_zeros(channels, 3, 3), torch.zeros(3, 3, dtype=torch.bool)
    for row in range(3):
        for column in range(3):
            at_y, at_x = y + row - 1, x + column - 1
            if 0 <= at_y < height and 0 <= at_x < width:
                found[:, row, column] = features[:, at_y, at_x]
                inside[row, column] = True
    return found, inside


def nearest(features: Tensor, known: Tensor, region: list[tuple[int, int]]) -> dict[tuple[int, int], tuple[int, int]]:
    """Eq. (4): for each position of the region the closest patch that does not touch the region."""
    _, height, width = known.shape
    taken = set(region)
    keys = [
        (y, x)
        for y in range(height)
        for x in range(width)
        if not any((y + dy, x + dx) in taken for dy in (-1, 0, 1) for dx in (-1, 0, 1))
    ]
    chosen = {}
    for y, x in region:
        mine, _ = patch(features, y, x)
        distances = [float((mine - patch(known, *key)[0]).square().sum()) for key in keys]
        chosen[y, x] = keys[min(range(len(keys)), key=distances.__getitem__)]
    return chosen


def texture_term(network: VGG, photo: Tensor, first: Tensor, hole: Tensor) -> float:
    """Eq. (3), summed over relu3_1 and relu4_1, for `photo` (1, 3, H, W) in [0, 1].

    Known patches come from `first`, the photo with its first guess, whose mean feature is scaled to 1; each layer's
    sum is divided by the number of its terms.
    """
    total = 0.0
    with torch.no_grad():
        now, then = network(photo * 2 - 1), network(first * 2 - 1)
    for name, features, known in zip(network.taps, now, then, strict=True):
        unit = 1.0 / known.abs().mean()
        features, known = features[0] * unit, known[0] * unit
        region = hole_region(hole, STRIDES[name])
        energy = 0.0
        for place, key in nearest(features, known, region).items():
            mine, inside = patch(features, *place)
            theirs, _ = patch(known, *key)
            energy += float(((mine - theirs) * inside).square().sum())
        total += energy / (len(region) * 9 * len(features))
    return total


def content_term(photo: Tensor, first: Tensor, hole: Tensor) -> float:
    """Eq. (2) as a mean over the hole."""
    return float((photo - first)[..., hole].square().mean())


def variation_term(photo: Tensor, hole: Tensor) -> float:
    """Eq. (5) over the pairs of neighbours that touch the hole, a hole pixel and channel."""
    height, width = hole.shape
    total = 0.0
    for y in range(height):
        for x in range(width):
            if y + 1 < height and bool(hole[y, x] | hole[y + 1, x]):
                total += float((photo[0, :, y + 1, x] - photo[0, :, y, x]).square().sum())
            if x + 1 < width and bool(hole[y, x] | hole[y, x + 1]):
                total += float((photo[0, :, y, x + 1] - photo[0, :, y, x]).square().sum())
    return total / (3 * int(hole.sum()))
