"""Multi-scale neural patch synthesis written down as the paper has it: whole photos and networks, loops over patches.

Slow on purpose. The model computes the same numbers from windows, blocks and sorted sums.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
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


def known_features(network: VGG, first: Tensor) -> list[tuple[Tensor, float]]:
    """The features (1, C, h, w) of `first`, one a tap, scaled to a mean of 1; and by what they were multiplied."""
    with torch.no_grad():
        units = [1.0 / float(tap.abs().mean()) for tap in network(first * 2 - 1)]
        return [(tap * unit, unit) for tap, unit in zip(network(first * 2 - 1), units, strict=True)]


def objective(
    network: VGG,
    photo: Tensor,
    first: Tensor,
    hole: Tensor,
    known: list[tuple[Tensor, float]],
    weights: tuple[float, float],
) -> Tensor:
    """Eq. (1), differentiable in `photo` (1, 3, H, W): the whole photo through the network, every patch cut out, and
    every nearest neighbour looked for each time.

    `known` are the features of `first` as `known_features` makes them; `weights` are α and β.
    """
    texture = torch.zeros(())
    for name, features, (theirs, unit) in zip(network.taps, network(photo * 2 - 1), known, strict=True):
        region = torch.zeros(features.shape[-2:], dtype=torch.bool)
        for place in hole_region(hole, STRIDES[name]):
            region[place] = True
        around = F.max_pool2d(region[None, None].float(), 3, 1, 1)[0, 0] > 0.5
        mine = F.unfold(features * unit, 3, padding=1)[0].T[region.flatten()]
        keys = F.unfold(theirs, 3, padding=1)[0].T[~around.flatten()]
        with torch.no_grad():
            nearest_keys = torch.cdist(mine, keys).argmin(1)
        inside = F.unfold(torch.ones_like(features), 3, padding=1)[0].T[region.flatten()]
        texture = texture + ((mine - keys[nearest_keys]) * inside).square().mean()
    content = (photo - first)[..., hole].square().mean()
    down = (photo[..., 1:, :] - photo[..., :-1, :]).square() * (hole[1:] | hole[:-1])
    right = (photo[..., 1:] - photo[..., :-1]).square() * (hole[:, 1:] | hole[:, :-1])
    variation = (down.sum() + right.sum()) / (3 * int(hole.sum()))
    return content + weights[0] * texture + weights[1] * variation


def optimise(
    network: VGG, first: Tensor, hole: Tensor, weights: tuple[float, float], evaluations: int
) -> tuple[Tensor, int]:
    """The hole of `first` (1, 3, H, W) by SciPy's L-BFGS-B; the photo, and the number of evaluations it took."""
    known = known_features(network, first)

    def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
        pixels = torch.from_numpy(flat).float().view(1, 3, -1).requires_grad_()
        photo = first.clone()
        photo[..., hole] = pixels
        loss = objective(network, photo, first, hole, known, weights)
        (gradient,) = torch.autograd.grad(loss, pixels)
        return float(loss.detach()), gradient.double().flatten().numpy()

    start = first[..., hole]
    found = minimize(
        evaluate,
        start.double().flatten().numpy(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, 1.0)] * start.numel(),
        options={"maxfun": evaluations, "maxiter": evaluations, "maxcor": 10, "ftol": 0.0, "gtol": 0.0},
    )
    photo = first.clone()
    photo[..., hole] = torch.from_numpy(found.x).float().view(1, 3, -1)
    return photo, int(found.nfev)
